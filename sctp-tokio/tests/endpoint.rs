//! One descriptor for all peers.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use sctp_tokio::{
    AbortReason, AssocId, Association, End, Endpoint, Event, Message, Notification, Received,
    SendError, Side, SocketBuilder,
};
use support::{endpoint, endpoint_end, must, netns::two_cables, until_end};

async fn message(endpoint: &mut Endpoint) -> (AssocId, Received) {
    loop {
        let event = must(endpoint.next_event()).await.unwrap();
        if let Event::Message(message) = event.event {
            return (event.assoc, message);
        }
    }
}

async fn end(endpoint: &mut Endpoint) -> (AssocId, End) {
    loop {
        let event = must(endpoint.next_event()).await.unwrap();
        if let Event::Closed(end) = event.event {
            return (event.assoc, end);
        }
    }
}

#[tokio::test]
async fn peers_are_distinguished_and_answered() {
    let (mut endpoint, addr) = endpoint().await;
    let mut first = Association::connect(addr).await.unwrap();
    let mut second = Association::connect(addr).await.unwrap();
    first.send(Message::new("one").on_stream(1)).await.unwrap();
    let (first_id, request) = message(&mut endpoint).await;
    endpoint
        .send(first_id, request.reply("answer one"))
        .await
        .unwrap();
    second.send("two").await.unwrap();
    let (second_id, request) = message(&mut endpoint).await;
    endpoint
        .send(second_id, request.reply("answer two"))
        .await
        .unwrap();
    assert_ne!(first_id, second_id);
    assert_eq!(
        must(first.recv()).await.unwrap().unwrap().payload,
        "answer one"
    );
    assert_eq!(
        must(second.recv()).await.unwrap().unwrap().payload,
        "answer two"
    );
}

#[tokio::test]
async fn associations_close_independently() {
    let (mut endpoint, addr) = endpoint().await;
    let mut first = Association::connect(addr).await.unwrap();
    let mut second = Association::connect(addr).await.unwrap();
    let mut third = Association::connect(addr).await.unwrap();
    first.send("shut me down").await.unwrap();
    let (first_id, request) = message(&mut endpoint).await;
    endpoint
        .send(first_id, request.reply("last words"))
        .await
        .unwrap();
    endpoint.start_shutdown(first_id).unwrap();
    let (messages, heard) = until_end(&mut first).await;
    assert_eq!(
        (messages, heard),
        (vec!["last words".into()], End::Shutdown { by: Side::Peer })
    );
    assert_eq!(
        end(&mut endpoint).await,
        (first_id, End::Shutdown { by: Side::Local })
    );

    second.send("abort me").await.unwrap();
    let (second_id, _) = message(&mut endpoint).await;
    endpoint
        .abort(second_id, &AbortReason::from_static("as you wish"))
        .unwrap();
    assert_eq!(
        until_end(&mut second).await.1.reason().unwrap(),
        "as you wish"
    );
    let (ended, how) = end(&mut endpoint).await;
    assert_eq!(ended, second_id);
    assert!(
        matches!(
            how,
            End::Aborted {
                by: Side::Local,
                ..
            }
        ),
        "{how:?}"
    );
    assert!(matches!(
        endpoint.send(second_id, "x").await,
        Err(SendError::NoAssociation)
    ));

    third.send("and me?").await.unwrap();
    let (third_id, request) = message(&mut endpoint).await;
    endpoint
        .send(third_id, request.reply("untouched"))
        .await
        .unwrap();
    assert_eq!(
        must(third.recv()).await.unwrap().unwrap().payload,
        "untouched"
    );
}

#[tokio::test]
async fn peer_abort_reason_is_reported() {
    let (mut endpoint, addr) = endpoint().await;
    let client = Association::connect(addr).await.unwrap();
    client.abort(&AbortReason::from_static("goodbye")).unwrap();
    assert_eq!(end(&mut endpoint).await.1.reason().unwrap(), "goodbye");
}

#[tokio::test]
async fn partial_messages_of_peers_are_not_joined() {
    let server = SocketBuilder::new().with_recv_buffer_size(15_000);
    let mut endpoint = server
        .with_local_addrs([support::LOOPBACK.parse().unwrap()])
        .endpoint()
        .unwrap();
    let addr = endpoint.local_addrs().unwrap()[0];
    let long = Association::connect(addr).await.unwrap();
    let short = Association::connect(addr).await.unwrap();
    // Longer than the receive buffer: delivered in parts, and aborted in the middle.
    long.send(vec![0xaa; 200_000]).await.unwrap();
    // Read what there is of it, so that a half message waits for its rest.
    let mut early = Vec::new();
    while let Ok(event) = endpoint.try_next_event() {
        early.push(event);
    }
    long.abort(&AbortReason::from_static("halfway")).unwrap();
    short.send("whole").await.unwrap();
    let (_, received) = message(&mut endpoint).await;
    assert_eq!(received.payload, "whole");
    assert!(
        !early
            .iter()
            .any(|event| matches!(event.event, Event::Message(_)))
    );
}

