//! Servers that break the rules.

use std::time::Duration;

use sctp_service::{
    AssocId, ByStream, Cause, ConnectInfo, Fate, Message,
    client::{Client, ClientConfig},
    testing::Duplex,
};
use tokio::time::sleep;

use crate::support::{assert_failed, call, client, client_with, failure, must, payload, settle};

#[tokio::test(start_paused = true)]
async fn reply_on_the_wrong_stream_aborts_the_association() {
    let (client, peer) = client();
    let one = call(&client, "x");
    must(peer.recv()).await.unwrap();
    peer.send(Message::new("X").on_stream(5)).await;
    let error = failure(one).await;
    assert_failed(
        &error,
        "peer sent a reply that matches no call",
        Fate::Unknown,
    );
    peer.expect_abort("unexpected reply").await;
    assert!(matches!(
        must(client.request("y")).await.unwrap_err().cause(),
        Cause::Uncorrelated
    ));
}

#[tokio::test(start_paused = true)]
async fn duplicate_reply_aborts_the_association() {
    let (client, peer) = client();
    let one = call(&client, "x");
    must(peer.recv()).await.unwrap();
    peer.send(Message::new("X").on_stream(1)).await;
    peer.send(Message::new("X again").on_stream(1)).await;
    assert_eq!(payload(one).await, "X");
    peer.expect_abort("unexpected reply").await;
}

/// Its request waits for room: the server has not read the one before it.
#[tokio::test(start_paused = true)]
async fn reply_to_an_unsent_request_aborts_the_association() {
    let info = ConnectInfo::new(AssocId::new(3)).with_streams(10, 10);
    let settings = Duplex::new().with_connect_info(info).with_capacity(1);
    let (transport, peer) = settings.build();
    let client = Client::over(transport);
    let sent = call(&client, "sent");
    settle().await;
    let unsent = call(&client, "unsent");
    settle().await;
    peer.send(Message::new("stray").on_stream(2)).await;
    let text = "peer sent a reply that matches no call";
    assert_failed(&failure(unsent).await, text, Fate::NotSent);
    assert_failed(&failure(sent).await, text, Fate::Unknown);
    peer.expect_message("sent").await;
    peer.expect_abort("unexpected reply").await;
}

#[tokio::test(start_paused = true)]
async fn tolerant_client_takes_a_stray_message_for_a_request() {
    let builder = Client::builder().with_correlation(ByStream::new().with_strict(false));
    let (builder, mut inbox) = builder.with_inbox(1);
    let (client, peer) = client_with(builder, 10);
    peer.send(Message::new("stray").on_stream(5)).await;
    assert_eq!(must(inbox.recv()).await.unwrap().payload(), "stray");
    assert!(client.connect_info().is_some());
}

#[tokio::test(start_paused = true)]
async fn stream_beyond_those_for_calls_carries_requests() {
    // The server has more streams than the client, which calls on 1 to 9.
    let info = ConnectInfo::new(AssocId::new(3)).with_streams(11, 10);
    let (transport, peer) = Duplex::new().with_connect_info(info).build();
    let (builder, mut inbox) = Client::builder().with_inbox(1);
    let _client = builder.over(transport);
    peer.send(Message::new("far out").on_stream(10)).await;
    assert_eq!(must(inbox.recv()).await.unwrap().payload(), "far out");
}

#[tokio::test(start_paused = true)]
async fn association_without_any_reply_is_aborted() {
    let config = ClientConfig::new()
        .with_call_timeout(Duration::from_secs(5))
        .with_overdue_after(Duration::from_secs(20));
    let (client, peer) = client_with(Client::builder().with_config(config), 3);
    for _ in 0..2 {
        let one = call(&client, "never answered");
        assert_failed(&failure(one).await, "no reply in time", Fate::Unknown);
    }
    // Both streams are taken, and one is dead soon; a call waits, and fails in time.
    let waiting = call(&client, "waiting");
    assert_failed(&failure(waiting).await, "no reply in time", Fate::NotSent);
    sleep(Duration::from_secs(11)).await;
    let last = call(&client, "last");
    let error = failure(last).await;
    assert_failed(
        &error,
        "peer no longer replies on any stream",
        Fate::NotSent,
    );
    for _ in 0..2 {
        peer.expect_message("never answered").await;
    }
    peer.expect_abort("no reply").await;
}

#[tokio::test(start_paused = true)]
async fn dead_stream_is_usable_after_its_late_reply() {
    let config = ClientConfig::new()
        .with_call_timeout(Duration::from_secs(5))
        .with_overdue_after(Duration::from_secs(20));
    let (client, peer) = client_with(Client::builder().with_config(config), 3);
    let late = call(&client, "late");
    must(peer.recv()).await.unwrap();
    failure(late).await;
    sleep(Duration::from_secs(60)).await;
    for _ in 0..2 {
        let one = call(&client, "x");
        assert_eq!(must(peer.recv()).await.unwrap().info.stream.get(), 2);
        peer.send(Message::new("X").on_stream(2)).await;
        payload(one).await;
    }
    peer.send(Message::new("after all").on_stream(1)).await;
    settle().await;
    let (a, b) = (call(&client, "a"), call(&client, "b"));
    let mut streams = [0; 2];
    for stream in &mut streams {
        let message = must(peer.recv()).await.unwrap();
        *stream = message.info.stream.get();
        let reply = Message::new(message.payload).on_stream(*stream);
        peer.send(reply).await;
    }
    streams.sort_unstable();
    assert_eq!(streams, [1, 2]);
    assert_eq!(payload(a).await, "a");
    assert_eq!(payload(b).await, "b");
}

#[tokio::test(start_paused = true)]
async fn one_stream_serves_one_call_at_a_time() {
    let (client, peer) = client_with(Client::builder(), 1);
    let calls: Vec<_> = (0..10).map(|n| call(&client, n.to_string())).collect();
    for _ in 0..10 {
        let message = must(peer.recv()).await.unwrap();
        assert_eq!(message.info.stream.get(), 0);
        settle().await;
        assert_eq!(peer.try_recv(), None);
        peer.send(Message::new(message.payload)).await;
    }
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(payload(call).await, n.to_string());
    }
    client.send("one-way").await.unwrap();
    peer.expect_message("one-way").await;
}
