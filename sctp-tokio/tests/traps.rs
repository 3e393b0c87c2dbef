//! Unexpected behaviour of Linux's SCTP. Each test fails without our handling.
//!
//! | trap | tested in |
//! |---|---|
//! | writability says nothing about a connect | here |
//! | a full send buffer on a shared socket | `shared_buffer.rs` |
//! | a peeled-off association ends without an event | here |
//! | a pending error is given to whoever asks first | here |
//! | EPIPE comes with SIGPIPE; calls are interrupted | `signals.rs` |
//! | messages arrive before the peel-off | here, `setup.rs`, `endpoint.rs` |
//! | an association dies before it is accepted or peeled off | `early_end.rs`, `setup.rs` |
//! | no descriptors are left | `descriptor_limit.rs` |
//! | epoll takes no more sockets | `epoll_limit.rs` |
//! | a message is larger than the send buffer | here, `messages.rs` |
//! | a close with unread data aborts | here, `terminations.rs` |
//! | recvmmsg reports an error before the data | here, `terminations.rs` |
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sctp_tokio::{
    AbortReason, Association, ConnectError, End, Event, EventSet, Message, RecvError, SendError,
    Side, Socket, SocketBuilder, sctp_core::Family,
};
use support::{
    acknowledged, endpoint, endpoint_end, endpoint_message, eventually, listener, must, next, pair,
    pair_with, quick, until_end,
};

