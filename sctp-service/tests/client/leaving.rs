//! Associations that take no more calls, and those that come after them.

use std::time::Duration;

use bytes::Bytes;
use sctp_service::{
    Cause, End, Fate, Message, Side,
    client::{Backoff, Client, ClientBuilder, ClientConfig},
};
use tokio::{sync::mpsc, time::Instant};
use tower::{Service, ServiceExt};

use crate::{
    connecting::{Attempt, answer, server},
    identifiers::keyed,
    support::{assert_failed, call, client, failure, must, payload, settle},
};

/// A client whose calls wait while there is no association.
fn waiting() -> ClientBuilder {
    Client::builder().with_config(ClientConfig::new().with_wait_for_connection(true))
}

/// A client whose service takes five seconds for each request.
fn slow() -> (ClientBuilder, mpsc::UnboundedReceiver<Bytes>) {
    let (done, served) = mpsc::unbounded_channel();
    let handler = async move |payload: Bytes| {
        tokio::time::sleep(Duration::from_secs(5)).await;
        done.send(payload).unwrap();
    };
    (keyed().serving(handler), served)
}

#[tokio::test(start_paused = true)]
async fn call_during_a_drain_goes_to_the_next_association() {
    let (connect, mut server) = server([]);
    let client = must(Client::builder().connect(connect)).await.unwrap();
    let first = server.peer().await;
    let held = call(&client, "held");
    let request = must(first.recv()).await.unwrap();
    client.association().graceful_shutdown();
    assert!(client.connect_info().is_none());
    let next = call(&client, "next");
    settle().await;
    assert_eq!(first.try_recv(), None);
    let second = server.peer().await;
    answer(&second, "N").await;
    assert_eq!(payload(next).await, "N");
    first
        .send(Message::new("H").on_stream(request.info.stream))
        .await;
    assert_eq!(payload(held).await, "H");
    first.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn announced_shutdown_redirects_calls() {
    let (connect, mut server) = server([]);
    let client = must(waiting().connect(connect)).await.unwrap();
    let first = server.peer().await;
    client.association().expect_shutdown();
    let next = call(&client, "next");
    let sending = client.clone();
    let sent = tokio::spawn(async move { must(sending.send("one way")).await });
    settle().await;
    assert_eq!(first.try_recv(), None);
    first.shutdown();
    let second = server.peer().await;
    let mut messages = Vec::new();
    for _ in 0..2 {
        let message = must(second.recv()).await.unwrap();
        second
            .send(Message::new("N").on_stream(message.info.stream))
            .await;
        messages.push(message.payload);
    }
    messages.sort();
    assert_eq!(messages, ["next", "one way"]);
    assert_eq!(payload(next).await, "N");
    must(sent).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn reserved_call_during_a_drain_is_not_sent() {
    for is_announced in [false, true] {
        let (mut client, peer) = client();
        client.ready().await.unwrap();
        match is_announced {
            false => client.association().graceful_shutdown(),
            true => client.association().expect_shutdown(),
        }
        let error = must(client.call("x".into())).await.unwrap_err();
        assert_failed(&error, "closed by this end", Fate::NotSent);
        assert_eq!(peer.try_recv(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn reserved_call_after_a_shutdown_fails() {
    let (mut client, peer) = client();
    let other = call(&client, "other");
    must(peer.recv()).await.unwrap();
    client.ready().await.unwrap();
    peer.hold_acks();
    peer.shutdown();
    settle().await;
    let error = must(client.call("x".into())).await.unwrap_err();
    assert_failed(&error, "shut down by peer", Fate::NotSent);
    peer.release_acks();
    assert_failed(&failure(other).await, "shut down by peer", Fate::Unknown);
}

#[tokio::test(start_paused = true)]
async fn waiting_call_goes_to_the_next_association() {
    let (connect, mut server) = server([]);
    let config = ClientConfig::new()
        .with_wait_for_connection(true)
        .with_max_in_flight(1);
    let client = Client::builder().with_config(config).connect(connect);
    let client = must(client).await.unwrap();
    let first = server.peer().await;
    let held = call(&client, "held");
    must(first.recv()).await.unwrap();
    let next = call(&client, "next");
    settle().await;
    first.shutdown();
    assert!(matches!(failure(held).await.cause(), Cause::ShutDown));
    let second = server.peer().await;
    answer(&second, "N").await;
    assert_eq!(payload(next).await, "N");
}

#[tokio::test(start_paused = true)]
async fn last_requests_do_not_delay_the_next_association() {
    let (connect, mut server) = server([]);
    let (builder, mut served) = slow();
    let client = must(builder.connect(connect)).await.unwrap();
    let mut peer = server.peer().await;
    // Each of them leaves while the one before it may still be served, or has been.
    for pause in [1, 10, 1] {
        let began = Instant::now();
        peer.send("0000Qlast").await;
        settle().await;
        peer.shutdown();
        peer = server.peer().await;
        assert!(began.elapsed() < Duration::from_millis(250));
        let asked = call(&client, "x");
        let request = must(peer.recv()).await.unwrap();
        peer.send([&request.payload[..4], b"A"].concat()).await;
        payload(asked).await;
        assert_eq!(must(served.recv()).await.unwrap(), "0000Qlast");
        assert_eq!(began.elapsed().as_secs(), 5);
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
    // A shutdown waits for both.
    peer.send("0000Qlast").await;
    settle().await;
    peer.shutdown();
    let _next = server.peer().await;
    must(client.graceful_shutdown()).await;
    assert_eq!(must(served.recv()).await.unwrap(), "0000Qlast");
}

#[tokio::test(start_paused = true)]
async fn third_association_waits_for_the_end_of_the_first() {
    let (connect, mut server) = server([]);
    let (builder, mut served) = slow();
    let _client = must(builder.connect(connect)).await.unwrap();
    let began = Instant::now();
    for text in ["0001Q", "0002Q"] {
        let peer = server.peer().await;
        peer.send(text).await;
        settle().await;
        peer.shutdown();
    }
    let _third = server.peer().await;
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(must(served.recv()).await.unwrap(), "0001Q");
    assert!(served.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn long_association_resets_the_pause() {
    let (connect, mut server) = server([Attempt::Refused; 5]);
    let (builder, mut served) = slow();
    let config = ClientConfig::new()
        .with_backoff(Backoff::new(Duration::from_secs(1), Duration::from_secs(8)));
    let _client = builder.with_config(config).connect_in_background(connect);
    let (first, _) = tokio::time::timeout(Duration::from_secs(60), server.peers.recv())
        .await
        .unwrap()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(9)).await;
    first.send("0001Q").await;
    settle().await;
    first.shutdown();
    let began = Instant::now();
    let _second = server.peer().await;
    assert!(began.elapsed() < Duration::from_millis(1010));
    assert_eq!(must(served.recv()).await.unwrap(), "0001Q");
}

#[tokio::test(start_paused = true)]
async fn last_end_is_that_of_the_newest_association() {
    let (connect, mut server) = server([]);
    let (builder, mut served) = slow();
    let client = must(builder.connect(connect)).await.unwrap();
    let first = server.peer().await;
    first.send("0001Q").await;
    settle().await;
    first.shutdown();
    let second = server.peer().await;
    settle().await;
    second.abort("newer");
    assert_eq!(must(served.recv()).await.unwrap(), "0001Q");
    settle().await;
    assert_eq!(client.last_end().unwrap().reason().unwrap(), "newer");
    let third = server.peer().await;
    third.send("0003Q").await;
    settle().await;
    third.shutdown();
    let _fourth = server.peer().await;
    settle().await;
    // The third takes longer to end than the fourth.
    let end = must(client.graceful_shutdown()).await;
    assert_eq!(end, Some(End::Shutdown { by: Side::Local }));
    assert_eq!(must(served.recv()).await.unwrap(), "0003Q");
}

#[tokio::test(start_paused = true)]
async fn call_fails_while_a_stopped_client_finishes() {
    let (connect, mut server) = server([]);
    let (builder, mut served) = slow();
    let config = ClientConfig::new().with_wait_for_connection(true);
    let client = must(builder.with_config(config).connect(connect))
        .await
        .unwrap();
    let first = server.peer().await;
    first.send("0001Q").await;
    settle().await;
    first.shutdown();
    server.peer().await.abort("gone");
    settle().await;
    let began = Instant::now();
    let stopping = client.clone();
    let stopping = tokio::spawn(async move { must(stopping.graceful_shutdown()).await });
    settle().await;
    let error = failure(call(&client, "x")).await;
    assert_failed(&error, "closed by this end", Fate::NotSent);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(must(served.recv()).await.unwrap(), "0001Q");
    must(stopping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_have_different_numbers_while_an_association_drains() {
    let (connect, mut server) = server([]);
    let builder = keyed().on_drain(async |association| {
        let _ = association.request("goodbye").await;
    });
    let client = must(builder.connect(connect)).await.unwrap();
    let first = server.peer().await;
    let _held = call(&client, "held");
    let held = must(first.recv()).await.unwrap();
    client.association().graceful_shutdown();
    let second = server.peer().await;
    let _next = call(&client, "next");
    let numbers = [
        held,
        must(first.recv()).await.unwrap(),
        must(second.recv()).await.unwrap(),
    ]
    .map(|message| message.payload[3]);
    assert_eq!(numbers, [1, 2, 3]);
}
