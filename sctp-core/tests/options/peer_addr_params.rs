//! Parameters of paths.

use std::time::Duration;

use sctp_core::{
    AssocId, Socket,
    options::{Heartbeat, MtuDiscovery, PeerAddrParams, SackDelay},
};

use crate::{
    check::{
        Scope, UNKNOWN, assert_invalid, check_assoc_option, on_each_end, on_each_fresh_socket,
        unknown_addr,
    },
    support::Style,
};

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
    check_assoc_option(Scope::Narrow, &some_params(), set, get);
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
        let unknown = Some(unknown_addr(end.peer));
        assert_invalid(end.socket.peer_addr_params(end.assoc, unknown));
        let none = PeerAddrParams::new();
        assert_invalid(end.socket.set_peer_addr_params(end.assoc, unknown, &none));
    });
}

#[test]
fn peer_addr_params_defaults_are_kept() {
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
        // Turning them off and on keeps the times.
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
        assert_invalid(set(PeerAddrParams::new().with_mtu_discovery(too_small)));
        let too_long = SackDelay::Enabled(Some(Duration::from_millis(501)));
        assert_invalid(set(PeerAddrParams::new().with_sack_delay(too_long)));
        assert_eq!(get(), expected);
    });
}

#[test]
fn flow_label_applies_to_ipv6_only() {
    on_each_fresh_socket(|socket, _| {
        let params = PeerAddrParams::new().with_flow_label(0xabcde);
        socket
            .set_peer_addr_params(AssocId::FUTURE, None, &params)
            .unwrap();
        let got = socket.peer_addr_params(AssocId::FUTURE, None).unwrap();
        // An IPv4 socket cannot be bound to this address, and ignores the label.
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
fn heartbeat_is_sent_on_request() {
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
            assert_invalid(end.socket.request_heartbeat(AssocId::FUTURE, None));
            assert_invalid(end.socket.request_heartbeat(UNKNOWN, None));
        }
    });
    on_each_fresh_socket(|socket, _| {
        assert_invalid(socket.request_heartbeat(AssocId::FUTURE, None))
    });
}
