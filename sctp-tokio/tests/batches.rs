//! Batches arrive without a further send, after errors too.
//!
//! A batch shares packets by `MSG_MORE`, and a message that no plain send follows would stay in
//! the kernel until something else goes out. Here nothing does: heartbeats are off, and the peer
//! only reads.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{collections::VecDeque, pin::pin};

use futures::poll;
use sctp_core::SendItem;
use sctp_tokio::{
    AssocId, Association, Message, Reliability, SendError, SendInfo, SocketBuilder,
    options::{Heartbeat, PeerAddrParams},
};
use support::{endpoint, must, pair_with};

fn silent() -> SocketBuilder {
    SocketBuilder::new().configure(|socket| {
        let params = PeerAddrParams::new().with_heartbeat(Heartbeat::Disabled);
        socket.set_peer_addr_params(AssocId::FUTURE, None, &params)
    })
}

async fn silent_pair() -> (Association, Association) {
    pair_with(silent(), silent()).await
}

/// The first one cannot send much until the second one reads.
async fn narrow_pair() -> (Association, Association) {
    let client = silent().with_send_buffer_size(20_000);
    pair_with(client, silent().with_recv_buffer_size(10_000)).await
}

fn messages(numbers: impl IntoIterator<Item = u8>) -> VecDeque<Message> {
    let numbered = |number| Message::new(vec![number; 400]);
    numbers.into_iter().map(numbered).collect()
}

/// Receives messages with these numbers, and only then anything else.
async fn arrive(receiver: &mut Association, numbers: impl IntoIterator<Item = u8>) {
    for number in numbers {
        let received = must(receiver.recv()).await.unwrap().unwrap();
        assert_eq!(received.payload[0], number);
    }
}

#[tokio::test]
async fn queue_of_any_length_arrives() {
    let (client, mut server) = silent_pair().await;
    for count in [1, 2, 3, 31, 32, 33, 64, 65, 100] {
        client.send_queue(&mut messages(0..count)).await.unwrap();
        arrive(&mut server, 0..count).await;
    }
}

#[tokio::test]
async fn messages_before_a_refused_one_arrive() {
    let (client, mut server) = silent_pair().await;
    for refused in [Message::new(""), Message::new("lost").on_stream(9999)] {
        let mut queue = messages(0..10);
        queue.insert(5, refused);
        client.send_queue(&mut queue).await.unwrap_err();
        arrive(&mut server, 0..5).await;
        client.send_queue(&mut queue).await.unwrap();
        arrive(&mut server, 5..10).await;
    }
}

/// Refused by the kernel, not by us: the run is cut short, and so is the plain send that would
/// have ended it. The buffer is so large that the message is counted into the run.
#[tokio::test]
async fn messages_before_an_unfragmentable_one_arrive() {
    let whole = silent()
        .with_send_buffer_size(400_000)
        .configure(|socket| socket.set_disable_fragments(true));
    let (client, mut server) = pair_with(whole, silent()).await;
    let mut queue = messages(0..10);
    queue.insert(5, Message::new(vec![0; 70_000]));
    client.send_queue(&mut queue).await.unwrap_err();
    arrive(&mut server, 0..5).await;
    client.send_queue(&mut queue).await.unwrap();
    arrive(&mut server, 5..10).await;
}

#[tokio::test]
async fn messages_before_an_unbundled_one_arrive() {
    let (client, mut server) = silent_pair().await;
    let mut queue = messages(0..5);
    queue[4] = Message::new(vec![4; 100]).with_reliability(Reliability::Retransmissions(3));
    client.send_queue(&mut queue).await.unwrap();
    arrive(&mut server, 0..5).await;
}

#[tokio::test]
async fn messages_before_a_full_buffer_arrive() {
    let (client, mut server) = narrow_pair().await;
    let mut queue = messages(0..200);
    let full = client.try_send_queue(&mut queue).unwrap_err();
    assert!(matches!(full, SendError::Full), "{full}");
    let sent = 200 - u8::try_from(queue.len()).unwrap();
    assert!(sent > 0);
    arrive(&mut server, 0..sent).await;
}

#[tokio::test]
async fn messages_of_a_cancelled_call_arrive() {
    let (client, mut server) = narrow_pair().await;
    let mut queue = messages(0..200);
    {
        let mut call = pin!(client.send_queue(&mut queue));
        assert!(poll!(&mut call).is_pending());
    }
    let sent = 200 - u8::try_from(queue.len()).unwrap();
    assert!(sent > 0);
    arrive(&mut server, 0..sent).await;
}

#[tokio::test]
async fn endpoint_batches_arrive() {
    let (mut endpoint, addr) = endpoint().await;
    let mut client = silent().connect(&[addr]).await.unwrap();
    let assoc = must(endpoint.next_event()).await.unwrap().assoc;
    let mut queue = messages(0..10);
    queue.insert(5, Message::new(""));
    let sender = endpoint.sender();
    sender.try_send_queue(assoc, &mut queue).unwrap_err();
    arrive(&mut client, 0..5).await;
    sender.try_send_queue(assoc, &mut queue).unwrap();
    arrive(&mut client, 5..10).await;
}

/// The fallback of a bundle whose plain send fails; see `BatchSender::release`.
#[tokio::test]
async fn heartbeat_releases_held_messages() {
    let (client, mut server) = silent_pair().await;
    let socket = client.socket().unwrap();
    let info = SendInfo::default();
    let item = |payload| SendItem {
        assoc: client.id(),
        info: &info,
        payload,
    };
    let held = socket.send_batch([item(&[0; 100]), item(&[1; 100])], true);
    assert_eq!(held.unwrap(), 2);
    // That they wait is what all tests above rest on.
    let (other, mut echo) = silent_pair().await;
    for number in 0..100 {
        other.send(vec![number]).await.unwrap();
        arrive(&mut echo, [number]).await;
    }
    let early = server.try_recv();
    assert!(early.is_err(), "nothing held them back: {early:?}");
    socket.request_heartbeat(client.id(), None).unwrap();
    arrive(&mut server, 0..2).await;
}