#[tokio::test]
async fn peeling_off_a_stalled_peer_frees_the_others() {
    let (mut endpoint, addr) = endpoint().await;
    let mut stuck = SocketBuilder::new()
        .with_recv_buffer_size(40_000)
        .connect(&[addr])
        .await
        .unwrap();
    stuck.send("hello").await.unwrap();
    let (stuck_id, _) = message(&mut endpoint).await;
    let mut healthy = Association::connect(addr).await.unwrap();
    healthy.send("hello").await.unwrap();
    let (healthy_id, _) = message(&mut endpoint).await;
    let mut queued = 0u32;
    while endpoint
        .try_send(stuck_id, &Message::new(vec![0; 1000]))
        .is_ok()
    {
        queued += 1;
    }
    assert!(
        endpoint.try_send(healthy_id, &Message::new("x")).is_err(),
        "the buffer is shared"
    );
    let own = endpoint.peel_off(stuck_id).unwrap();
    endpoint.send(healthy_id, "free again").await.unwrap();
    assert_eq!(
        must(healthy.recv()).await.unwrap().unwrap().payload,
        "free again"
    );
    own.start_shutdown().unwrap();
    let (messages, end) = until_end(&mut stuck).await;
    assert_eq!(
        (messages.len(), end),
        (queued as usize, End::Shutdown { by: Side::Peer })
    );
}

#[tokio::test]
async fn waiting_send_continues_when_the_peer_reads() {
    let (mut endpoint, addr) = endpoint().await;
    let mut client = SocketBuilder::new()
        .with_recv_buffer_size(40_000)
        .connect(&[addr])
        .await
        .unwrap();
    client.send("hello").await.unwrap();
    let (id, _) = message(&mut endpoint).await;
    let sender = endpoint.sender();
    let sending = tokio::spawn(async move {
        for at in 0..500u32 {
            sender.send(id, at.to_be_bytes().repeat(250)).await.unwrap();
        }
    });
    for at in 0..500u32 {
        assert_eq!(
            must(client.recv()).await.unwrap().unwrap().payload[..4],
            at.to_be_bytes()
        );
    }
    must(sending).await.unwrap();
}

#[tokio::test]
async fn endpoint_connects() {
    let (mut server, addr) = endpoint().await;
    let (mut client, _) = endpoint().await;
    let id = client.connect(&[addr]).unwrap();
    loop {
        let event = must(client.next_event()).await.unwrap();
        if let Event::Notification(Notification::AssocChange(change)) = event.event {
            assert_eq!(change.assoc, id);
            break;
        }
    }
    client.send(id, "from an endpoint").await.unwrap();
    assert_eq!(message(&mut server).await.1.payload, "from an endpoint");
}

#[tokio::test]
async fn failed_connect_closes_its_association() {
    let (client, addr) = endpoint().await;
    drop(client);
    let (mut client, _) = endpoint().await;
    let id = client.connect(&[addr]).unwrap();
    let (ended, how) = end(&mut client).await;
    assert_eq!(
        (ended, how),
        (
            id,
            End::Lost {
                error: std::io::ErrorKind::ConnectionRefused
            }
        )
    );
}

#[tokio::test]
async fn shutdown_while_connecting_ends_the_attempt() {
    let (near, _far) = two_cables();
    near.tc("qdisc add dev one root netem loss 100%");
    let ended = near.start(async || {
        let mut endpoint = Endpoint::bind("10.1.0.1:0").await.unwrap();
        let id = endpoint
            .connect(&["10.1.0.2:5000".parse().unwrap()])
            .unwrap();
        endpoint.start_shutdown(id).unwrap();
        (id, endpoint_end(&mut endpoint).await)
    });
    let (id, (ended, end)) = must(ended).await;
    assert_eq!(ended, id);
    assert!(
        matches!(
            end,
            End::Aborted {
                by: Side::Local,
                ..
            }
        ),
        "{end:?}"
    );
}

#[tokio::test]
async fn received_messages_move_with_a_peel_off() {
    let (mut endpoint, addr) = endpoint().await;
    let client = Association::connect(addr).await.unwrap();
    for at in 0..10u8 {
        client.send(vec![at; 10]).await.unwrap();
    }
    while client
        .socket()
        .unwrap()
        .status(client.id())
        .unwrap()
        .unacknowledged_chunks
        > 0
    {
        tokio::task::yield_now().await;
    }
    // The first is taken here; the batch that brought it has brought others.
    let (id, first) = message(&mut endpoint).await;
    assert_eq!(first.payload, vec![0; 10]);
    let mut own = endpoint.peel_off(id).unwrap();
    for at in 1..10u8 {
        assert_eq!(
            must(own.recv()).await.unwrap().unwrap().payload,
            vec![at; 10]
        );
    }
}
