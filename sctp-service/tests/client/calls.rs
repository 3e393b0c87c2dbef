//! Calls, one-way messages and pushes on an association that lives.

use std::{future::poll_fn, task::Poll, time::Duration};

use sctp_service::{
    ByStream, Cause, Fate, Message, Refusal, SendError,
    client::{Client, ClientConfig},
    testing::{Duplex, Peer},
};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};

use crate::support::{
    assert_failed, call, client, client_with, failure, must, payload, settle, streams_each_way,
};

/// Receives the next request, and returns its stream and payload.
async fn request(peer: &Peer) -> (u16, String) {
    let message = must(peer.recv()).await.unwrap();
    let text = String::from_utf8(message.payload.into()).unwrap();
    (message.info.stream.get(), text)
}

async fn reply(peer: &Peer, stream: u16, payload: &str) {
    peer.send(Message::new(payload.to_owned()).on_stream(stream))
        .await;
}

#[tokio::test(start_paused = true)]
async fn replies_of_several_streams_come_in_any_order() {
    let (client, peer) = client();
    let (a, b) = (call(&client, "a"), call(&client, "b"));
    assert_eq!(must(request(&peer)).await, (1, "a".into()));
    assert_eq!(must(request(&peer)).await, (2, "b".into()));
    reply(&peer, 2, "b's").await;
    assert_eq!(payload(b).await, "b's");
    reply(&peer, 1, "a's").await;
    assert_eq!(payload(a).await, "a's");
}

