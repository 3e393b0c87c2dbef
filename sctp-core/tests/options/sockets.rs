//! What belongs to the socket as a whole, and what can only be asked.

use std::{
    io::{ErrorKind, IoSlice},
    net::SocketAddr,
    time::Duration,
};

use rustix::io::Errno;
use sctp_core::{AssocId, EventSet, Family, Notification, SendInfo, Socket, options::RtoInfo};

use crate::{
    check::{
        UNKNOWN, fails, invalid, of_assoc, of_offer, of_socket, on_each_end, on_each_fresh_socket,
    },
    support::{
        STYLES, Style, listen, loopback, pair, pair_with, recv, wait_notification, wait_readable,
        wait_until_up,
    },
};

#[test]
fn flags() {
    type Flag = (
        fn(&Socket, bool) -> std::io::Result<()>,
        fn(&Socket) -> std::io::Result<bool>,
        bool,
    );
    let flags: [Flag; 5] = [
        (Socket::set_nodelay, Socket::nodelay, false),
        (
            Socket::set_fragment_interleave,
            Socket::fragment_interleave,
            false,
        ),
        (Socket::set_recv_rcvinfo, Socket::recv_rcvinfo, false),
        (Socket::set_recv_nxtinfo, Socket::recv_nxtinfo, false),
        (Socket::set_mapped_v4, Socket::mapped_v4, true),
    ];
    for (set, get, default) in flags {
        on_each_fresh_socket(|socket, _| assert_eq!(get(socket).unwrap(), default));
        of_socket(&[true, false], |socket, on| set(socket, *on), get);
    }
}

#[test]
fn events() {
    let values = [
        EventSet::ALL,
        EventSet::ASSOC_CHANGE,
        EventSet::ASSOC_CHANGE | EventSet::SHUTDOWN,
    ];
    let set = |socket: &Socket, assoc, value: &_| socket.set_events(assoc, *value);
    of_assoc(crate::check::Scope::Wide, &values, set, Socket::events);
}

#[test]
fn events_of_all_associations_with_one_call() {
    let each = EventSet::ALL - EventSet::SENDER_DRY;
    let values = [
        EventSet::NONE,
        each,
        EventSet::ASSOC_CHANGE,
        EventSet::SEND_FAILED,
        EventSet::SEND_FAILED_DEPRECATED,
    ];
    let set = |socket: &Socket, value: &EventSet| socket.set_all_events(*value);
    of_socket(&values, set, |socket| socket.events(AssocId::FUTURE));
    for style in STYLES {
        let pair = pair_with(style, Family::V4, |socket| {
            socket.set_all_events(each).unwrap();
        });
        for end in [&pair.client, &pair.server] {
            assert_eq!(end.socket.events(end.assoc).unwrap(), each);
            end.socket.set_all_events(EventSet::SHUTDOWN).unwrap();
            assert_eq!(end.socket.events(end.assoc).unwrap(), EventSet::SHUTDOWN);
        }
    }
}

#[test]
fn what_is_queued_takes_room_from_the_receive_buffer() {
    on_each_fresh_socket(|socket, _| {
        let size = socket.recv_buffer_size().unwrap();
        assert_eq!(socket.recv_buffer_free().unwrap(), size);
    });
    for style in STYLES {
        let pair = pair(style, Family::V4);
        let (client, server) = (&pair.client, &pair.server);
        let empty = server.socket.recv_buffer_free().unwrap();
        let info = SendInfo::default();
        let payload = [IoSlice::new(&[0; 1000])];
        client
            .socket
            .send_msg(client.assoc, &info, &payload)
            .unwrap();
        wait_readable(&server.socket);
        let room = server.socket.recv_buffer_free().unwrap();
        assert!(room + 1000 <= empty, "{room} of {empty} bytes");
        recv(&server.socket);
        assert_eq!(server.socket.recv_buffer_free().unwrap(), empty);
    }
}

#[test]
fn adaptation_layer() {
    on_each_fresh_socket(|socket, _| assert_eq!(socket.adaptation_layer().unwrap(), 0));
    of_socket(
        &[1, u32::MAX],
        |socket, value| socket.set_adaptation_layer(*value),
        Socket::adaptation_layer,
    );
}

#[test]
fn the_peer_sees_the_adaptation_layer() {
    for style in STYLES {
        let pair = pair_with(style, Family::V4, |socket| {
            socket.set_adaptation_layer(0x0102_0304).unwrap();
            socket
                .subscribe(AssocId::FUTURE, EventSet::ADAPTATION)
                .unwrap();
        });
        for end in [&pair.client, &pair.server] {
            let indication = wait_notification(&end.socket, |notification| match notification {
                Notification::Adaptation(event) => Some(event.indication),
                _ => None,
            });
            assert_eq!(indication, 0x0102_0304);
        }
    }
}

#[test]
fn partial_delivery_point() {
    on_each_fresh_socket(|socket, _| {
        assert_eq!(socket.partial_delivery_point().unwrap(), 0);
        let most = u32::try_from(socket.recv_buffer_size().unwrap() / 2).unwrap();
        socket.set_partial_delivery_point(most).unwrap();
        invalid(socket.set_partial_delivery_point(most + 1));
        assert_eq!(socket.partial_delivery_point().unwrap(), most);
    });
    of_socket(
        &[4096, 0],
        |socket, bytes| socket.set_partial_delivery_point(*bytes),
        Socket::partial_delivery_point,
    );
}

