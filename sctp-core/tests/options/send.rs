//! Defaults, sizes and bursts of sent messages.

use std::{
    fs::File,
    io::{IoSlice, Write as _},
    os::fd::AsFd as _,
    time::Duration,
};

use rustix::io::Errno;
use sctp_core::{AssocId, Family, Reliability, SendInfo, Socket, options::DefaultSendInfo};

use crate::{
    check::{
        Scope, UNKNOWN, assert_invalid, check_assoc_option, check_socket_option, on_each_end,
        on_each_fresh_socket,
    },
    support::{Received, STYLES, Style, pair, recv},
};

#[test]
fn default_send_info() {
    let values = [
        DefaultSendInfo::new()
            .with_stream(3)
            .with_ppid(46)
            .with_unordered(true)
            .with_context(9),
        DefaultSendInfo::new(),
    ];
    let set = |socket: &Socket, assoc, value: &_| socket.set_default_send_info(assoc, value);
    check_assoc_option(Scope::Wide, &values, set, Socket::default_send_info);
}

#[test]
fn default_send_info_applies_to_write() {
    // On a one-to-many socket the kernel does not know the destination.
    for style in [Style::OneToOne, Style::PeeledOff] {
        let pair = pair(style, Family::V6);
        let (client, server) = (&pair.client, &pair.server);
        server.socket.set_recv_rcvinfo(true).unwrap();
        let info = DefaultSendInfo::new()
            .with_stream(3)
            .with_ppid(46)
            .with_unordered(true);
        client
            .socket
            .set_default_send_info(client.assoc, &info)
            .unwrap();
        let fd = client.socket.as_fd().try_clone_to_owned().unwrap();
        assert_eq!(File::from(fd).write(b"x").unwrap(), 1);
        let Received::Message(_, meta) = recv(&server.socket) else {
            panic!("a message was sent");
        };
        let got = meta.info.unwrap();
        assert_eq!((got.stream.get(), got.ppid.get()), (3, 46));
        assert!(got.unordered);
    }
}

#[test]
fn default_reliability() {
    let values = [
        Reliability::Lifetime(Duration::from_millis(7)),
        Reliability::Retransmissions(2),
        Reliability::Priority(u32::MAX),
        Reliability::Reliable,
    ];
    let set = |socket: &Socket, assoc, value: &_| socket.set_default_reliability(assoc, *value);
    check_assoc_option(Scope::Wide, &values, set, Socket::default_reliability);
}

#[test]
fn default_send_info_resets_default_reliability() {
    on_each_fresh_socket(|socket, _| {
        let assoc = AssocId::FUTURE;
        let reliability = Reliability::Retransmissions(2);
        socket.set_default_reliability(assoc, reliability).unwrap();
        socket
            .set_default_send_info(assoc, &DefaultSendInfo::new())
            .unwrap();
        assert_eq!(
            socket.default_reliability(assoc).unwrap(),
            Reliability::Reliable
        );
    });
}

#[test]
fn context() {
    let set = |socket: &Socket, assoc, value: &_| socket.set_context(assoc, *value);
    check_assoc_option(Scope::Wide, &[7, u32::MAX, 0], set, Socket::context);
}

#[test]
fn context_accompanies_messages() {
    for style in STYLES {
        let pair = pair(style, Family::V4);
        let (client, server) = (pair.client, pair.server);
        server.socket.set_recv_rcvinfo(true).unwrap();
        server.socket.set_context(server.assoc, 77).unwrap();
        let info = SendInfo::default().with_context(5);
        client
            .socket
            .send_msg(client.assoc, &info, &[IoSlice::new(b"x")])
            .unwrap();
        let Received::Message(_, meta) = recv(&server.socket) else {
            panic!("a message was sent");
        };
        assert_eq!(meta.info.unwrap().context, 77);
    }
}

#[test]
fn maxseg() {
    on_each_fresh_socket(|socket, style| {
        let get = || socket.maxseg(AssocId::FUTURE).unwrap();
        let set = |bytes| socket.set_maxseg(AssocId::FUTURE, bytes);
        assert_eq!(get(), None);
        let is_v6 = socket.bind("[::1]:0".parse().unwrap()).is_ok();
        let least = if is_v6 { 444 } else { 464 };
        for bytes in [least, 1000, 65516] {
            set(Some(bytes)).unwrap();
            assert_eq!(get(), Some(bytes));
        }
        set(None).unwrap();
        assert_eq!(get(), None);
        for bytes in [0, 1, least - 1, 65517, u32::MAX] {
            assert_invalid(set(Some(bytes)));
        }
        if style == Style::OneToMany {
            for assoc in [UNKNOWN, AssocId::CURRENT, AssocId::ALL] {
                assert_invalid(socket.set_maxseg(assoc, Some(1000)));
                assert_invalid(socket.maxseg(assoc));
            }
        }
    });
}

#[test]
fn maxseg_of_association_is_effective_value() {
    on_each_end(|end, _| {
        let get = || end.socket.maxseg(end.assoc).unwrap().unwrap();
        let whole = get();
        assert!(whole > 1000, "{whole}");
        for (set, got) in [(Some(1000), 1000), (None, whole)] {
            end.socket.set_maxseg(end.assoc, set).unwrap();
            assert_eq!(get(), got);
            let status = end.socket.status(end.assoc).unwrap();
            assert_eq!(status.fragmentation_point, got);
        }
    });
}

#[test]
fn max_burst() {
    on_each_fresh_socket(|socket, _| assert_eq!(socket.max_burst(AssocId::FUTURE).unwrap(), 4));
    let set = |socket: &Socket, assoc, value: &_| socket.set_max_burst(assoc, *value);
    check_assoc_option(Scope::Wide, &[2, 0, 100], set, Socket::max_burst);
}

#[test]
fn disable_fragments() {
    check_socket_option(
        &[true, false],
        |socket, on| socket.set_disable_fragments(*on),
        Socket::disable_fragments,
    );
    on_each_end(|end, _| {
        end.socket.set_maxseg(end.assoc, Some(1000)).unwrap();
        end.socket.set_disable_fragments(true).unwrap();
        let send = |len| {
            let payload = vec![0; len];
            let payload = [IoSlice::new(&payload)];
            let info = SendInfo::default();
            end.socket.send_msg(end.assoc, &info, &payload)
        };
        send(1000).unwrap();
        let error = send(1001).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::MSGSIZE));
    });
}
