//! Authenticated chunks.

use std::{
    io::{self, ErrorKind, IoSlice},
    time::Duration,
};

use sctp_core::{
    AssocChangeState, AssocId, AuthIndication, EventSet, Family, Notification, SendInfo, Socket,
    options::{HmacId, InitMsg, RtoInfo},
};

use crate::{
    check::{
        UNKNOWN, assert_fails, assert_invalid, check_extension, on_each_end, on_each_fresh_socket,
    },
    support::{
        End, FAMILIES, Pair, Received, STYLES, Style, listen, pair_with, recv, wait_change,
        wait_notification,
    },
};

const DATA: u8 = 0;
const COOKIE_ECHO: u8 = 10;

fn authenticating(style: Style, family: Family) -> Pair {
    pair_with(style, family, |socket| {
        socket.set_auth_supported(true).unwrap();
        socket.add_auth_chunk(DATA).unwrap();
        socket.set_auth_key(AssocId::FUTURE, 1, b"one").unwrap();
        let events = EventSet::AUTHENTICATION;
        socket.subscribe(AssocId::FUTURE, events).unwrap();
    })
}

/// Runs a test on associations that authenticate their messages.
fn on_each_pair(test: impl Fn(&End, &End, Style)) {
    for style in STYLES {
        for family in FAMILIES {
            println!("{style:?} {family:?}");
            let pair = authenticating(style, family);
            test(&pair.client, &pair.server, style);
        }
    }
}

/// Sends a message with a key, and waits for it.
fn send(from: &End, to: &End, key: Option<u16>) -> io::Result<()> {
    let mut info = SendInfo::default();
    info.auth_key = key;
    let payload = [IoSlice::new(b"secret?")];
    from.socket.send_msg(from.assoc, &info, &payload)?;
    loop {
        if let Received::Message(bytes, _) = recv(&to.socket) {
            assert_eq!(bytes, b"secret?");
            return Ok(());
        }
    }
}

#[test]
fn auth_supported() {
    on_each_fresh_socket(|socket, _| assert!(!socket.auth_supported(AssocId::FUTURE).unwrap()));
    check_extension(Socket::set_auth_supported, Socket::auth_supported);
}

#[test]
fn auth_options_require_auth_supported() {
    let refused = |socket: &Socket, assoc| {
        assert_fails(
            ErrorKind::PermissionDenied,
            socket.set_auth_key(assoc, 1, b"x"),
        );
        assert_fails(
            ErrorKind::PermissionDenied,
            socket.set_active_auth_key(assoc, 0),
        );
        assert_fails(ErrorKind::PermissionDenied, socket.active_auth_key(assoc));
        assert_fails(
            ErrorKind::PermissionDenied,
            socket.deactivate_auth_key(assoc, 1),
        );
        assert_fails(
            ErrorKind::PermissionDenied,
            socket.delete_auth_key(assoc, 1),
        );
        assert_fails(ErrorKind::PermissionDenied, socket.local_auth_chunks(assoc));
    };
    on_each_fresh_socket(|socket, _| {
        refused(socket, AssocId::FUTURE);
        assert_fails(ErrorKind::PermissionDenied, socket.add_auth_chunk(DATA));
        assert_fails(ErrorKind::PermissionDenied, socket.hmac_ident());
        assert_fails(
            ErrorKind::PermissionDenied,
            socket.set_hmac_ident(&[HmacId::Sha1]),
        );
        assert_invalid(socket.peer_auth_chunks(AssocId::FUTURE));
    });
    on_each_end(|end, _| {
        refused(&end.socket, end.assoc);
        assert_fails(
            ErrorKind::PermissionDenied,
            end.socket.peer_auth_chunks(end.assoc),
        );
    });
}

#[test]
fn hmac_ident() {
    on_each_fresh_socket(|socket, _| {
        socket.set_auth_supported(true).unwrap();
        assert_eq!(socket.hmac_ident().unwrap(), [HmacId::Sha1]);
        for algorithms in [
            &[HmacId::Sha256, HmacId::Sha1][..],
            &[HmacId::Sha1, HmacId::Sha256],
            &[HmacId::Sha1],
        ] {
            socket.set_hmac_ident(algorithms).unwrap();
            assert_eq!(socket.hmac_ident().unwrap(), algorithms);
        }
        assert_invalid(socket.set_hmac_ident(&[]));
        assert_invalid(socket.set_hmac_ident(&[HmacId::Sha256]));
        assert_invalid(socket.set_hmac_ident(&[HmacId::Sha1; 5]));
        for unknown in [2, 99] {
            let algorithms = [HmacId::Sha1, HmacId::Other(unknown)];
            assert_fails(ErrorKind::Unsupported, socket.set_hmac_ident(&algorithms));
        }
    });
}

