//! One-to-one sockets, and where they differ.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{future::poll_fn, io, net::SocketAddr, task::Poll};

use futures::StreamExt;
use sctp_tokio::{
    AbortReason, Association, ConnectError, End, Message, Notification, OneToOneListener,
    RecvError, SendError, Side, SocketBuilder,
};
use support::{LOOPBACK, must, until_end};

async fn listener() -> (OneToOneListener, SocketAddr) {
    let listener = OneToOneListener::bind(LOOPBACK).await.unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    (listener, addr)
}

/// Both ends of an association, each on a one-to-one socket.
async fn pair() -> (Association, Association) {
    let (mut listener, addr) = listener().await;
    let peer = [addr];
    let builder = SocketBuilder::new();
    let connect = builder.connect_one_to_one(&peer);
    let (client, server) = must(async { tokio::join!(connect, listener.accept()) }).await;
    (client.unwrap(), server.unwrap())
}

#[tokio::test]
async fn messages_are_exchanged_with_info() {
    let (mut client, mut server) = pair().await;
    client
        .send(Message::new("ping").on_stream(3).with_ppid(46u32))
        .await
        .unwrap();
    let request = must(server.recv()).await.unwrap().unwrap();
    assert_eq!(
        (request.info.stream.get(), request.info.ppid.get()),
        (3, 46)
    );
    server.send(request.reply("pong")).await.unwrap();
    assert_eq!(must(client.recv()).await.unwrap().unwrap().payload, "pong");
    assert_eq!(client.outbound_streams(), 128);
    assert_eq!(server.control().status().unwrap().assoc, server.id());
    assert_eq!(server.control().peer_addrs().unwrap().len(), 1);
}

#[tokio::test]
async fn one_to_one_talks_to_one_to_many() {
    let (mut listener, addr) = listener().await;
    let client = Association::connect(addr).await.unwrap();
    client.send("from a one-to-many socket").await.unwrap();
    let mut server = must(listener.next()).await.unwrap().unwrap();
    assert_eq!(
        must(server.recv()).await.unwrap().unwrap().payload,
        "from a one-to-many socket"
    );
    client
        .abort(&AbortReason::from_static("with a reason"))
        .unwrap();
    assert_eq!(
        until_end(&mut server).await.1.reason().unwrap(),
        "with a reason"
    );
}

#[tokio::test]
async fn shutdown_delivers_everything_first() {
    let (mut client, mut server) = pair().await;
    for at in 0..50u8 {
        client.send(vec![at; 1000]).await.unwrap();
    }
    let (ended, (messages, heard)) =
        must(async { tokio::join!(client.shutdown(), until_end(&mut server)) }).await;
    assert_eq!(ended.unwrap(), End::Shutdown { by: Side::Local });
    assert_eq!(heard, End::Shutdown { by: Side::Peer });
    assert_eq!(messages.len(), 50);
    assert!(must(server.recv()).await.unwrap().is_none());
    assert!(server.try_recv().unwrap().is_none());
}

#[tokio::test]
async fn both_ends_may_shut_down_at_once() {
    for _ in 0..10 {
        let (mut client, mut server) = pair().await;
        let (ours, theirs) =
            must(async { tokio::join!(client.shutdown(), server.shutdown()) }).await;
        assert!(ours.unwrap().is_orderly());
        assert!(theirs.unwrap().is_orderly());
    }
}

