//! Paths.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use sctp_core::{
    AssocId, Socket,
    options::{
        Heartbeat, MtuDiscovery, PathState, PathThresholds, PeerAddrParams, PfExposure, SackDelay,
    },
};

use crate::{
    check::{Scope, UNKNOWN, fails, invalid, of_assoc, on_each_end, on_each_fresh_socket},
    support::Style,
};

fn nobody(like: SocketAddr) -> SocketAddr {
    let nobody = if like.is_ipv4() {
        "192.0.2.1:9"
    } else {
        "[2001:db8::1]:9"
    };
    nobody.parse().unwrap()
}

fn some_params() -> [PeerAddrParams; 3] {
    let slow = PeerAddrParams::new()
        .with_heartbeat(Heartbeat::Enabled(Some(Duration::from_secs(7))))
        .with_max_retransmissions(3)
        .with_mtu_discovery(MtuDiscovery::Disabled(Some(1200)))
        .with_sack_delay(SackDelay::Enabled(Some(Duration::from_millis(400))))
        .with_dscp(46);
    [
        slow,
        slow.with_heartbeat(Heartbeat::Disabled)
            .with_sack_delay(SackDelay::Disabled)
            .with_dscp(0),
        slow.with_heartbeat(Heartbeat::Enabled(Some(Duration::ZERO)))
            .with_mtu_discovery(MtuDiscovery::Enabled),
    ]
}

#[test]
fn peer_addr_params() {
    let set = |socket: &Socket, assoc, params: &_| socket.set_peer_addr_params(assoc, None, params);
    let get = |socket: &Socket, assoc| socket.peer_addr_params(assoc, None);
    of_assoc(Scope::Narrow, &some_params(), set, get);
}

#[test]
fn peer_addr_params_of_one_path() {
    on_each_end(|end, _| {
        let path = Some(end.peer);
        for params in some_params() {
            end.socket
                .set_peer_addr_params(end.assoc, path, &params)
                .unwrap();
            let got = end.socket.peer_addr_params(end.assoc, path).unwrap();
            assert_eq!(got, params);
        }
        let unknown = Some(nobody(end.peer));
        invalid(end.socket.peer_addr_params(end.assoc, unknown));
        let none = PeerAddrParams::new();
        invalid(end.socket.set_peer_addr_params(end.assoc, unknown, &none));
    });
}

#[test]
fn peer_addr_params_defaults_and_what_stays() {
    on_each_fresh_socket(|socket, _| {
        let get = || socket.peer_addr_params(AssocId::FUTURE, None).unwrap();
        let set = |params| socket.set_peer_addr_params(AssocId::FUTURE, None, &params);
        let mut expected = PeerAddrParams::new()
            .with_heartbeat(Heartbeat::Enabled(Some(Duration::from_secs(30))))
            .with_max_retransmissions(5)
            .with_mtu_discovery(MtuDiscovery::Enabled)
            .with_sack_delay(SackDelay::Enabled(Some(Duration::from_millis(200))));
        assert_eq!(get(), expected);
        set(PeerAddrParams::new()).unwrap();
        assert_eq!(get(), expected);
        // Off and on again: the times stay.
        set(PeerAddrParams::new()
            .with_heartbeat(Heartbeat::Disabled)
            .with_sack_delay(SackDelay::Disabled))
        .unwrap();
        set(PeerAddrParams::new()
            .with_heartbeat(Heartbeat::Enabled(None))
            .with_sack_delay(SackDelay::Enabled(None)))
        .unwrap();
        assert_eq!(get(), expected);
        set(PeerAddrParams::new().with_dscp(10)).unwrap();
        expected = expected.with_dscp(10);
        assert_eq!(get(), expected);

        let too_small = MtuDiscovery::Disabled(Some(511));
        invalid(set(PeerAddrParams::new().with_mtu_discovery(too_small)));
        let too_long = SackDelay::Enabled(Some(Duration::from_millis(501)));
        invalid(set(PeerAddrParams::new().with_sack_delay(too_long)));
        assert_eq!(get(), expected);
    });
}

#[test]
fn flow_labels_are_for_ipv6() {
    on_each_fresh_socket(|socket, _| {
        let params = PeerAddrParams::new().with_flow_label(0xabcde);
        socket
            .set_peer_addr_params(AssocId::FUTURE, None, &params)
            .unwrap();
        let got = socket.peer_addr_params(AssocId::FUTURE, None).unwrap();
        // An IPv4 socket cannot be bound to it, and says nothing to the label.
        let is_v6 = socket.bind("[::1]:0".parse().unwrap()).is_ok();
        assert_eq!(got.flow_label, is_v6.then_some(0xabcde));
    });
    on_each_end(|end, _| {
        let path = Some(end.peer);
        let params = PeerAddrParams::new().with_flow_label(0xabcde);
        end.socket
            .set_peer_addr_params(end.assoc, path, &params)
            .unwrap();
        let got = end.socket.peer_addr_params(end.assoc, path).unwrap();
        let label = end.peer.is_ipv6().then_some(0xabcde);
        assert_eq!(got.flow_label, label);
    });
}

