//! Messages in parts: to whom they belong, how long they may get, and what becomes of the rest.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::collections::HashMap;

use sctp_tokio::{
    AbortReason, AssocId, Association, End, Endpoint, Event, RecvError, Side, SocketBuilder,
};
use support::{LOOPBACK, endpoint_end, endpoint_message, must, next, pair_with, quick, until_end};
use tokio::task::JoinSet;

/// Length of a message that takes many packets, more than a small buffer holds.
const LONG: usize = 60_000;
/// Maximum payload of a packet.
const PACKET: u32 = 1400;

fn small_endpoint(limit: usize) -> Endpoint {
    SocketBuilder::new()
        .with_local_addrs([LOOPBACK.parse().unwrap()])
        .with_recv_buffer_size(15_000)
        .with_max_message_size(limit)
        .endpoint()
        .unwrap()
}

/// A client whose messages take many packets.
fn in_packets() -> SocketBuilder {
    quick().configure(|socket| socket.set_maxseg(AssocId::FUTURE, Some(PACKET)))
}

/// Has four peers send three messages each, and expects each message in one piece.
async fn receive_long_messages(mut endpoint: Endpoint) {
    let addr = endpoint.local_addrs().unwrap()[0];
    let mut clients = JoinSet::new();
    for at in 0..4u8 {
        clients.spawn(async move {
            let mut client = in_packets().connect(&[addr]).await.unwrap();
            for round in 0..3 {
                client.send(vec![at * 16 + round; LONG]).await.unwrap();
            }
            client.recv().await
        });
    }
    let mut rounds = HashMap::new();
    for _ in 0..12 {
        let (id, message) = tokio::select! {
            message = endpoint_message(&mut endpoint) => message,
            Some(end) = clients.join_next() => panic!("a client's association ended: {end:?}"),
        };
        let first = message.payload[0];
        let (peer, round) = rounds.entry(id).or_insert((first / 16, 0));
        assert_eq!(first, *peer * 16 + *round);
        *round += 1;
        assert!(message.payload == vec![first; LONG]);
    }
}

#[tokio::test]
async fn long_messages_of_peers_are_not_mixed() {
    let endpoint = SocketBuilder::new()
        .with_local_addrs([LOOPBACK.parse().unwrap()])
        .configure(|socket| socket.set_partial_delivery_point(2 * PACKET))
        .endpoint()
        .unwrap();
    receive_long_messages(endpoint).await;
}

#[tokio::test]
async fn long_messages_pass_full_buffer() {
    receive_long_messages(small_endpoint(1 << 20)).await;
}

#[tokio::test]
async fn rest_of_oversized_message_is_no_message() {
    const LIMIT: usize = 10_000;
    let server = SocketBuilder::new()
        .with_max_message_size(LIMIT)
        .with_recv_buffer_size(15_000);
    for len in [LIMIT + 1, 2 * LIMIT + 100, 40_000, 150_000] {
        let (mut client, mut server) = pair_with(SocketBuilder::new(), server.clone()).await;
        client.send("before").await.unwrap();
        client.send(vec![0xaa; len]).await.unwrap();
        assert_eq!(next(&mut server).await.payload, "before");
        let error = must(server.recv()).await.unwrap_err();
        assert!(
            matches!(error, RecvError::TooLarge { limit: LIMIT }),
            "{error}"
        );
        let (messages, end) = until_end(&mut server).await;
        assert!(messages.is_empty(), "{len}: {messages:?}");
        let by_us = matches!(
            end,
            End::Aborted {
                by: Side::Local,
                ..
            }
        );
        assert!(by_us, "{end:?}");
        let heard = until_end(&mut client).await.1;
        assert_eq!(heard.reason().unwrap(), "message too large");
    }
}

#[tokio::test]
async fn peer_over_the_limit_leaves_others_of_endpoint() {
    let mut endpoint = small_endpoint(10_000);
    let addr = endpoint.local_addrs().unwrap()[0];
    let greedy = quick().connect(&[addr]).await.unwrap();
    let modest = quick().connect(&[addr]).await.unwrap();
    greedy.send(vec![0xaa; 100_000]).await.unwrap();
    modest.send(vec![0xbb; 9000]).await.unwrap();
    let (mut ended, mut received) = (None, None);
    while ended.is_none() || received.is_none() {
        let sctp_tokio::EndpointEvent { assoc, event, .. } =
            must(endpoint.next_event()).await.unwrap();
        match event {
            Event::Message(message) => {
                assert!(message.payload == vec![0xbb; 9000]);
                received = Some(assoc);
            }
            Event::Closed(end) => ended = Some((assoc, end)),
            _ => {}
        }
    }
    assert_ne!(ended.unwrap().0, received.unwrap());
    endpoint.send(received.unwrap(), "go on").await.unwrap();
    let mut modest = modest;
    assert_eq!(next(&mut modest).await.payload, "go on");
}

#[tokio::test]
async fn partial_message_is_dropped_with_its_sender() {
    let mut endpoint = small_endpoint(1 << 20);
    let addr = endpoint.local_addrs().unwrap()[0];
    let half = Association::connect(addr).await.unwrap();
    half.send(vec![0xaa; 150_000]).await.unwrap();
    while endpoint.try_next_event().is_ok() {}
    half.abort(&AbortReason::from_static("halfway")).unwrap();
    let (_, end) = endpoint_end(&mut endpoint).await;
    assert_eq!(end.reason().unwrap(), "halfway");
    let whole = Association::connect(addr).await.unwrap();
    whole.send("whole").await.unwrap();
    assert_eq!(endpoint_message(&mut endpoint).await.1.payload, "whole");
}