#[tokio::test]
async fn incomplete_shutdown_is_not_the_end() {
    let (client, mut server) = pair().await;
    // The client does not read, so what the server sends keeps the association up.
    let mut sent = 0;
    while server.try_send(&Message::new(vec![0; 10_000])).is_ok() {
        sent += 1;
    }
    client.start_shutdown().unwrap();
    support::notification(&mut server, |event| {
        matches!(event, Notification::Shutdown { .. }).then_some(())
    })
    .await;
    // The socket reads as empty from here on, and the association goes on all the same.
    let next = server.try_next_event();
    assert!(
        matches!(&next, Err(RecvError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock),
        "{next:?}"
    );
    let next = poll_fn(|cx| Poll::Ready(server.poll_next_event(cx))).await;
    assert!(next.is_pending(), "{next:?}");
    assert!(matches!(
        server.send("too late").await,
        Err(SendError::ShuttingDown)
    ));
    let mut client = client;
    let (messages, _) = until_end(&mut client).await;
    assert_eq!(messages.len(), sent);
    assert_eq!(
        until_end(&mut server).await.1,
        End::Shutdown { by: Side::Peer }
    );
}

#[tokio::test]
async fn send_after_local_shutdown_is_shutting_down() {
    let (client, mut server) = pair().await;
    while server.try_send(&Message::new(vec![0; 10_000])).is_ok() {}
    server.start_shutdown().unwrap();
    let error = server.send("too late").await.unwrap_err();
    assert!(matches!(error, SendError::ShuttingDown), "{error:?}");
    drop(client);
    assert!(!until_end(&mut server).await.1.is_orderly());
    assert!(matches!(server.send("x").await, Err(SendError::Closed(_))));
}

#[tokio::test]
async fn abort_is_possible_only_without_a_reason() {
    let (client, mut server) = pair().await;
    let error = client.abort(&AbortReason::from_static("why")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    client.send("still up").await.unwrap();
    assert_eq!(
        must(server.recv()).await.unwrap().unwrap().payload,
        "still up"
    );
    client.abort_without_reason().unwrap();
    let (_, end) = until_end(&mut server).await;
    assert_eq!(end.reason().unwrap(), "");
}

#[tokio::test]
async fn abort_without_reason_works_on_one_to_many() {
    let (client, mut server) = support::pair().await;
    client.abort_without_reason().unwrap();
    assert_eq!(until_end(&mut server).await.1.reason().unwrap(), "");
}

#[tokio::test]
async fn refused_connect_does_not_hang() {
    let (listener, addr) = listener().await;
    drop(listener);
    let error = must(SocketBuilder::new().connect_one_to_one(&[addr]))
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn peer_closed_before_accept_is_accepted_with_its_messages() {
    let (mut listener, addr) = listener().await;
    let client = SocketBuilder::new()
        .connect_one_to_one(&[addr])
        .await
        .unwrap();
    client.send("last words").await.unwrap();
    client.sender().flushed().await.unwrap();
    client.abort_without_reason().unwrap();
    let mut server = must(listener.accept()).await.unwrap();
    let (messages, end) = until_end(&mut server).await;
    assert_eq!(messages, ["last words"]);
    assert!(
        matches!(end, End::Aborted { by: Side::Peer, .. }),
        "{end:?}"
    );
    assert_eq!(
        listener.try_accept().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
}

#[tokio::test]
async fn oversized_message_is_dropped_whole() {
    let builder = SocketBuilder::new()
        .with_max_message_size(20_000)
        .with_recv_buffer_size(15_000);
    let mut listener = builder
        .with_local_addrs([LOOPBACK.parse().unwrap()])
        .listen_one_to_one()
        .unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let client = Association::connect(addr).await.unwrap();
    let mut server = must(listener.accept()).await.unwrap();
    let sending = tokio::spawn(async move {
        client.send(vec![1; 100_000]).await.unwrap();
        client.send("after it").await.unwrap();
        client
    });
    assert!(matches!(
        must(server.recv()).await,
        Err(RecvError::TooLarge { limit: 20_000 })
    ));
    assert_eq!(
        must(server.recv()).await.unwrap().unwrap().payload,
        "after it"
    );
    drop(sending.await.unwrap());
}

#[tokio::test]
async fn stopped_listener_refuses_peers_behind_waiting_ones() {
    let (mut listener, addr) = listener().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(must(Association::connect(addr)).await.unwrap());
    }
    listener.stop_listening().unwrap();
    let error = must(Association::connect(addr)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    for client in &clients {
        let server = must(listener.accept()).await.unwrap();
        server.send("accepted").await.unwrap();
        assert!(client.end().is_none());
    }
    let none = listener.try_accept().unwrap_err();
    assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
    for client in &mut clients {
        assert_eq!(support::next(client).await.payload, "accepted");
    }
}
