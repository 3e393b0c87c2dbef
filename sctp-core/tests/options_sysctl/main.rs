//! Options that require a sysctl, or take their default from one.
//!
//! The sysctls are set once, before any socket is created. In a guest this binary has the kernel's
//! SCTP to itself; elsewhere it must run alone.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "../support/mod.rs"]
mod support;
mod udp;

use std::{
    fs,
    io::{ErrorKind, IoSlice},
    sync::Once,
};

use sctp_core::{AssocId, EventSet, Family, SendInfo, Socket};
use support::{FAMILIES, Pair, Received, STYLES, Style, pair, pair_with, recv};

/// Sysctls in the order in which they are set: ASCONF without AUTH refuses every association.
const SYSCTLS: [&str; 4] = [
    "auth_enable",
    "addip_enable",
    "reconf_enable",
    "intl_enable",
];

fn set_sysctls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The files exist once the kernel has loaded SCTP.
        drop(Socket::one_to_many(Family::V4).unwrap());
        for name in SYSCTLS {
            write_sysctl(name, "1");
        }
    });
}

fn write_sysctl(name: &str, value: &str) {
    let path = format!("/proc/sys/net/sctp/{name}");
    if fs::read_to_string(&path).unwrap().trim() == value {
        return;
    }
    if let Err(error) = fs::write(&path, value) {
        panic!(
            "cannot set net.sctp.{name}: {error}; run these tests as root, or by .kernel/run with \
             SCTP_KERNEL=uml"
        );
    }
}

fn on_each_pair(set_up: impl Fn(&Socket), test: impl Fn(&Pair)) {
    set_sysctls();
    for style in STYLES {
        for family in FAMILIES {
            println!("{style:?} {family:?}");
            test(&pair_with(style, family, &set_up));
        }
    }
}

#[test]
fn sysctls_are_defaults() {
    set_sysctls();
    for style in [Style::OneToOne, Style::OneToMany] {
        for family in FAMILIES {
            let socket = style.socket(family);
            assert!(socket.auth_supported(AssocId::FUTURE).unwrap());
            assert!(socket.asconf_supported(AssocId::FUTURE).unwrap());
            assert!(socket.reconfig_supported(AssocId::FUTURE).unwrap());
            // This sysctl only permits the extension.
            assert!(!socket.interleaving_supported(AssocId::FUTURE).unwrap());
        }
    }
}

#[test]
fn extensions_are_negotiated_by_default() {
    on_each_pair(
        |_| {},
        |pair| {
            for end in [&pair.client, &pair.server] {
                assert!(end.socket.auth_supported(end.assoc).unwrap());
                assert!(end.socket.asconf_supported(end.assoc).unwrap());
                assert!(end.socket.reconfig_supported(end.assoc).unwrap());
                // ASCONF (0xc1) and ASCONF-ACK (0x80) must be authenticated.
                let mut chunks = end.socket.peer_auth_chunks(end.assoc).unwrap();
                chunks.sort_unstable();
                assert_eq!(chunks, [0x80, 0xc1]);
                let addr = end.socket.local_addrs(end.assoc).unwrap()[0];
                end.socket.set_peer_primary_addr(end.assoc, addr).unwrap();
            }
        },
    );
}

#[test]
fn option_overrides_sysctl() {
    on_each_pair(
        |socket| {
            socket.set_asconf_supported(false).unwrap();
            socket.set_auth_supported(false).unwrap();
            socket.set_reconfig_supported(false).unwrap();
        },
        |pair| {
            for end in [&pair.client, &pair.server] {
                assert!(!end.socket.auth_supported(end.assoc).unwrap());
                assert!(!end.socket.asconf_supported(end.assoc).unwrap());
                assert!(!end.socket.reconfig_supported(end.assoc).unwrap());
            }
        },
    );
}

#[test]
fn interleaving() {
    set_sysctls();
    for style in [Style::OneToOne, Style::OneToMany] {
        for family in FAMILIES {
            let socket = style.socket(family);
            let get = || socket.interleaving_supported(AssocId::FUTURE).unwrap();
            let error = socket.set_interleaving_supported(true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            socket.set_fragment_interleave(true).unwrap();
            for on in [true, false, true] {
                socket.set_interleaving_supported(on).unwrap();
                assert_eq!(get(), on);
            }
            socket.set_fragment_interleave(false).unwrap();
            assert!(!get(), "turned off with fragment interleaving");
        }
    }
}

#[test]
fn interleaving_is_negotiated() {
    let interleave = |socket: &Socket| {
        socket.set_fragment_interleave(true).unwrap();
        socket.set_interleaving_supported(true).unwrap();
    };
    on_each_pair(interleave, |pair| {
        for end in [&pair.client, &pair.server] {
            assert!(end.socket.interleaving_supported(end.assoc).unwrap());
        }
        let payload = vec![7; 50_000];
        let (client, server) = (&pair.client, &pair.server);
        client
            .socket
            .send_msg(
                client.assoc,
                &SendInfo::on_stream(1),
                &[IoSlice::new(&payload)],
            )
            .unwrap();
        let Received::Message(bytes, _) = recv(&server.socket) else {
            panic!("a message was sent");
        };
        assert_eq!(bytes, payload);
    });
}

/// COOKIE-ECHO is the only chunk that requires more than the option.
#[test]
fn cookie_is_authenticated_with_sysctl() {
    const COOKIE_ECHO: u8 = 10;
    on_each_pair(
        |socket| socket.add_auth_chunk(COOKIE_ECHO).unwrap(),
        |pair| {
            let chunks = pair.client.socket.peer_auth_chunks(pair.client.assoc);
            assert!(chunks.unwrap().contains(&COOKIE_ECHO));
        },
    );
}

#[test]
fn addresses_are_added_and_switched() {
    set_sysctls();
    let pair = pair(Style::OneToMany, Family::V4);
    let (client, server) = (&pair.client, &pair.server);
    let second = "127.0.0.2:0".parse().unwrap();
    let mut added: std::net::SocketAddr = second;
    let old = server.socket.local_addrs(server.assoc).unwrap()[0];
    added.set_port(old.port());
    client
        .socket
        .subscribe(client.assoc, EventSet::PEER_ADDR_CHANGE)
        .unwrap();
    server.socket.bindx_add(&[added]).unwrap();
    let mut peers = client.socket.peer_addrs(client.assoc).unwrap();
    while !peers.contains(&added) {
        recv(&client.socket);
        peers = client.socket.peer_addrs(client.assoc).unwrap();
    }
    assert_eq!(peers.len(), 2);
    client.socket.set_primary_addr(client.assoc, added).unwrap();
    assert_eq!(client.socket.primary_addr(client.assoc).unwrap(), added);
    server
        .socket
        .set_peer_primary_addr(server.assoc, old)
        .unwrap();
    while client.socket.primary_addr(client.assoc).unwrap() != old {
        recv(&client.socket);
    }
}
