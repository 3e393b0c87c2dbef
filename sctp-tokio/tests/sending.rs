//! Sending from several tasks, from several places, as a sink, and until it is acknowledged.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    collections::VecDeque,
    io::IoSlice,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{SinkExt, StreamExt, poll, stream};
use sctp_tokio::{
    AbortReason, Association, End, Message, RecvError, SendError, SendInfo, Side, Socket,
    SocketBuilder,
};
use support::{must, pair, pair_with, until_end};

/// An association whose server does not offer much of a window.
async fn narrow_pair() -> (Association, Association) {
    let server = SocketBuilder::new().with_recv_buffer_size(60_000);
    pair_with(SocketBuilder::new(), server).await
}

async fn next(association: &mut Association) -> bytes::Bytes {
    must(association.recv()).await.unwrap().unwrap().payload
}

#[tokio::test]
async fn concurrent_queues_all_progress() {
    let (client, mut server) = narrow_pair().await;
    let tasks: Vec<_> = (0..4u8)
        .map(|task| {
            let sender = client.sender();
            tokio::spawn(async move {
                let mut queue: VecDeque<Message> =
                    (0..200).map(|_| Message::new(vec![task; 1000])).collect();
                sender.send_queue(&mut queue).await.unwrap();
            })
        })
        .collect();
    for _ in 0..800 {
        next(&mut server).await;
    }
    for task in tasks {
        must(task).await.unwrap();
    }
}

#[tokio::test]
async fn concurrent_sinks_all_progress() {
    let (client, mut server) = narrow_pair().await;
    let tasks: Vec<_> = (0..4u8)
        .map(|task| {
            let mut sink = client.sink();
            tokio::spawn(async move {
                let mut messages =
                    stream::iter((0..200).map(|_| Ok(Message::new(vec![task; 1000]))));
                sink.send_all(&mut messages).await.unwrap();
            })
        })
        .collect();
    for _ in 0..800 {
        next(&mut server).await;
    }
    for task in tasks {
        must(task).await.unwrap();
    }
}

#[tokio::test]
async fn end_wakes_a_waiting_send() {
    let (client, server) = narrow_pair().await;
    while client.try_send(&Message::new(vec![0; 1000])).is_ok() {}
    let sender = client.sender();
    let sending = tokio::spawn(async move { sender.send("one more").await });
    let mut client = client;
    let receiving = tokio::spawn(async move { until_end(&mut client).await.1 });
    tokio::task::yield_now().await;
    server.abort(&AbortReason::from_static("enough")).unwrap();
    assert!(matches!(
        must(sending).await.unwrap(),
        Err(SendError::Closed(_))
    ));
    assert_eq!(must(receiving).await.unwrap().reason().unwrap(), "enough");
}

#[tokio::test]
async fn message_is_sent_from_several_buffers() {
    let (client, mut server) = pair().await;
    let parts = [
        IoSlice::new(b"head "),
        IoSlice::new(b""),
        IoSlice::new(b"and tail"),
    ];
    client
        .send_vectored(&SendInfo::on_stream(2), &parts)
        .await
        .unwrap();
    client
        .try_send_vectored(&SendInfo::default(), &parts)
        .unwrap();
    assert_eq!(next(&mut server).await, "head and tail");
    assert_eq!(next(&mut server).await, "head and tail");
    assert!(matches!(
        client
            .send_vectored(&SendInfo::default(), &[IoSlice::new(b"")])
            .await,
        Err(SendError::Empty)
    ));
    let many = vec![IoSlice::new(b"x"); 1025];
    assert!(matches!(
        client.send_vectored(&SendInfo::default(), &many).await,
        Err(SendError::TooManySlices {
            slices: 1025,
            limit: 1024
        })
    ));
}

#[tokio::test]
async fn try_send_queue_does_not_wait() {
    let (client, mut server) = narrow_pair().await;
    let mut queue: VecDeque<Message> = (0..500).map(|_| Message::new(vec![0; 1000])).collect();
    let error = client.try_send_queue(&mut queue).unwrap_err();
    assert!(matches!(error, SendError::Full), "{error:?}");
    let left = queue.len();
    assert!(left > 0 && left < 500);
    for _ in left..500 {
        next(&mut server).await;
    }
}

#[tokio::test]
async fn full_send_buffer_is_an_error_of_its_own() {
    let (mut client, _server) = narrow_pair().await;
    let message = Message::new(vec![0; 1000]);
    while client.try_send(&message).is_ok() {}
    let slices = [IoSlice::new(&message.payload)];
    for result in [
        client.try_send(&message),
        client.try_send_vectored(&message.info, &slices),
        client.try_send_queue(&mut VecDeque::from([message.clone()])),
    ] {
        assert!(matches!(result, Err(SendError::Full)), "{result:?}");
    }
    let polled = poll!(std::future::poll_fn(|cx| client.poll_send(cx, &message)));
    assert!(polled.is_pending());
}

#[tokio::test]
async fn flushed_waits_for_every_acknowledgement() {
    let (client, mut server) = narrow_pair().await;
    let sender = client.sender();
    must(sender.flushed()).await.unwrap();
    let mut sent = 0;
    while client.try_send(&Message::new(vec![0; 1000])).is_ok() {
        sent += 1;
    }
    let mut flushed = pin!(sender.flushed());
    assert!(poll!(&mut flushed).is_pending());
    let receive = async {
        for _ in 0..sent {
            next(&mut server).await;
        }
    };
    let (flushed, ()) = must(async { tokio::join!(flushed, receive) }).await;
    flushed.unwrap();
    assert_eq!(client.socket().unwrap().send_buffer_used().unwrap(), 0);
}

