//! Checks of the functional tests of lksctp-tools for options and control data,
//! as far as the option tests of `sctp-core` do not. `docs/lksctp.md` says which check is tested
//! where.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    time::Duration,
};

use sctp_tokio::{
    AbortReason, AssocId, Reliability, SendInfo, Socket,
    options::{DefaultSendInfo, DelayedSack, PathState, PeerAddrParams},
    sctp_core::Family,
};
use support::sync::*;

const DATA: u8 = 0;

/// A client, its association and its peer, all of one-to-many sockets.
fn pair_with(set_up: impl Fn(&Socket)) -> (Socket, AssocId, Socket, SocketAddr) {
    let (client, server) = (one_to_many(), one_to_many());
    set_up(&client);
    set_up(&server);
    let addr = listen(&server, 1);
    let id = client.connectx(&[addr]).unwrap().assoc;
    came_up(&client);
    came_up(&server);
    (client, id, server, addr)
}

/// The number of an association means nothing to other sockets, not even of the same process.
#[test]
fn association_of_another_socket_is_unknown() {
    let (client, id, server, addr) = pair_with(|_| {});
    let stranger = one_to_many();
    let info = DefaultSendInfo::new().with_stream(1);
    let params = PeerAddrParams::new();
    let refused: [(&str, io::Result<()>); 11] = [
        ("status", stranger.status(id).map(drop)),
        ("path", stranger.path_info(id, addr).map(drop)),
        ("peer's addresses", stranger.peer_addrs(id).map(drop)),
        ("own addresses", stranger.local_addrs(id).map(drop)),
        ("get default", stranger.default_send_info(id).map(drop)),
        ("set default", stranger.set_default_send_info(id, &info)),
        ("get path", stranger.peer_addr_params(id, None).map(drop)),
        ("set path", stranger.set_peer_addr_params(id, None, &params)),
        (
            "delayed ack",
            stranger.set_delayed_sack(id, &DelayedSack::off()),
        ),
        ("primary", stranger.set_primary_addr(id, addr)),
        ("peel-off", stranger.peel_off(id).map(drop)),
    ];
    for (what, result) in refused {
        let kind = result.expect_err(what).kind();
        assert_eq!(kind, io::ErrorKind::InvalidInput, "{what}");
    }
    let ends: [(&str, io::Result<()>); 3] = [
        ("send", send(&stranger, id, b"not from here")),
        ("shutdown", stranger.send_eof(id)),
        ("abort", stranger.send_abort(id, &AbortReason::default())),
    ];
    for (what, result) in ends {
        let kind = result.expect_err(what).kind();
        assert_eq!(kind, io::ErrorKind::BrokenPipe, "{what}");
    }
    send(&client, id, b"still up").unwrap();
    assert_eq!(recv(&server).0, b"still up");
}

#[test]
fn requested_control_data_arrives_with_a_message() {
    let (client, id, server, _) = pair_with(|_| {});
    for (info, next) in [(false, false), (true, false), (false, true), (true, true)] {
        // From the next message on: what is sent now is described as it is read.
        server.set_recv_rcvinfo(info).unwrap();
        server.set_recv_nxtinfo(next).unwrap();
        for stream in [3, 4] {
            let info = SendInfo::on_stream(stream);
            let payload = [IoSlice::new(b"hello")];
            client.send_msg(id, &info, &payload).unwrap();
        }
        let (_, first) = recv(&server);
        let (_, last) = recv(&server);
        let streams = [&first, &last].map(|meta| meta.info.as_ref().map(|info| info.stream.get()));
        assert_eq!(streams, [info.then_some(3), info.then_some(4)]);
        let behind = [&first, &last].map(|meta| meta.next.as_ref().map(|next| next.stream.get()));
        assert_eq!(behind, [next.then_some(4), None]);
    }
}

#[test]
fn message_has_stream_lifetime_and_key() {
    let (client, id, server, _) = pair_with(|socket| {
        socket.set_auth_supported(true).unwrap();
        socket.add_auth_chunk(DATA).unwrap();
        let future = AssocId::FUTURE;
        socket.set_auth_key(future, 7, b"shared").unwrap();
    });
    let plain = SendInfo::on_stream(3).with_ppid(46u32);
    let hour = Reliability::Lifetime(Duration::from_secs(3600));
    for info in [
        plain.clone().with_auth_key(7),
        plain.clone().with_reliability(hour),
        plain.with_reliability(hour).with_auth_key(7),
    ] {
        let payload = [IoSlice::new(b"all of it")];
        client.send_msg(id, &info, &payload).unwrap();
        let (bytes, meta) = recv(&server);
        assert_eq!(bytes, b"all of it");
        let info = meta.info.unwrap();
        assert_eq!((info.stream.get(), info.ppid.get()), (3, 46));
    }
    let unknown = SendInfo::default().with_auth_key(8);
    let error = client
        .send_msg(id, &unknown, &[IoSlice::new(b"x")])
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn buffers_have_the_requested_size() {
    for socket in [one_to_one(), one_to_many()] {
        let default = socket.send_buffer_size().unwrap();
        assert!(default > 20_000);
        socket.set_send_buffer_size(10_000).unwrap();
        socket.set_recv_buffer_size(12_000).unwrap();
        // The kernel doubles it, for what it needs itself.
        assert_eq!(socket.send_buffer_size().unwrap(), 20_000);
        assert_eq!(socket.recv_buffer_size().unwrap(), 24_000);
    }
}

#[test]
fn path_of_accepted_and_peeled_off_sockets() {
    let (client, server, _listener) = pair();
    let (many, id, _peer, addr) = pair_with(|_| {});
    assert_eq!(many.status(id).unwrap().primary.addr, Some(addr));
    let error = many.status(AssocId::FUTURE).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let peeled = many.peel_off(id).unwrap();
    let ends = [
        (
            &server,
            AssocId::FUTURE,
            server.peer_addrs(AssocId::FUTURE).unwrap()[0],
        ),
        (
            &client,
            AssocId::FUTURE,
            client.peer_addrs(AssocId::FUTURE).unwrap()[0],
        ),
        (&peeled, id, addr),
    ];
    for (socket, id, peer) in ends {
        let path = socket.path_info(id, peer).unwrap();
        assert_eq!((path.addr, path.state), (Some(peer), PathState::Active));
        assert_eq!(socket.status(id).unwrap().primary, path);
        let elsewhere = "192.0.2.1:9".parse().unwrap();
        let error = socket.path_info(id, elsewhere).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    let error = one_to_many().status(AssocId::FUTURE).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(
        Socket::one_to_one(Family::V4)
            .unwrap()
            .status(AssocId::FUTURE)
            .is_err()
    );
}