#[tokio::test]
async fn connecting_socket_is_writable_without_error() {
    let (listener, addr) = listener().await;
    drop(listener);
    // What the kernel does: writable at once, and no error when it has failed.
    let socket = Socket::one_to_many(Family::V4).unwrap();
    socket.connectx(&[addr]).unwrap();
    let now = Timespec::default();
    let mut fds = [PollFd::new(&socket, PollFlags::OUT)];
    assert_eq!(poll(&mut fds, Some(&now)).unwrap(), 1);
    assert!(fds[0].revents().contains(PollFlags::OUT));
    assert!(socket.take_error().unwrap().is_none());
    // What we make of it.
    let error = must(Association::connect(addr)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn end_is_reported_without_subscriptions() {
    for abort in [false, true] {
        let quiet = SocketBuilder::new().with_events(EventSet::empty());
        let (mut client, mut server) = pair_with(quiet.clone(), quiet).await;
        // The first is on a peeled-off socket, the second on a one-to-many socket of its own.
        let waiting = tokio::spawn(async move { until_end(&mut server).await });
        tokio::task::yield_now().await;
        if abort {
            client.abort(&AbortReason::from_static("x")).unwrap();
            assert_eq!(must(waiting).await.unwrap().1.reason().unwrap(), "x");
            assert!(!until_end(&mut client).await.1.is_orderly());
        } else {
            client.start_shutdown().unwrap();
            let by_peer = End::Shutdown { by: Side::Peer };
            assert_eq!(must(waiting).await.unwrap().1, by_peer);
            let by_us = End::Shutdown { by: Side::Local };
            assert_eq!(until_end(&mut client).await.1, by_us);
        }
    }
}

#[tokio::test]
async fn error_taken_by_a_send_does_not_hide_the_end() {
    let (client, mut server) = pair().await;
    client.send("before").await.unwrap();
    acknowledged(&client).await;
    client.abort(&AbortReason::from_static("bye")).unwrap();
    // The first takes ECONNRESET off the socket, the second gets EPIPE.
    for _ in 0..2 {
        let error = server.send("into the void").await.unwrap_err();
        assert!(
            matches!(error, SendError::Closed(End::Unread)),
            "{error}, {error:?}"
        );
    }
    let (messages, end) = until_end(&mut server).await;
    assert_eq!(messages, ["before"]);
    assert_eq!(end.reason().unwrap(), "bye");
}

#[tokio::test]
async fn error_taken_elsewhere_does_not_hide_the_end() {
    let (client, mut server) = pair().await;
    client.abort(&AbortReason::from_static("bye")).unwrap();
    let socket = server.socket().unwrap();
    assert!(socket.take_error().unwrap().is_some());
    assert!(socket.take_error().unwrap().is_none());
    assert_eq!(until_end(&mut server).await.1.reason().unwrap(), "bye");
}

#[tokio::test]
async fn early_error_does_not_overtake_data() {
    let (client, mut server) = pair().await;
    for at in 0..40u8 {
        client.send(vec![at; 100]).await.unwrap();
    }
    acknowledged(&client).await;
    client.abort(&AbortReason::from_static("bye")).unwrap();
    // A receive of several messages at once reports the pending error first.
    for at in 0..40u8 {
        let message = server.try_next_event().unwrap();
        assert!(
            matches!(&message, Event::Message(message) if message.payload[0] == at),
            "{at}: {message:?}"
        );
    }
    assert!(matches!(
        must(server.recv()).await,
        Err(RecvError::Closed(End::Aborted { by: Side::Peer, .. }))
    ));
}

#[tokio::test]
async fn end_wakes_both_halves() {
    let small = SocketBuilder::new().with_recv_buffer_size(4000);
    for peeled_off in [true, false] {
        let (client, server) = match peeled_off {
            true => pair_with(small.clone(), SocketBuilder::new()).await,
            false => pair_with(SocketBuilder::new(), small.clone()).await,
        };
        let (stuck, deaf) = match peeled_off {
            true => (server, client),
            false => (client, server),
        };
        while stuck.try_send(&Message::new(vec![0; 1000])).is_ok() {}
        let (sender, mut receiver) = stuck.split();
        let sending = tokio::spawn(async move { sender.send("more").await });
        let receiving = tokio::spawn(async move { receiver.recv().await });
        tokio::task::yield_now().await;
        deaf.abort(&AbortReason::from_static("enough")).unwrap();
        let sent = must(sending).await.unwrap();
        assert!(matches!(sent, Err(SendError::Closed(_))), "{sent:?}");
        let received = must(receiving).await.unwrap();
        assert!(
            matches!(&received, Err(RecvError::Closed(end)) if end.reason().unwrap() == "enough"),
            "{received:?}"
        );
    }
}

#[tokio::test]
async fn partial_message_moves_with_a_peel_off() {
    let small = SocketBuilder::new().with_recv_buffer_size(15_000);
    let mut endpoint = small
        .with_local_addrs([support::LOOPBACK.parse().unwrap()])
        .endpoint()
        .unwrap();
    let addr = endpoint.local_addrs().unwrap()[0];
    let client = quick().connect(&[addr]).await.unwrap();
    client.send("first").await.unwrap();
    let payload: Vec<u8> = (0..150_000u32).map(|at| at.to_le_bytes()[1]).collect();
    client.send(payload.clone()).await.unwrap();
    let (id, first) = endpoint_message(&mut endpoint).await;
    assert_eq!(first.payload, "first");
    // Some parts of the long message are in the kernel, some here, most not yet arrived.
    while endpoint.try_next_event().is_ok() {}
    let mut own = endpoint.peel_off(id).unwrap();
    let last = tokio::spawn(async move { client.send("last").await.map(|()| client) });
    assert!(next(&mut own).await.payload == payload);
    assert_eq!(next(&mut own).await.payload, "last");
    must(last).await.unwrap().unwrap();
}

#[tokio::test]
async fn association_peeled_off_early_can_send() {
    let (endpoint, addr) = endpoint().await;
    let mut client = Association::connect(addr).await.unwrap();
    let mut endpoint = endpoint;
    let id = endpoint.socket().assoc_ids().unwrap()[0];
    let own = endpoint.peel_off(id).unwrap();
    own.send("early").await.unwrap();
    assert_eq!(next(&mut client).await.payload, "early");
    assert_eq!(own.outbound_streams(), client.inbound_streams());
}

#[tokio::test]
async fn oversized_message_on_shared_buffer_is_refused_alone() {
    let (mut endpoint, addr) = endpoint().await;
    let mut client = Association::connect(addr).await.unwrap();
    client.send("hello").await.unwrap();
    let (id, _) = endpoint_message(&mut endpoint).await;
    let size = endpoint.socket().send_buffer_size().unwrap();
    let error = endpoint.send(id, vec![0; size + 1]).await.unwrap_err();
    assert!(
        matches!(error, SendError::TooLarge { len, limit } if (len, limit) == (size + 1, size)),
        "{error}"
    );
    let mut queue = [Message::new(vec![0; size + 1]), Message::new("behind it")].into();
    let error = endpoint
        .sender()
        .try_send_queue(id, &mut queue)
        .unwrap_err();
    assert!(matches!(error, SendError::TooLarge { .. }), "{error}");
    endpoint.sender().try_send_queue(id, &mut queue).unwrap();
    assert!(queue.is_empty());
    assert_eq!(next(&mut client).await.payload, "behind it");
}

#[tokio::test]
async fn dropped_endpoint_aborts_all_if_a_message_is_unread() {
    for unread in [false, true] {
        let (endpoint, addr) = endpoint().await;
        let mut quiet = Association::connect(addr).await.unwrap();
        let talker = Association::connect(addr).await.unwrap();
        if unread {
            talker.send("nobody reads this").await.unwrap();
            acknowledged(&talker).await;
        }
        // The coming up of both is unread; that alone is no reason to abort.
        eventually(|| endpoint.socket().assoc_count().unwrap() == 2).await;
        drop(endpoint);
        let (_, end) = until_end(&mut quiet).await;
        if unread {
            assert_eq!(end.reason().unwrap(), "");
        } else {
            assert_eq!(end, End::Shutdown { by: Side::Peer });
        }
    }
}

#[tokio::test]
async fn closed_association_cannot_be_peeled_off() {
    let (mut endpoint, addr) = endpoint().await;
    let client = Association::connect(addr).await.unwrap();
    client.send("last words").await.unwrap();
    acknowledged(&client).await;
    let id = endpoint.socket().assoc_ids().unwrap()[0];
    client.abort(&AbortReason::from_static("gone")).unwrap();
    let error = endpoint.peel_off(id).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let (from, message) = endpoint_message(&mut endpoint).await;
    assert_eq!((from, message.payload), (id, "last words".into()));
    let (ended, end) = endpoint_end(&mut endpoint).await;
    assert_eq!((ended, end.reason().unwrap()), (id, "gone".into()));
}