#[test]
fn mapped_addresses() {
    for (mapped, expected) in [(true, "[::ffff:127.0.0.1]:0"), (false, "127.0.0.1:0")] {
        let listener = Socket::one_to_many(Family::V4).unwrap();
        let addr = listen(&listener, Family::V4);
        let client = Socket::one_to_many(Family::V6).unwrap();
        client.set_mapped_v4(mapped).unwrap();
        client
            .subscribe(AssocId::FUTURE, EventSet::ASSOC_CHANGE)
            .unwrap();
        client.connectx(&[addr]).unwrap();
        let assoc = wait_until_up(&client);
        let mut expected: SocketAddr = expected.parse().unwrap();
        expected.set_port(addr.port());
        assert_eq!(client.primary_addr(assoc).unwrap(), expected);
        let info = client.path_info(assoc, expected).unwrap();
        assert_eq!(info.addr, Some(expected));
    }
}

#[test]
fn sctp_reuse_port() {
    on_each_fresh_socket(|socket, style| match style {
        Style::OneToOne => {
            for on in [true, false] {
                socket.set_sctp_reuse_port(on).unwrap();
                assert_eq!(socket.sctp_reuse_port().unwrap(), on);
            }
        }
        Style::OneToMany | Style::PeeledOff => {
            fails(ErrorKind::Unsupported, socket.set_sctp_reuse_port(true));
            assert!(!socket.sctp_reuse_port().unwrap());
        }
    });
    on_each_end(|end, style| {
        let error = end.socket.set_sctp_reuse_port(true).unwrap_err();
        match style {
            Style::OneToOne => assert_eq!(Errno::from_io_error(&error), Some(Errno::FAULT)),
            Style::OneToMany | Style::PeeledOff => assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
    });
}

#[test]
fn sctp_reuse_port_shares_a_port_but_not_listening() {
    let [first, second] = [(); 2].map(|()| {
        let socket = Socket::one_to_one(Family::V4).unwrap();
        socket.set_sctp_reuse_port(true).unwrap();
        socket
    });
    first.bind(loopback(Family::V4)).unwrap();
    let addr = first.local_addrs(AssocId::FUTURE).unwrap()[0];
    second.bind(addr).unwrap();
    first.listen(1).unwrap();
    fails(ErrorKind::AddrInUse, second.listen(1));
}

#[test]
fn ecn_supported() {
    on_each_fresh_socket(|socket, _| assert!(socket.ecn_supported(AssocId::FUTURE).unwrap()));
    of_offer(Socket::set_ecn_supported, Socket::ecn_supported);
}

#[test]
fn associations() {
    on_each_end(|end, style| match style {
        Style::OneToOne => {
            fails(ErrorKind::Unsupported, end.socket.assoc_count());
            fails(ErrorKind::Unsupported, end.socket.assoc_ids());
        }
        Style::OneToMany | Style::PeeledOff => {
            assert_eq!(end.socket.assoc_count().unwrap(), 1);
            assert_eq!(end.socket.assoc_ids().unwrap(), [end.assoc]);
        }
    });
}

#[test]
fn many_associations() {
    let listener = Socket::one_to_many(Family::V6).unwrap();
    let addr = listen(&listener, Family::V6);
    listener
        .subscribe(AssocId::FUTURE, EventSet::ASSOC_CHANGE)
        .unwrap();
    assert_eq!(listener.assoc_ids().unwrap(), []);
    let clients: Vec<_> = (0..20)
        .map(|_| Socket::one_to_many(Family::V6).unwrap())
        .collect();
    let mut ids = Vec::new();
    for client in &clients {
        client.connectx(&[addr]).unwrap();
        ids.push(wait_until_up(&listener));
    }
    let mut listed = listener.assoc_ids().unwrap();
    listed.sort();
    ids.sort();
    assert_eq!(listed, ids);
    assert_eq!(listener.assoc_count().unwrap(), 20);
}

#[test]
fn assoc_stats() {
    for style in STYLES {
        let pair = pair(style, Family::V4);
        let (client, server) = (pair.client, pair.server);
        for unordered in [true, false, false] {
            let info = SendInfo::default().with_unordered(unordered);
            client
                .socket
                .send_msg(client.assoc, &info, &[IoSlice::new(b"x")])
                .unwrap();
            recv(&server.socket);
        }
        let sent = client.socket.assoc_stats(client.assoc).unwrap();
        assert_eq!(sent.assoc, client.assoc);
        let chunks = (sent.unordered_chunks_sent, sent.ordered_chunks_sent);
        assert_eq!(chunks, (1, 2), "{sent:?}");
        let got = server.socket.assoc_stats(server.assoc).unwrap();
        let chunks = (got.unordered_chunks_received, got.ordered_chunks_received);
        assert_eq!(chunks, (1, 2), "{got:?}");
        if style == Style::OneToMany {
            invalid(client.socket.assoc_stats(UNKNOWN));
            invalid(client.socket.assoc_stats(AssocId::FUTURE));
        }
    }
    on_each_fresh_socket(|socket, _| invalid(socket.assoc_stats(AssocId::FUTURE)));
}

#[test]
fn the_longest_timeout_is_in_ticks_and_begins_again_with_each_call() {
    on_each_end(|end, _| {
        let min = RtoInfo::new().with_min(Duration::from_secs(2));
        end.socket.set_rto_info(end.assoc, &min).unwrap();
        end.socket.assoc_stats(end.assoc).unwrap();
        let ticks = end.socket.assoc_stats(end.assoc).unwrap().max_rto_ticks;
        assert!([200, 500, 600, 2000].contains(&ticks), "CONFIG_HZ: {ticks}");
    });
}
