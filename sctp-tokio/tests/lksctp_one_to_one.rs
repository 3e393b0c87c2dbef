//! Checks of the functional tests of lksctp-tools for one-to-one sockets, in our words and through
//! our types. `docs/lksctp.md` says which check is tested where.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    io,
    net::{Shutdown, SocketAddr},
};

use rustix::event::PollFlags;
use sctp_tokio::{
    AssocId, EventSet, Notification, SendInfo, Socket,
    options::InitMsg,
    sctp_core::{
        AssocChangeState, AuthIndication, Family,
        errno::{ECONNREFUSED, EINVAL, EISCONN, ENOTCONN, EPIPE},
    },
};
use support::{
    raw::{SCTP_ABORT, SCTP_EOF, send_raw},
    sync::*,
};

const ANY: AssocId = AssocId::FUTURE;

#[track_caller]
fn fails<T: std::fmt::Debug>(result: io::Result<T>, code: i32) {
    assert_eq!(result.unwrap_err().raw_os_error(), Some(code));
}

#[test]
fn binding_and_listening() {
    let socket = one_to_one();
    let foreign: SocketAddr = "192.0.2.1:0".parse().unwrap();
    assert_eq!(
        socket.bind(foreign).unwrap_err().kind(),
        io::ErrorKind::AddrNotAvailable
    );
    socket.bind(Family::V4.unspecified()).unwrap();
    fails(socket.bind(Family::V4.unspecified()), EINVAL);
    socket.listen(3).unwrap();
    let port = socket.local_addrs(ANY).unwrap()[0].port();
    assert_ne!(port, 0);
    let same = SocketAddr::new("0.0.0.0".parse().unwrap(), port);
    assert_eq!(
        one_to_one().bind(same).unwrap_err().kind(),
        io::ErrorKind::AddrInUse
    );
    // A port of the caller's choice, on every address.
    let [first, second] = [one_to_one(), one_to_one()];
    for sharing in [&first, &second] {
        sharing.set_sctp_reuse_port(true).unwrap();
    }
    first.bind(Family::V4.unspecified()).unwrap();
    let chosen = first.local_addrs(ANY).unwrap()[0];
    second.bind(chosen).unwrap();
    assert_eq!(second.local_addrs(ANY).unwrap(), [chosen]);
}

#[test]
fn accepting() {
    let (client, server, listener) = pair();
    fails(one_to_one().accept(), EINVAL);
    fails(server.accept(), EINVAL);
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    // One that has ended is accepted all the same.
    let early = one_to_one();
    connect(&early, listener.local_addrs(ANY).unwrap()[0]).unwrap();
    early.shutdown_write().unwrap();
    let ended = accept(&listener);
    assert!(recv(&ended).0.is_empty());
    drop(client);
}

#[test]
fn connecting() {
    let listener = one_to_one();
    listener.bind(support::LOOPBACK.parse().unwrap()).unwrap();
    let addr = listener.local_addrs(ANY).unwrap()[0];
    fails(connect(&one_to_one(), addr), ECONNREFUSED);
    listener.listen(1).unwrap();
    let (first, second, third) = (one_to_one(), one_to_one(), one_to_one());
    first.subscribe(ANY, EventSet::ASSOC_CHANGE).unwrap();
    connect(&first, addr).unwrap();
    connect(&second, addr).unwrap();
    fails(connect(&third, addr), ECONNREFUSED);
    fails(first.connectx(&[addr]), EISCONN);
    fails(listener.connectx(&[addr]), EISCONN);
    // A socket has one association in its life; after it another one connects.
    let server = accept(&listener);
    server.shutdown_write().unwrap();
    came_up(&first);
    assert_eq!(change(&first).0, AssocChangeState::ShutdownComplete);
    fails(connect(&first, addr), EISCONN);
    let _second = accept(&listener);
    let again = one_to_one();
    connect(&again, addr).unwrap();
    send(&again, ANY, b"again").unwrap();
    assert_eq!(recv(&accept(&listener)).0, b"again");
}

#[test]
fn init_timeout_of_zero_is_the_default() {
    let listener = one_to_one();
    let addr = listen(&listener, 1);
    let client = one_to_one();
    client.set_init_msg(&InitMsg::new()).unwrap();
    connect(&client, addr).unwrap();
}

