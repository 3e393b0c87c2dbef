//! Paths: state, primary path, failover, encapsulation and path MTU.

use std::{io::ErrorKind, time::Duration};

use sctp_core::{
    AssocId, Socket,
    options::{PathState, PathThresholds, PfExposure},
};

use crate::{
    check::{
        Scope, UNKNOWN, assert_fails, assert_invalid, check_assoc_option, on_each_end,
        on_each_fresh_socket, unknown_addr,
    },
    support::Style,
};

#[test]
fn path_info() {
    on_each_end(|end, _| {
        let info = end.socket.path_info(end.assoc, end.peer).unwrap();
        assert_eq!(info.addr, Some(end.peer));
        assert_eq!(info.state, PathState::Active);
        assert!(info.mtu > 0 && info.congestion_window > 0, "{info:?}");
        assert_eq!(end.socket.status(end.assoc).unwrap().primary, info);
        assert_invalid(end.socket.path_info(end.assoc, unknown_addr(end.peer)));
    });
    on_each_fresh_socket(|socket, _| {
        assert_invalid(socket.path_info(AssocId::FUTURE, "127.0.0.1:9".parse().unwrap()));
    });
}

#[test]
fn primary_addr() {
    on_each_end(|end, style| {
        for peer in end.socket.peer_addrs(end.assoc).unwrap() {
            end.socket.set_primary_addr(end.assoc, peer).unwrap();
            assert_eq!(end.socket.primary_addr(end.assoc).unwrap(), peer);
        }
        let error = end
            .socket
            .set_primary_addr(end.assoc, unknown_addr(end.peer));
        assert_invalid(error);
        if style == Style::OneToMany {
            assert_invalid(end.socket.primary_addr(AssocId::FUTURE));
            assert_invalid(end.socket.primary_addr(UNKNOWN));
        }
    });
    on_each_fresh_socket(|socket, _| assert_invalid(socket.primary_addr(AssocId::FUTURE)));
}

#[test]
fn path_thresholds() {
    let values = [
        PathThresholds::new(2)
            .with_max_retransmissions(4)
            .with_primary_switchover(3),
        PathThresholds::new(0)
            .with_max_retransmissions(6)
            .with_primary_switchover(0),
    ];
    let set = |socket: &Socket, assoc, value: &_| socket.set_path_thresholds(assoc, None, value);
    let get = |socket: &Socket, assoc| socket.path_thresholds(assoc, None);
    check_assoc_option(Scope::Narrow, &values, set, get);
    on_each_end(|end, _| {
        let path = Some(end.peer);
        for value in &values {
            end.socket
                .set_path_thresholds(end.assoc, path, value)
                .unwrap();
            let got = end.socket.path_thresholds(end.assoc, path).unwrap();
            assert_eq!(got, *value);
        }
        let unknown = Some(unknown_addr(end.peer));
        let error = end.socket.path_thresholds(end.assoc, unknown);
        assert_fails(ErrorKind::NotFound, error);
        let error = end
            .socket
            .set_path_thresholds(end.assoc, unknown, &values[0]);
        assert_fails(ErrorKind::NotFound, error);
    });
}

#[test]
fn path_thresholds_defaults_are_kept() {
    on_each_fresh_socket(|socket, _| {
        let get = || socket.path_thresholds(AssocId::FUTURE, None).unwrap();
        let set = |value| socket.set_path_thresholds(AssocId::FUTURE, None, &value);
        let never = PathThresholds::new(0)
            .with_max_retransmissions(5)
            .with_primary_switchover(u16::MAX);
        assert_eq!(get(), never);
        set(PathThresholds::new(1).with_primary_switchover(9)).unwrap();
        set(PathThresholds::new(2)).unwrap();
        let expected = PathThresholds::new(2)
            .with_max_retransmissions(5)
            .with_primary_switchover(9);
        assert_eq!(get(), expected);
        assert_invalid(set(PathThresholds::new(3).with_primary_switchover(2)));
        assert_eq!(get(), expected);
    });
}

#[test]
fn pf_exposure() {
    on_each_fresh_socket(|socket, _| {
        let default = socket.pf_exposure(AssocId::FUTURE).unwrap();
        assert_eq!(default, PfExposure::Unset);
        assert_invalid(socket.set_pf_exposure(AssocId::FUTURE, PfExposure::Other(3)));
    });
    let values = [PfExposure::Exposed, PfExposure::Hidden, PfExposure::Unset];
    let set = |socket: &Socket, assoc, value: &_| socket.set_pf_exposure(assoc, *value);
    check_assoc_option(Scope::Narrow, &values, set, Socket::pf_exposure);
}

#[test]
fn remote_udp_encaps_port() {
    // Only unconnected sockets: a pair could not connect through a port without a listener.
    on_each_fresh_socket(|socket, style| {
        let get = || {
            socket
                .remote_udp_encaps_port(AssocId::FUTURE, None)
                .unwrap()
        };
        assert_eq!(get(), 0);
        for port in [9899, 1, 0] {
            socket
                .set_remote_udp_encaps_port(AssocId::FUTURE, None, port)
                .unwrap();
            assert_eq!(get(), port);
        }
        if style == Style::OneToMany {
            for assoc in [UNKNOWN, AssocId::CURRENT, AssocId::ALL] {
                assert_invalid(socket.set_remote_udp_encaps_port(assoc, None, 9899));
                assert_invalid(socket.remote_udp_encaps_port(assoc, None));
            }
        }
    });
    on_each_end(|end, _| {
        for (path, port) in [(None, 9899), (Some(end.peer), 9900)] {
            end.socket
                .set_remote_udp_encaps_port(end.assoc, path, port)
                .unwrap();
            assert_eq!(
                end.socket.remote_udp_encaps_port(end.assoc, path).unwrap(),
                port
            );
        }
        assert_eq!(
            end.socket.remote_udp_encaps_port(end.assoc, None).unwrap(),
            9899
        );
        let unknown = Some(unknown_addr(end.peer));
        assert_invalid(end.socket.remote_udp_encaps_port(end.assoc, unknown));
        assert_invalid(end.socket.set_remote_udp_encaps_port(end.assoc, unknown, 1));
    });
}

#[test]
fn plpmtud_probe_interval() {
    let values = [5, 60, 0].map(Duration::from_secs);
    let set =
        |socket: &Socket, assoc, value: &_| socket.set_plpmtud_probe_interval(assoc, None, *value);
    let get = |socket: &Socket, assoc| socket.plpmtud_probe_interval(assoc, None);
    check_assoc_option(Scope::Narrow, &values, set, get);
    on_each_end(|end, _| {
        let path = Some(end.peer);
        for value in values {
            end.socket
                .set_plpmtud_probe_interval(end.assoc, path, value)
                .unwrap();
            assert_eq!(
                end.socket.plpmtud_probe_interval(end.assoc, path).unwrap(),
                value
            );
        }
        assert_invalid(end.socket.set_plpmtud_probe_interval(
            end.assoc,
            path,
            Duration::from_millis(4999),
        ));
        assert_invalid(
            end.socket
                .plpmtud_probe_interval(end.assoc, Some(unknown_addr(end.peer))),
        );
    });
}