#[test]
fn heartbeats_on_request() {
    on_each_end(|end, style| {
        let sent = |path| {
            let before = end.socket.assoc_stats(end.assoc).unwrap();
            end.socket.request_heartbeat(end.assoc, path).unwrap();
            let after = end.socket.assoc_stats(end.assoc).unwrap();
            after.control_chunks_sent - before.control_chunks_sent
        };
        assert_eq!(sent(Some(end.peer)), 1);
        assert!(sent(None) >= 1);
        if style == Style::OneToMany {
            invalid(end.socket.request_heartbeat(AssocId::FUTURE, None));
            invalid(end.socket.request_heartbeat(UNKNOWN, None));
        }
    });
    on_each_fresh_socket(|socket, _| invalid(socket.request_heartbeat(AssocId::FUTURE, None)));
}

#[test]
fn path_info() {
    on_each_end(|end, _| {
        let info = end.socket.path_info(end.assoc, end.peer).unwrap();
        assert_eq!(info.addr, Some(end.peer));
        assert_eq!(info.state, PathState::Active);
        assert!(info.mtu > 0 && info.congestion_window > 0, "{info:?}");
        assert_eq!(end.socket.status(end.assoc).unwrap().primary, info);
        invalid(end.socket.path_info(end.assoc, nobody(end.peer)));
    });
    on_each_fresh_socket(|socket, _| {
        invalid(socket.path_info(AssocId::FUTURE, "127.0.0.1:9".parse().unwrap()));
    });
}

#[test]
fn primary_addr() {
    on_each_end(|end, style| {
        for peer in end.socket.peer_addrs(end.assoc).unwrap() {
            end.socket.set_primary_addr(end.assoc, peer).unwrap();
            assert_eq!(end.socket.primary_addr(end.assoc).unwrap(), peer);
        }
        let error = end.socket.set_primary_addr(end.assoc, nobody(end.peer));
        invalid(error);
        if style == Style::OneToMany {
            invalid(end.socket.primary_addr(AssocId::FUTURE));
            invalid(end.socket.primary_addr(UNKNOWN));
        }
    });
    on_each_fresh_socket(|socket, _| invalid(socket.primary_addr(AssocId::FUTURE)));
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
    of_assoc(Scope::Narrow, &values, set, get);
    on_each_end(|end, _| {
        let path = Some(end.peer);
        for value in &values {
            end.socket
                .set_path_thresholds(end.assoc, path, value)
                .unwrap();
            let got = end.socket.path_thresholds(end.assoc, path).unwrap();
            assert_eq!(got, *value);
        }
        let unknown = Some(nobody(end.peer));
        let error = end.socket.path_thresholds(end.assoc, unknown);
        fails(ErrorKind::NotFound, error);
        let error = end
            .socket
            .set_path_thresholds(end.assoc, unknown, &values[0]);
        fails(ErrorKind::NotFound, error);
    });
}

#[test]
fn path_thresholds_defaults_and_what_stays() {
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
        invalid(set(PathThresholds::new(3).with_primary_switchover(2)));
        assert_eq!(get(), expected);
    });
}

#[test]
fn pf_exposure() {
    on_each_fresh_socket(|socket, _| {
        let default = socket.pf_exposure(AssocId::FUTURE).unwrap();
        assert_eq!(default, PfExposure::Unset);
        invalid(socket.set_pf_exposure(AssocId::FUTURE, PfExposure::Other(3)));
    });
    let values = [PfExposure::Exposed, PfExposure::Hidden, PfExposure::Unset];
    let set = |socket: &Socket, assoc, value: &_| socket.set_pf_exposure(assoc, *value);
    of_assoc(Scope::Narrow, &values, set, Socket::pf_exposure);
}

#[test]
fn remote_udp_encaps_port() {
    // Not the ports of a connection: nothing listens there, and the pair could not connect.
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
                invalid(socket.set_remote_udp_encaps_port(assoc, None, 9899));
                invalid(socket.remote_udp_encaps_port(assoc, None));
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
        let unknown = Some(nobody(end.peer));
        invalid(end.socket.remote_udp_encaps_port(end.assoc, unknown));
        invalid(end.socket.set_remote_udp_encaps_port(end.assoc, unknown, 1));
    });
}

#[test]
fn plpmtud_probe_interval() {
    let values = [5, 60, 0].map(Duration::from_secs);
    let set =
        |socket: &Socket, assoc, value: &_| socket.set_plpmtud_probe_interval(assoc, None, *value);
    let get = |socket: &Socket, assoc| socket.plpmtud_probe_interval(assoc, None);
    of_assoc(Scope::Narrow, &values, set, get);
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
        invalid(end.socket.set_plpmtud_probe_interval(
            end.assoc,
            path,
            Duration::from_millis(4999),
        ));
        invalid(
            end.socket
                .plpmtud_probe_interval(end.assoc, Some(nobody(end.peer))),
        );
    });
}
