//! Options of a whole socket.

use std::{
    io::{ErrorKind, IoSlice},
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use rustix::io::{Errno, ioctl_fionbio};
use sctp_core::{AssocId, EventSet, Family, Notification, RecvBatch, SendInfo, Socket, SocketRef};

use crate::{
    check::{
        assert_fails, assert_invalid, check_extension, check_socket_option, on_each_end,
        on_each_fresh_socket,
    },
    support::{
        STYLES, Style, listen, loopback, pair, pair_with, recv, wait_notification, wait_readable,
        wait_until_established,
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
        check_socket_option(&[true, false], |socket, on| set(socket, *on), get);
    }
}

#[test]
fn queued_messages_reduce_recv_buffer_free() {
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
    check_socket_option(
        &[1, u32::MAX],
        |socket, value| socket.set_adaptation_layer(*value),
        Socket::adaptation_layer,
    );
}

#[test]
fn adaptation_layer_reaches_peer() {
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
        assert_invalid(socket.set_partial_delivery_point(most + 1));
        assert_eq!(socket.partial_delivery_point().unwrap(), most);
    });
    check_socket_option(
        &[4096, 0],
        |socket, bytes| socket.set_partial_delivery_point(*bytes),
        Socket::partial_delivery_point,
    );
}

#[test]
fn mapped_v4_addresses() {
    for (mapped, expected) in [(true, "[::ffff:127.0.0.1]:0"), (false, "127.0.0.1:0")] {
        let listener = Socket::one_to_many(Family::V4).unwrap();
        let addr = listen(&listener, Family::V4);
        let client = Socket::one_to_many(Family::V6).unwrap();
        client.set_mapped_v4(mapped).unwrap();
        client
            .subscribe(AssocId::FUTURE, EventSet::ASSOC_CHANGE)
            .unwrap();
        client.connectx(&[addr]).unwrap();
        let assoc = wait_until_established(&client);
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
            assert_fails(ErrorKind::Unsupported, socket.set_sctp_reuse_port(true));
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
fn sctp_reuse_port_allows_one_listener() {
    let [first, second] = [(); 2].map(|()| {
        let socket = Socket::one_to_one(Family::V4).unwrap();
        socket.set_sctp_reuse_port(true).unwrap();
        socket
    });
    first.bind(loopback(Family::V4)).unwrap();
    let addr = first.local_addrs(AssocId::FUTURE).unwrap()[0];
    second.bind(addr).unwrap();
    first.listen(1).unwrap();
    assert_fails(ErrorKind::AddrInUse, second.listen(1));
}

#[test]
fn ecn_supported() {
    on_each_fresh_socket(|socket, _| assert!(socket.ecn_supported(AssocId::FUTURE).unwrap()));
    check_extension(Socket::set_ecn_supported, Socket::ecn_supported);
}

#[test]
fn socket_ref_leaves_descriptor_open() {
    let fd = OwnedFd::from(Socket::one_to_many(Family::V4).unwrap());
    {
        let lent = SocketRef::from_fd(&fd).unwrap();
        assert_eq!(lent.as_fd().as_raw_fd(), fd.as_raw_fd());
        lent.set_nodelay(true).unwrap();
    }
    let socket = Socket::from_fd(fd).unwrap();
    assert!(socket.nodelay().unwrap());
    let again = SocketRef::from_fd(&socket).unwrap();
    assert_eq!(format!("{again:?}"), format!("{socket:?}"));
}

#[test]
fn socket_ref_of_blocking_descriptor_never_waits() {
    on_each_end(|end, _| {
        ioctl_fionbio(&end.socket, false).unwrap();
        let lent = SocketRef::from_fd(&end.socket).unwrap();
        assert_fails(ErrorKind::WouldBlock, lent.recv_msg(&mut Vec::new()));
        assert_fails(
            ErrorKind::WouldBlock,
            lent.recv_batch(&mut RecvBatch::new()),
        );
        let payload = [IoSlice::new(&[0; 10_000])];
        let full = loop {
            if let Err(error) = lent.send_msg(end.assoc, &SendInfo::default(), &payload) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn socket_ref_of_other_protocol_is_refused() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = SocketRef::from_fd(&udp).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    udp.local_addr().unwrap();
}
