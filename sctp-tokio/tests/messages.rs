//! Messages: whole, in order, with all that travels beside them.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::collections::VecDeque;

use bytes::Bytes;
use sctp_tokio::{Association, Message, Ppid, SendError, SocketBuilder, options::InitMsg};
use support::{must, pair, pair_with};

async fn next(association: &mut Association) -> sctp_tokio::Received {
    must(association.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn stream_ppid_and_order_arrive_with_the_message() {
    let (client, mut server) = pair().await;
    let message = Message::new("hello").on_stream(7).with_ppid(Ppid::NGAP);
    client.send(message).await.unwrap();
    client
        .send(Message::new("aside").on_stream(2).unordered())
        .await
        .unwrap();
    let first = next(&mut server).await;
    assert_eq!(first.payload, "hello");
    assert_eq!((first.info.stream.get(), first.info.ppid), (7, Ppid::NGAP));
    assert!(!first.info.unordered);
    assert_eq!(first.info.assoc, server.id());
    let second = next(&mut server).await;
    assert!(second.info.unordered);
    assert_eq!(second.info.stream.get(), 2);
}

#[tokio::test]
async fn reply_uses_the_stream_of_the_message() {
    let (mut client, mut server) = pair().await;
    client
        .send(Message::new("ping").on_stream(3).with_ppid(46u32))
        .await
        .unwrap();
    let request = next(&mut server).await;
    server.send(request.reply("pong")).await.unwrap();
    let reply = next(&mut client).await;
    assert_eq!(
        (reply.payload.as_ref(), reply.info.stream.get()),
        (&b"pong"[..], 3)
    );
    assert_eq!(reply.info.ppid, Ppid::DIAMETER);
}

#[tokio::test]
async fn streams_beyond_the_negotiated_are_refused() {
    let init = InitMsg::new().with_outbound_streams(5);
    let (client, server) =
        pair_with(SocketBuilder::new().with_init(init), SocketBuilder::new()).await;
    assert_eq!(
        (client.outbound_streams(), server.inbound_streams()),
        (5, 5)
    );
    let error = client
        .send(Message::new("x").on_stream(5))
        .await
        .unwrap_err();
    assert!(
        matches!(error, SendError::InvalidStream { negotiated: 5, .. }),
        "{error}"
    );
    assert_eq!(error.to_string(), "stream 5 exceeds the 5 outbound streams");
}

#[tokio::test]
async fn empty_message_is_refused() {
    let (client, _server) = pair().await;
    assert!(matches!(
        client.send(Bytes::new()).await,
        Err(SendError::Empty)
    ));
}

#[tokio::test]
async fn message_larger_than_send_buffer_is_refused() {
    let (client, mut server) = pair().await;
    let size = client.socket().unwrap().send_buffer_size().unwrap();
    let error = client.send(vec![1; size + 1]).await.unwrap_err();
    assert!(
        matches!(error, SendError::TooLarge { len, limit } if (len, limit) == (size + 1, size)),
        "{error}"
    );
    client.send("still here").await.unwrap();
    assert_eq!(next(&mut server).await.payload, "still here");
}

#[tokio::test]
async fn long_messages_arrive_whole() {
    let (client, mut server) = pair().await;
    for len in [1, 2047, 2048, 2049, 4096, 65_535, 65_536, 65_537, 150_000] {
        let payload: Vec<u8> = (0..len).map(|at: usize| at.to_le_bytes()[0]).collect();
        client.send(payload.clone()).await.unwrap();
        let received = next(&mut server).await;
        assert_eq!(received.payload.len(), len);
        assert!(
            received.payload == payload,
            "{len} bytes changed on the way"
        );
    }
}

#[tokio::test]
async fn message_larger_than_receive_buffer_is_reassembled() {
    let server = SocketBuilder::new().with_recv_buffer_size(15_000);
    let (client, mut server) = pair_with(SocketBuilder::new(), server).await;
    let payload: Vec<u8> = (0..120_000u32).map(|at| at.to_le_bytes()[1]).collect();
    client.send(payload.clone()).await.unwrap();
    client.send("behind it").await.unwrap();
    assert!(next(&mut server).await.payload == payload);
    assert_eq!(next(&mut server).await.payload, "behind it");
}

#[tokio::test]
async fn queue_is_sent_in_order_and_whole() {
    let (client, mut server) = pair().await;
    // Lengths on both sides of what is moved together in a batch, and none follows the last: a
    // message that the kernel holds back would not arrive before the test's patience ends.
    for count in [1, 2, 3, 31, 32, 33, 64, 200] {
        let message = |at: usize| vec![at.to_le_bytes()[0]; 1 + at * 37 % 3000];
        let mut queue: VecDeque<Message> = (0..count).map(|at| Message::new(message(at))).collect();
        let receive = async {
            for at in 0..count {
                assert_eq!(
                    next(&mut server).await.payload,
                    message(at),
                    "{at} of {count}"
                );
            }
        };
        let (sent, ()) = must(async { tokio::join!(client.send_queue(&mut queue), receive) }).await;
        sent.unwrap();
        assert!(queue.is_empty());
    }
}

#[tokio::test]
async fn invalid_message_in_queue_leaves_the_rest() {
    let (client, mut server) = pair().await;
    let mut queue: VecDeque<Message> = [
        Message::new("a"),
        Message::new("b").on_stream(999),
        Message::new("c"),
    ]
    .into();
    let error = client.send_queue(&mut queue).await.unwrap_err();
    assert!(matches!(error, SendError::InvalidStream { .. }), "{error}");
    assert_eq!(queue, [Message::new("c")]);
    // Nothing is sent after it: "a" must not be held back.
    assert_eq!(next(&mut server).await.payload, "a");
    client.send_queue(&mut queue).await.unwrap();
    assert_eq!(next(&mut server).await.payload, "c");
}

#[tokio::test]
async fn full_send_buffer_waits_and_loses_nothing() {
    let (client, mut server) = pair().await;
    let count = 2000u32;
    let send = async {
        for at in 0..count {
            client
                .send(Message::new([at.to_be_bytes(); 250].concat()).on_stream(0))
                .await
                .unwrap();
        }
    };
    let receive = async {
        for at in 0..count {
            assert_eq!(next(&mut server).await.payload[..4], at.to_be_bytes());
        }
    };
    must(async { tokio::join!(send, receive) }).await;
}

#[tokio::test]
async fn kept_messages_are_not_overwritten() {
    let (client, mut server) = pair().await;
    let mut kept = Vec::new();
    for round in 0..100u8 {
        client.send(vec![round; 5000]).await.unwrap();
        client.send(vec![round; 10]).await.unwrap();
        kept.push(next(&mut server).await.payload);
        kept.push(next(&mut server).await.payload);
    }
    for (at, payload) in kept.iter().enumerate() {
        let round = u8::try_from(at / 2).unwrap();
        assert!(
            payload.iter().all(|byte| *byte == round),
            "message {at} changed"
        );
    }
}