#[test]
fn chunks() {
    on_each_fresh_socket(|socket, style| {
        socket.set_auth_supported(true).unwrap();
        let get = || socket.local_auth_chunks(AssocId::FUTURE).unwrap();
        assert_eq!(get(), []);
        for chunk in [DATA, 3, DATA] {
            socket.add_auth_chunk(chunk).unwrap();
        }
        assert_eq!(get(), [DATA, 3]);
        for chunk in [1, 2, 14, 15] {
            assert_invalid(socket.add_auth_chunk(chunk));
        }
        let too_many = (0..=255)
            .any(|chunk| ![1, 2, 14, 15].contains(&chunk) && socket.add_auth_chunk(chunk).is_err());
        assert!(too_many, "kernel stores fewer types");
        if style == Style::OneToMany {
            assert_invalid(socket.local_auth_chunks(UNKNOWN));
            assert_invalid(socket.peer_auth_chunks(UNKNOWN));
        }
    });
    on_each_pair(|client, server, _| {
        for end in [client, server] {
            assert_eq!(end.socket.local_auth_chunks(end.assoc).unwrap(), [DATA]);
            assert_eq!(end.socket.peer_auth_chunks(end.assoc).unwrap(), [DATA]);
        }
    });
}

#[test]
fn socket_keys_are_inherited() {
    on_each_pair(|client, server, _| {
        assert_eq!(client.socket.active_auth_key(client.assoc).unwrap(), 0);
        for end in [client, server] {
            end.socket.set_active_auth_key(end.assoc, 1).unwrap();
            assert_eq!(end.socket.active_auth_key(end.assoc).unwrap(), 1);
        }
        send(client, server, None).unwrap();
        send(server, client, Some(0)).unwrap();
    });
}

#[test]
fn keys_can_be_rotated() {
    on_each_pair(|client, server, _| {
        for end in [client, server] {
            end.socket.set_auth_key(end.assoc, 2, b"").unwrap();
            end.socket.set_auth_key(end.assoc, 2, b"two").unwrap();
        }
        send(client, server, Some(2)).unwrap();
        let (socket, assoc) = (&client.socket, client.assoc);
        socket.set_active_auth_key(assoc, 2).unwrap();
        assert_eq!(socket.active_auth_key(assoc).unwrap(), 2);
        send(client, server, None).unwrap();
        // The active key can neither be deleted nor deactivated.
        assert_invalid(socket.delete_auth_key(assoc, 2));
        assert_invalid(socket.deactivate_auth_key(assoc, 2));
        socket.deactivate_auth_key(assoc, 1).unwrap();
        let freed = wait_notification(socket, |notification| match notification {
            Notification::Authentication(event) if event.indication == AuthIndication::FreeKey => {
                Some(event.key)
            }
            _ => None,
        });
        assert_eq!(freed, 1);
        assert_invalid(socket.set_active_auth_key(assoc, 1));
        assert_invalid(send(client, server, Some(1)));
        socket.delete_auth_key(assoc, 1).unwrap();
        assert_invalid(socket.delete_auth_key(assoc, 1));
        assert_invalid(socket.deactivate_auth_key(assoc, 1));
        assert_invalid(socket.set_active_auth_key(assoc, 7));
        send(client, server, None).unwrap();
    });
}

#[test]
fn keys_apply_to_scope() {
    let pair = authenticating(Style::OneToMany, Family::V4);
    let (socket, assoc) = (&pair.client.socket, pair.client.assoc);
    let actives = || [AssocId::FUTURE, assoc].map(|id| socket.active_auth_key(id).unwrap());
    socket.set_auth_key(AssocId::ALL, 5, b"five").unwrap();
    socket.set_active_auth_key(AssocId::ALL, 5).unwrap();
    assert_eq!(actives(), [5, 5]);
    socket.set_active_auth_key(AssocId::CURRENT, 1).unwrap();
    assert_eq!(actives(), [5, 1]);
    for id in [UNKNOWN, AssocId::CURRENT, AssocId::ALL] {
        assert_invalid(socket.active_auth_key(id));
    }
    assert_invalid(socket.set_auth_key(UNKNOWN, 1, b"x"));
    assert_invalid(socket.set_active_auth_key(UNKNOWN, 1));
    assert_invalid(socket.delete_auth_key(UNKNOWN, 5));
    assert_invalid(socket.deactivate_auth_key(UNKNOWN, 5));
}

#[test]
fn accepted_socket_does_not_offer_auth() {
    for style in [Style::OneToOne, Style::PeeledOff] {
        let pair = authenticating(style, Family::V4);
        let server = &pair.server;
        assert!(server.socket.auth_supported(server.assoc).unwrap());
        let error = server.socket.add_auth_chunk(3);
        assert_fails(ErrorKind::PermissionDenied, error);
    }
}

/// The other case, with the sysctl, is in another test binary.
#[test]
fn authenticated_cookie_requires_sysctl() {
    let [listener, client] = [(); 2].map(|()| {
        let socket = Socket::one_to_many(Family::V4).unwrap();
        socket.set_auth_supported(true).unwrap();
        socket.add_auth_chunk(COOKIE_ECHO).unwrap();
        let events = EventSet::ASSOC_CHANGE;
        socket.subscribe(AssocId::FUTURE, events).unwrap();
        // The kernel stops retrying early.
        let soon = Duration::from_millis(20);
        let rto = RtoInfo::new()
            .with_initial(soon)
            .with_min(soon)
            .with_max(soon);
        socket.set_rto_info(AssocId::FUTURE, &rto).unwrap();
        let init = InitMsg::new().with_max_attempts(1);
        socket.set_init_msg(&init).unwrap();
        socket
    });
    let addr = listen(&listener, Family::V4);
    client.connectx(&[addr]).unwrap();
    assert_eq!(wait_change(&client).0, AssocChangeState::CantStart);
}