#[test]
fn receiving() {
    let listener = one_to_one();
    listen(&listener, 1);
    fails(try_recv(&listener), ENOTCONN);
    let (client, server, _listener) = pair();
    assert_eq!(
        try_recv(&server).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    send(&client, ANY, b"one").unwrap();
    send(&client, ANY, b"two").unwrap();
    wait(&server, PollFlags::IN);
    // What is pending is received after this end's own shutdown, and then the end.
    server.shutdown_write().unwrap();
    assert_eq!(recv(&server).0, b"one");
    assert_eq!(recv(&server).0, b"two");
    assert!(recv(&client).0.is_empty());
    // A blocking call says ENOTCONN here; only a notification tells who does not block.
    assert_eq!(
        try_recv(&server).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
}

#[test]
fn sending() {
    let (client, server, listener) = pair();
    fails(send(&listener, ANY, b"x"), EPIPE);
    send(&client, ANY, b"to the server").unwrap();
    assert_eq!(recv(&server).0, b"to the server");
    send(&server, ANY, b"to the client").unwrap();
    assert_eq!(recv(&client).0, b"to the client");
    fails(send_raw(&client, ANY, SCTP_EOF, b""), EINVAL);
    fails(send_raw(&client, ANY, SCTP_ABORT, b"x"), EINVAL);
    fails(send_raw(&client, ANY, 0x400, b"x"), EINVAL);
    server.shutdown_write().unwrap();
    assert!(recv(&client).0.is_empty());
    fails(send(&client, ANY, b"late"), EPIPE);
    fails(send(&server, ANY, b"late"), EPIPE);
}

#[test]
fn send_by_address_connects() {
    let listener = one_to_one();
    let addr = listen(&listener, 1);
    let client = one_to_one();
    let payload = [io::IoSlice::new(b"first")];
    client
        .send_msg_to(addr, &SendInfo::default(), &payload)
        .unwrap();
    assert_eq!(recv(&accept(&listener)).0, b"first");
}

#[test]
fn shutting_down() {
    fails(one_to_one().shutdown_write(), ENOTCONN);
    let (client, server, _listener) = pair();
    client.shutdown_write().unwrap();
    assert!(recv(&server).0.is_empty());
    assert!(recv(&server).0.is_empty(), "and again");
}

/// This library never shuts a socket down for reading. A program that shares the socket can.
#[test]
fn socket_shut_down_for_reading_still_sends() {
    let (client, server, _listener) = pair();
    let shut = |socket: &Socket, how| socket2::SockRef::from(socket).shutdown(how).unwrap();
    shut(&server, Shutdown::Read);
    assert!(recv(&server).0.is_empty());
    send(&client, ANY, b"is dropped").unwrap();
    send(&server, ANY, b"still sends").unwrap();
    assert_eq!(recv(&client).0, b"still sends");
    assert!(recv(&server).0.is_empty());
    shut(&server, Shutdown::Both);
    assert!(recv(&client).0.is_empty());
    assert!(recv(&server).0.is_empty());
    fails(send(&server, ANY, b"x"), EPIPE);
}

#[test]
fn names_and_events() {
    let (client, listener) = (one_to_one(), one_to_one());
    for socket in [&client, &listener] {
        let events = EventSet::ASSOC_CHANGE | EventSet::SHUTDOWN | EventSet::AUTHENTICATION;
        socket.subscribe(ANY, events).unwrap();
    }
    assert_eq!(client.local_addrs(ANY).unwrap().len(), 0);
    fails(client.peer_addrs(ANY), EINVAL);
    let addr = listen(&listener, 1);
    connect(&client, addr).unwrap();
    let server = accept(&listener);
    for socket in [&client, &server] {
        came_up(socket);
        // Neither end authenticates, which the other hears next.
        let heard = notification(socket, |event| match event {
            Notification::Authentication(event) => Some(event.indication),
            _ => None,
        });
        assert_eq!(heard, AuthIndication::NoAuth);
    }
    // What is one's own is the other's peer, and nothing else.
    assert_eq!(client.peer_addrs(ANY).unwrap(), [addr]);
    assert_eq!(server.local_addrs(ANY).unwrap(), [addr]);
    let mut own = client.local_addrs(ANY).unwrap();
    let mut seen = server.peer_addrs(ANY).unwrap();
    own.sort();
    seen.sort();
    assert_eq!(own, seen);
    client.shutdown_write().unwrap();
    let closed = |event| matches!(event, Notification::Shutdown { .. }).then_some(());
    notification(&server, closed);
    for socket in [&server, &client] {
        assert_eq!(change(socket).0, AssocChangeState::ShutdownComplete);
    }
}

#[test]
fn threads_share_a_socket() {
    const EACH: usize = 50;
    let (client, server, _listener) = pair();
    let send_all = |socket: &Socket| {
        for _ in 0..EACH {
            wait(socket, PollFlags::OUT);
            while let Err(error) = send(socket, ANY, &[7; 500]) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                wait(socket, PollFlags::OUT);
            }
        }
    };
    let receive_all = |socket: &Socket| {
        for _ in 0..4 * EACH {
            assert_eq!(recv(socket).0, [7; 500]);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| send_all(&client));
            scope.spawn(|| send_all(&server));
        }
        scope.spawn(|| receive_all(&client));
        scope.spawn(|| receive_all(&server));
    });
}
