//! Address changes of established associations.

use std::{io::ErrorKind, net::SocketAddr};

use sctp_core::{AssocChangeState, AssocId, EventSet, Family, Socket};

use crate::{
    check::{UNKNOWN, assert_fails, assert_invalid, on_each_end, on_each_fresh_socket},
    support::{End, FAMILIES, Pair, STYLES, Style, listen, pair_with, wait_change},
};

fn movable(style: Style, family: Family) -> Pair {
    pair_with(style, family, |socket| {
        socket.set_auth_supported(true).unwrap();
        socket.set_asconf_supported(true).unwrap();
    })
}

#[test]
fn asconf_supported() {
    on_each_fresh_socket(|socket, style| {
        let get = || socket.asconf_supported(AssocId::FUTURE).unwrap();
        assert!(!get());
        for on in [true, false] {
            socket.set_asconf_supported(on).unwrap();
            assert_eq!(get(), on);
        }
        if style == Style::OneToMany {
            assert_invalid(socket.asconf_supported(UNKNOWN));
        }
    });
    on_each_end(|end, _| assert!(!end.socket.asconf_supported(end.assoc).unwrap()));
    for style in STYLES {
        for family in FAMILIES {
            let pair = movable(style, family);
            for end in [&pair.client, &pair.server] {
                assert!(end.socket.asconf_supported(end.assoc).unwrap());
            }
        }
    }
}

#[test]
fn asconf_without_auth_refuses_associations() {
    let (listener, client) = (
        Socket::one_to_many(Family::V4).unwrap(),
        Socket::one_to_many(Family::V4).unwrap(),
    );
    for socket in [&listener, &client] {
        socket.set_asconf_supported(true).unwrap();
        let events = EventSet::ASSOC_CHANGE;
        socket.subscribe(AssocId::FUTURE, events).unwrap();
    }
    let addr = listen(&listener, Family::V4);
    client.connectx(&[addr]).unwrap();
    assert_eq!(wait_change(&client).0, AssocChangeState::CantStart);
}

#[test]
fn auto_asconf() {
    for style in [Style::OneToOne, Style::OneToMany] {
        for family in FAMILIES {
            let socket = style.socket(family);
            assert!(!socket.auto_asconf().unwrap());
            assert_invalid(socket.set_auto_asconf(true));
            socket.bind(family.unspecified()).unwrap();
            for on in [true, true, false] {
                socket.set_auto_asconf(on).unwrap();
                assert_eq!(socket.auto_asconf().unwrap(), on);
            }
        }
    }
    on_each_end(|end, _| {
        // Bound to one address, or unbound when it was connected.
        end.socket.set_auto_asconf(false).unwrap();
    });
    let socket = Socket::one_to_many(Family::V4).unwrap();
    listen(&socket, Family::V4);
    assert_invalid(socket.set_auto_asconf(true));
}

#[test]
fn set_peer_primary_addr() {
    for style in STYLES {
        for family in FAMILIES {
            println!("{style:?} {family:?}");
            let pair = movable(style, family);
            let mine = |end: &End| end.socket.local_addrs(end.assoc).unwrap()[0];
            let addr = mine(&pair.server);
            let set = |addr| {
                let server = &pair.server;
                server.socket.set_peer_primary_addr(server.assoc, addr)
            };
            if style != Style::OneToMany {
                // ASCONF is off on a socket that comes from one with ASCONF on.
                assert_fails(ErrorKind::PermissionDenied, set(addr));
                pair.server.socket.set_asconf_supported(true).unwrap();
            }
            set(addr).unwrap();
            let unknown: SocketAddr = match family {
                Family::V4 => "192.0.2.1:9",
                Family::V6 => "[2001:db8::1]:9",
            }
            .parse()
            .unwrap();
            assert_fails(ErrorKind::AddrNotAvailable, set(unknown));
            if style == Style::OneToMany {
                let socket = &pair.server.socket;
                assert_invalid(socket.set_peer_primary_addr(UNKNOWN, addr));
                assert_invalid(socket.set_peer_primary_addr(AssocId::FUTURE, addr));
            }
        }
    }
}

#[test]
fn set_peer_primary_addr_requires_asconf() {
    on_each_end(|end, _| {
        let addr = end.socket.local_addrs(end.assoc).unwrap()[0];
        let set = || end.socket.set_peer_primary_addr(end.assoc, addr);
        assert_fails(ErrorKind::PermissionDenied, set());
        end.socket.set_asconf_supported(true).unwrap();
        // The association did not negotiate it.
        assert_fails(ErrorKind::PermissionDenied, set());
    });
}