#[tokio::test(start_paused = true)]
async fn streams_are_used_in_turn() {
    let (client, peer) = client_with(Client::builder(), 4);
    for stream in [1, 2, 3, 1, 2] {
        let one = call(&client, "x");
        assert_eq!(must(request(&peer)).await.0, stream);
        reply(&peer, stream, "y").await;
        payload(one).await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_calls_than_streams_wait_in_order() {
    let (client, peer) = client_with(Client::builder(), 3);
    let calls: Vec<_> = ["a", "b", "c", "d"].map(|text| call(&client, text)).into();
    assert_eq!(must(request(&peer)).await, (1, "a".into()));
    assert_eq!(must(request(&peer)).await, (2, "b".into()));
    settle().await;
    assert_eq!(peer.try_recv(), None);
    reply(&peer, 2, "B").await;
    assert_eq!(must(request(&peer)).await, (2, "c".into()));
    reply(&peer, 2, "C").await;
    assert_eq!(must(request(&peer)).await, (2, "d".into()));
    reply(&peer, 2, "D").await;
    reply(&peer, 1, "A").await;
    for (call, text) in calls.into_iter().zip(["A", "B", "C", "D"]) {
        assert_eq!(payload(call).await, text);
    }
}

#[tokio::test(start_paused = true)]
async fn with_depth_several_calls_share_a_stream_in_order() {
    let builder = Client::builder().with_correlation(ByStream::new().with_depth(2));
    let (client, peer) = client_with(builder, 2);
    let (a, b, c) = (call(&client, "a"), call(&client, "b"), call(&client, "c"));
    assert_eq!(must(request(&peer)).await, (1, "a".into()));
    assert_eq!(must(request(&peer)).await, (1, "b".into()));
    settle().await;
    assert_eq!(peer.try_recv(), None);
    reply(&peer, 1, "A").await;
    assert_eq!(must(request(&peer)).await, (1, "c".into()));
    // The middle one is dropped: its reply still belongs to it.
    b.abort();
    settle().await;
    reply(&peer, 1, "B").await;
    reply(&peer, 1, "C").await;
    assert_eq!(payload(a).await, "A");
    assert_eq!(payload(c).await, "C");
}

#[tokio::test(start_paused = true)]
async fn readiness_is_a_reservation_and_a_clone_has_none() {
    let config = ClientConfig::new().with_max_in_flight(1);
    let (mut client, peer) = client_with(Client::builder().with_config(config), 10);
    let mut clone = client.clone();
    client.ready().await.unwrap();
    let waits = poll_fn(|cx| Poll::Ready(clone.poll_ready(cx).is_pending())).await;
    assert!(waits);
    let one = client.call("a".into());
    assert_eq!(clone.in_flight(), 1);
    must(request(&peer)).await;
    reply(&peer, 1, "A").await;
    must(clone.ready()).await.unwrap();
    assert_eq!(one.await.unwrap().payload, "A");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "poll_ready must be called first")]
async fn call_without_a_reservation_panics() {
    let (mut client, _peer) = client();
    drop(client.call("a".into()));
}

#[tokio::test(start_paused = true)]
async fn stream_of_a_dropped_call_awaits_its_reply() {
    let (client, peer) = client_with(Client::builder(), 2);
    let dropped = call(&client, "dropped");
    assert_eq!(must(request(&peer)).await, (1, "dropped".into()));
    dropped.abort();
    settle().await;
    assert_eq!(client.in_flight(), 0);
    let next = call(&client, "next");
    settle().await;
    assert_eq!(peer.try_recv(), None);
    reply(&peer, 1, "late").await;
    assert_eq!(must(request(&peer)).await, (1, "next".into()));
    reply(&peer, 1, "right").await;
    assert_eq!(payload(next).await, "right");
}

#[tokio::test(start_paused = true)]
async fn dropped_unsent_call_is_never_sent() {
    // One message fits into the transport, and there are streams enough.
    let (transport, peer) = streams_each_way(10).with_capacity(1).build();
    let client = Client::over(transport);
    let first = call(&client, "first");
    settle().await;
    let in_outbox = call(&client, "in the outbox");
    settle().await;
    in_outbox.abort();
    settle().await;
    let last = call(&client, "last");
    assert_eq!(must(request(&peer)).await.1, "first");
    let (stream, text) = must(request(&peer)).await;
    assert_eq!(text, "last");
    reply(&peer, stream, "L").await;
    reply(&peer, 1, "F").await;
    assert_eq!(payload(last).await, "L");
    assert_eq!(payload(first).await, "F");
}

#[tokio::test(start_paused = true)]
async fn dropped_call_that_waits_for_a_stream_makes_room() {
    let config = ClientConfig::new().with_max_in_flight(2);
    let (client, peer) = client_with(Client::builder().with_config(config), 2);
    let first = call(&client, "first");
    must(request(&peer)).await;
    for _ in 0..100 {
        let waiting = call(&client, "waiting");
        settle().await;
        assert_eq!(client.in_flight(), 2);
        waiting.abort();
        settle().await;
        assert_eq!(client.in_flight(), 1);
    }
    reply(&peer, 1, "F").await;
    assert_eq!(payload(first).await, "F");
    settle().await;
    assert_eq!(peer.try_recv(), None);
}

#[tokio::test(start_paused = true)]
async fn call_times_out_and_says_whether_it_was_sent() {
    let config = ClientConfig::new().with_call_timeout(Duration::from_secs(5));
    let (client, peer) = client_with(Client::builder().with_config(config), 2);
    let began = Instant::now();
    let (sent, waiting) = (call(&client, "sent"), call(&client, "waiting"));
    must(request(&peer)).await;
    assert_failed(&failure(sent).await, "no reply in time", Fate::Unknown);
    assert_failed(&failure(waiting).await, "no reply in time", Fate::NotSent);
    assert!(began.elapsed() < Duration::from_secs(6));
    // The late reply is discarded, and the stream is good again.
    reply(&peer, 1, "late").await;
    let next = call(&client, "next");
    assert_eq!(must(request(&peer)).await, (1, "next".into()));
    reply(&peer, 1, "right").await;
    assert_eq!(payload(next).await, "right");
}

#[tokio::test(start_paused = true)]
async fn one_way_messages_keep_off_the_streams_of_calls() {
    let (client, peer) = client();
    client.send("notice").await.unwrap();
    assert_eq!(must(request(&peer)).await, (0, "notice".into()));
    let error = client
        .send(Message::new("x").on_stream(1))
        .await
        .unwrap_err();
    assert_failed(&error, "stream 1 is used for calls", Fate::NotSent);
    let Cause::Refused(refusal) = error.cause() else {
        panic!("{error}");
    };
    assert!(matches!(**refusal, Refusal::CallStream { stream: 1 }));
}

#[tokio::test(start_paused = true)]
async fn unsendable_messages_are_refused_without_effect_on_others() {
    let (transport, peer) = streams_each_way(2).with_max_message(10).build();
    let client = Client::over(transport);
    for (payload, is_it) in [
        (
            "",
            (|e| matches!(e, SendError::Empty)) as fn(&SendError) -> bool,
        ),
        ("far too long", |e| {
            matches!(e, SendError::TooLarge { len: 12, limit: 10 })
        }),
    ] {
        for error in [
            failure(call(&client, payload)).await,
            client.send(payload).await.unwrap_err(),
        ] {
            assert_eq!(error.fate(), Fate::NotSent);
            let Cause::Refused(refusal) = error.cause() else {
                panic!("{error}");
            };
            assert!(matches!(&**refusal, Refusal::Send(error) if is_it(error)));
        }
    }
    // The only stream is free.
    let next = call(&client, "next");
    assert_eq!(must(request(&peer)).await, (1, "next".into()));
    reply(&peer, 1, "N").await;
    assert_eq!(payload(next).await, "N");
}

#[tokio::test(start_paused = true)]
async fn full_inbox_holds_back_requests_but_no_reply() {
    let (builder, mut inbox) = Client::builder().with_inbox(2);
    let (client, peer) = client_with(builder, 10);
    for text in ["a", "b", "c", "d"] {
        reply(&peer, 0, text).await;
    }
    settle().await;
    let one = call(&client, "x");
    must(request(&peer)).await;
    reply(&peer, 1, "X").await;
    assert_eq!(payload(one).await, "X");
    reply(&peer, 0, "e").await;
    for text in ["a", "b", "c", "d", "e"] {
        assert_eq!(must(inbox.recv()).await.unwrap().payload(), text);
    }
    // It ends with the client.
    must(client.graceful_shutdown()).await;
    assert!(must(inbox.recv()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn message_for_a_dropped_inbox_is_discarded() {
    let (builder, inbox) = Client::builder().with_inbox(2);
    drop(inbox);
    let (client, peer) = client_with(builder, 10);
    for _ in 0..9 {
        reply(&peer, 0, "to nobody").await;
    }
    let one = call(&client, "x");
    must(request(&peer)).await;
    reply(&peer, 1, "X").await;
    assert_eq!(payload(one).await, "X");
    assert!(must(client.graceful_shutdown()).await.unwrap().is_orderly());
}

#[tokio::test(start_paused = true)]
async fn tower_layers_wrap_a_client() {
    let (client, peer) = client();
    let layered = tower::ServiceBuilder::new()
        .concurrency_limit(4)
        .timeout(Duration::from_secs(1))
        .service(client.clone());
    let slow = tokio::spawn(layered.clone().oneshot("slow".into()));
    let (stream, _) = must(request(&peer)).await;
    assert!(
        must(slow)
            .await
            .unwrap()
            .unwrap_err()
            .is::<tower::timeout::error::Elapsed>()
    );
    reply(&peer, stream, "late").await;
    let one = tokio::spawn(layered.oneshot("x".into()));
    let (stream, _) = must(request(&peer)).await;
    reply(&peer, stream, "X").await;
    assert_eq!(must(one).await.unwrap().unwrap().payload, "X");
    sleep(Duration::from_secs(120)).await;
    assert!(client.connect_info().is_some());
}

#[tokio::test(start_paused = true)]
async fn dropped_send_is_taken_back() {
    let (transport, peer) = Duplex::new().with_capacity(1).build();
    let client = Client::over(transport);
    must(client.send("one")).await.unwrap();
    let sending = client.clone();
    let two = tokio::spawn(async move { must(sending.send("two")).await });
    settle().await;
    assert_eq!(client.in_flight(), 1);
    two.abort();
    settle().await;
    assert_eq!(client.in_flight(), 0);
    peer.expect_message("one").await;
    must(client.send("three")).await.unwrap();
    peer.expect_message("three").await;
}