#[tokio::test]
async fn flushed_fails_if_the_association_is_closed_first() {
    let (client, server) = narrow_pair().await;
    while client.try_send(&Message::new(vec![0; 1000])).is_ok() {}
    let sender = client.sender();
    let flushing = tokio::spawn(async move { sender.flushed().await });
    tokio::task::yield_now().await;
    server.abort(&AbortReason::from_static("no")).unwrap();
    assert!(matches!(
        must(flushing).await.unwrap(),
        Err(SendError::Closed(_))
    ));
}

#[tokio::test]
async fn stream_ends_after_a_shutdown() {
    let (client, server) = pair().await;
    client.send("a").await.unwrap();
    client.send("b").await.unwrap();
    client.start_shutdown().unwrap();
    let payloads: Vec<_> = must(server.map(|item| item.unwrap().payload).collect()).await;
    assert_eq!(payloads, ["a", "b"]);
}

#[tokio::test]
async fn stream_ends_with_an_abort_reason() {
    let (client, mut server) = pair().await;
    client.send("a").await.unwrap();
    client.sender().flushed().await.unwrap();
    client.abort(&AbortReason::from_static("why")).unwrap();
    assert_eq!(must(server.next()).await.unwrap().unwrap().payload, "a");
    let error = must(server.next()).await.unwrap().unwrap_err();
    assert!(
        matches!(&error, RecvError::Closed(end) if end.reason().unwrap() == "why"),
        "{error}"
    );
    assert!(must(server.next()).await.is_none());
}

#[tokio::test]
async fn sink_holds_a_batch_until_flushed() {
    let (client, mut server) = pair().await;
    let mut sink = client.sink();
    for at in 0..Socket::MAX_BATCH {
        sink.feed(Message::new(vec![1; 1 + at])).await.unwrap();
    }
    assert_eq!(client.control().status().unwrap().unacknowledged_chunks, 0);
    assert!(server.try_recv().is_err(), "nothing has gone out");
    sink.flush().await.unwrap();
    for at in 0..Socket::MAX_BATCH {
        assert_eq!(next(&mut server).await.len(), 1 + at);
    }
    // One more than it holds sends the ones before it.
    for _ in 0..=Socket::MAX_BATCH {
        sink.feed(Message::new("x")).await.unwrap();
    }
    for _ in 0..Socket::MAX_BATCH {
        next(&mut server).await;
    }
    assert!(matches!(
        sink.feed(Message::new("x").on_stream(999)).await,
        Err(SendError::InvalidStream { .. })
    ));
    sink.close().await.unwrap();
    let (rest, end) = until_end(&mut server).await;
    assert_eq!(rest, ["x"]);
    assert_eq!(end, End::Shutdown { by: Side::Peer });
}

#[tokio::test]
async fn sink_into_parts_returns_unsent_messages() {
    let (client, mut server) = pair().await;
    let mut sink = client.sink();
    sink.feed(Message::new("held")).await.unwrap();
    let (sender, mut unsent) = sink.into_parts();
    sender.send("ahead").await.unwrap();
    sender.send_queue(&mut unsent).await.unwrap();
    assert_eq!(next(&mut server).await, "ahead");
    assert_eq!(next(&mut server).await, "held");
}

/// Compiles only if `send` of a `&mut` is not that of the imported `SinkExt`, which takes no `&str`.
#[tokio::test]
async fn imported_sink_ext_does_not_shadow_send() {
    let (mut client, mut server) = pair().await;
    let borrowed = &mut client;
    borrowed.send("of the association").await.unwrap();
    let (mut sender, _receiver) = client.split();
    let borrowed = &mut sender;
    borrowed.send("of the half").await.unwrap();
    assert_eq!(next(&mut server).await, "of the association");
    assert_eq!(next(&mut server).await, "of the half");
}

#[tokio::test]
async fn reunited_halves_are_the_association() {
    let (one, mut one_peer) = pair().await;
    let (two, _two_peer) = pair().await;
    let ((one_sender, one_receiver), (two_sender, two_receiver)) = (one.split(), two.split());
    let ids = (one_sender.id(), two_receiver.id());
    let error = one_sender.reunite(two_receiver).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "halves belong to different associations: {} and {}",
            ids.0, ids.1
        )
    );
    let one = error.sender.reunite(one_receiver).unwrap();
    let two = error.receiver.reunite(two_sender).unwrap();
    assert_eq!((one.id(), two.id()), ids);
    one.send("still open").await.unwrap();
    assert_eq!(next(&mut one_peer).await, "still open");
    one.into_socket().unwrap();
}

#[tokio::test]
async fn listener_and_endpoint_are_streams() {
    let (mut listener, addr) = support::listener().await;
    let client = Association::connect(addr).await.unwrap();
    let server = must(listener.next()).await.unwrap().unwrap();
    assert_eq!(
        client.control().peer_addrs().unwrap(),
        server.control().local_addrs().unwrap()
    );

    let (mut endpoint, addr) = support::endpoint().await;
    let _client = Association::connect(addr).await.unwrap();
    must(endpoint.next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn sending_task_lets_others_run() {
    let (client, _server) = pair().await;
    let ran = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&ran);
    tokio::spawn(async move { other.store(true, Ordering::Relaxed) });
    // There is room for all of these, so no send has to wait.
    for _ in 0..200 {
        client.send("x").await.unwrap();
    }
    assert!(ran.load(Ordering::Relaxed));
}
