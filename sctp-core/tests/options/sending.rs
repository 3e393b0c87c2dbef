//! Sending: defaults, sizes, partial reliability.

use std::{
    fs::File,
    io::{IoSlice, Write as _},
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use rustix::io::Errno;
use sctp_core::{
    AssocId, Family, Reliability, SendInfo, Socket, StreamId,
    options::{DefaultSendInfo, DelayedSack, PrPolicy, PrStatus, RtoInfo},
};

use crate::{
    check::{
        Scope, UNKNOWN, invalid, of_assoc, of_offer, of_socket, on_each_end, on_each_fresh_socket,
    },
    support::{BOUND, Pair, Received, STYLES, Style, pair, pair_with, recv},
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
    of_assoc(Scope::Wide, &values, set, Socket::default_send_info);
}

#[test]
fn default_send_info_is_that_of_a_plain_write() {
    // On a one-to-many socket the kernel does not know where to.
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
    of_assoc(Scope::Wide, &values, set, Socket::default_reliability);
}

#[test]
fn default_send_info_takes_the_default_reliability_back() {
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
    of_assoc(Scope::Wide, &[7, u32::MAX, 0], set, Socket::context);
}

#[test]
fn context_comes_with_each_message() {
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
            invalid(set(Some(bytes)));
        }
        if style == Style::OneToMany {
            for assoc in [UNKNOWN, AssocId::CURRENT, AssocId::ALL] {
                invalid(socket.set_maxseg(assoc, Some(1000)));
                invalid(socket.maxseg(assoc));
            }
        }
    });
}

#[test]
fn maxseg_of_an_association_is_what_holds_now() {
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
    of_assoc(Scope::Wide, &[2, 0, 100], set, Socket::max_burst);
}

#[test]
fn disable_fragments() {
    of_socket(
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

#[test]
fn pr_supported() {
    on_each_fresh_socket(|socket, _| assert!(socket.pr_supported(AssocId::FUTURE).unwrap()));
    of_offer(Socket::set_pr_supported, Socket::pr_supported);
}

#[test]
fn pr_status_counts_what_was_given_up() {
    for style in STYLES {
        let pair = pair_with(style, Family::V4, small_window);
        let end = &pair.client;
        let (all, stream) = (PrPolicy::All, StreamId::new(1));
        let status = |policy| end.socket.pr_assoc_status(end.assoc, policy).unwrap();
        assert_eq!(status(all), PrStatus::default());
        let lifetime = Reliability::Lifetime(Duration::from_millis(1));
        let victim = SendInfo::on_stream(stream).with_reliability(lifetime);
        send_until_given_up(&pair, &victim);
        assert_eq!(status(all).abandoned_unsent, 1);
        assert_eq!(status(PrPolicy::Lifetime), status(all));
        assert_eq!(status(PrPolicy::Priority), PrStatus::default());
        let of_stream = |stream| end.socket.pr_stream_status(end.assoc, stream, all);
        assert_eq!(of_stream(stream).unwrap(), status(all));
        assert_eq!(of_stream(StreamId::new(2)).unwrap(), PrStatus::default());
        invalid(of_stream(StreamId::new(u16::MAX)));
        if style == Style::OneToMany {
            invalid(end.socket.pr_assoc_status(UNKNOWN, all));
            invalid(end.socket.pr_assoc_status(AssocId::FUTURE, all));
        }
    }
}

#[test]
fn the_default_reliability_of_a_reliable_message_is_a_lifetime() {
    let pair = pair_with(Style::OneToMany, Family::V4, small_window);
    let end = &pair.client;
    // One retransmission, says the default; one millisecond, makes the kernel of it.
    let default = Reliability::Retransmissions(1);
    end.socket
        .set_default_reliability(end.assoc, default)
        .unwrap();
    let victim = SendInfo::on_stream(1);
    assert_eq!(victim.reliability, Reliability::Reliable);
    send_until_given_up(&pair, &victim);
}

/// Has room for a few messages only, and says so soon.
fn small_window(socket: &Socket) {
    let (soon, assoc) = (Duration::from_millis(50), AssocId::FUTURE);
    let rto = RtoInfo::new().with_initial(soon).with_min(soon);
    socket.set_rto_info(assoc, &rto).unwrap();
    socket.set_delayed_sack(assoc, &DelayedSack::off()).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
}

/// Sends a message behind others for which the peer has no room, and lets the peer read, until the
/// message has aged enough meanwhile not to be sent at all.
fn send_until_given_up(pair: &Pair, victim: &SendInfo) {
    let (client, server) = (&pair.client, &pair.server);
    let hour = Reliability::Lifetime(Duration::from_secs(3600));
    let long = SendInfo::on_stream(0).with_reliability(hour);
    let send = |info, payload: &[u8]| {
        let payload = [IoSlice::new(payload)];
        client
            .socket
            .send_msg(client.assoc, info, &payload)
            .unwrap();
    };
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < BOUND, "no message was given up");
        for _ in 0..20 {
            send(&long, &[0; 1000]);
        }
        send(victim, b"victim");
        send(&long, b"end");
        let mut arrived = false;
        loop {
            match recv(&server.socket) {
                Received::Message(bytes, _) if bytes == b"end" => break,
                Received::Message(bytes, _) => arrived |= bytes == b"victim",
                Received::Notification(_) => {}
            }
        }
        if !arrived {
            return;
        }
    }
}
