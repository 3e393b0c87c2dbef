//! Order of requests and replies.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use sctp_service::{Config, Message, Reply, RequestOrder, Turn, testing::Peer};
use support::{Server, on};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

/// Sleeps as many seconds as it is told, and says so.
async fn sleeper(payload: Bytes) -> Bytes {
    let seconds = std::str::from_utf8(&payload).unwrap().parse().unwrap();
    sleep(Duration::from_secs(seconds)).await;
    payload
}

fn server(ordering: RequestOrder) -> Server {
    Server::with_config(Config::new().with_request_order(ordering), sleeper)
}

/// Requests of one stream.
const ONE_STREAM: [(u16, &str); 3] = [(1, "3"), (1, "1"), (1, "2")];
/// Requests of three streams.
const STREAMS: [(u16, &str); 3] = [(1, "3"), (2, "1"), (3, "2")];

async fn send<const N: usize>(peer: &Peer, requests: [(u16, &'static str); N]) {
    for (stream, text) in requests {
        peer.send(on(stream, text)).await;
    }
}

/// Expects replies in this order. Returns the time until the last in seconds.
async fn replied<const N: usize>(peer: &Peer, replies: [&'static str; N]) -> u64 {
    let begin = Instant::now();
    for text in replies {
        peer.expect_message(text).await;
    }
    begin.elapsed().as_secs()
}

/// Sends requests on a new association, and expects their replies like [`replied`].
async fn exchange<const N: usize>(
    server: &Server,
    requests: [(u16, &'static str); N],
    replies: [&'static str; N],
) -> u64 {
    let peer = server.connect().await;
    send(&peer, requests).await;
    replied(&peer, replies).await
}

#[tokio::test(start_paused = true)]
async fn replies_of_one_stream_come_in_order() {
    let server = server(RequestOrder::PerStream);
    assert_eq!(exchange(&server, ONE_STREAM, ["3", "1", "2"]).await, 6);
}

#[tokio::test(start_paused = true)]
async fn streams_do_not_wait_for_each_other() {
    let server = server(RequestOrder::PerStream);
    assert_eq!(exchange(&server, STREAMS, ["1", "2", "3"]).await, 3);
}

#[tokio::test(start_paused = true)]
async fn unordered_messages_wait_for_nothing_and_are_answered_unordered() {
    let server = server(RequestOrder::PerStream);
    let peer = server.connect().await;
    for text in ["3", "1", "2"] {
        peer.send(Message::new(text).on_stream(1).unordered()).await;
    }
    for text in ["1", "2", "3"] {
        assert!(peer.expect_message(text).await.info.unordered);
    }
}

#[tokio::test(start_paused = true)]
async fn per_association_order_serializes_all_requests() {
    let server = server(RequestOrder::PerAssociation);
    assert_eq!(exchange(&server, STREAMS, ["3", "1", "2"]).await, 6);
}

/// Waits three seconds before it releases its turn, and three before it answers.
async fn releasing(turn: Turn, payload: Bytes) -> Bytes {
    sleep(Duration::from_secs(3)).await;
    turn.release();
    sleep(Duration::from_secs(3)).await;
    payload
}

#[tokio::test(start_paused = true)]
async fn request_begins_when_the_one_before_releases_its_turn() {
    for (order, requests) in [
        (RequestOrder::PerStream, [(1, "a"), (1, "b"), (1, "c")]),
        (RequestOrder::PerAssociation, [(1, "a"), (2, "b"), (3, "c")]),
    ] {
        let server = Server::with_config(Config::new().with_request_order(order), releasing);
        let peer = server.connect().await;
        let begin = Instant::now();
        send(&peer, requests).await;
        for (text, seconds) in [("a", 6), ("b", 9), ("c", 12)] {
            peer.expect_message(text).await;
            assert_eq!(begin.elapsed().as_secs(), seconds, "{text}, {order:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn turn_released_at_once_lets_all_begin() {
    let server = Server::new(async |turn: Turn, payload: Bytes| {
        turn.release();
        sleeper(payload).await
    });
    assert_eq!(exchange(&server, ONE_STREAM, ["1", "2", "3"]).await, 3);
}

/// A server that sleeps, and passes on the turns of its requests.
fn keeping() -> (Server, mpsc::UnboundedReceiver<Turn>) {
    let (kept, turns) = mpsc::unbounded_channel();
    let server = Server::new(move |turn: Turn, payload: Bytes| {
        kept.send(turn).unwrap();
        sleeper(payload)
    });
    (server, turns)
}

#[tokio::test(start_paused = true)]
async fn turn_dropped_or_released_late_changes_nothing() {
    let (server, mut turns) = keeping();
    let peer = server.connect().await;
    send(&peer, ONE_STREAM).await;
    let begin = Instant::now();
    for text in ["3", "1", "2"] {
        peer.expect_message(text).await;
        let turn = turns.recv().await.unwrap();
        match text {
            // A later request must not lose its own turn to a release for an earlier one.
            "3" => turn.release(),
            _ => drop(turn),
        }
    }
    assert_eq!(begin.elapsed().as_secs(), 6);
}

#[tokio::test(start_paused = true)]
async fn request_of_a_restarted_peer_keeps_its_turn() {
    let (server, mut turns) = keeping();
    let peer = server.connect().await;
    peer.send(on(1, "9")).await;
    let before = turns.recv().await.unwrap();
    peer.restart();
    send(&peer, [(1, "3"), (1, "1")]).await;
    let _now = turns.recv().await.unwrap();
    // Both are the first of their association.
    before.release();
    assert_eq!(replied(&peer, ["3", "1"]).await, 4);
}

#[tokio::test(start_paused = true)]
async fn without_order_one_stream_is_served_concurrently() {
    let server = server(RequestOrder::Unordered);
    assert_eq!(exchange(&server, ONE_STREAM, ["1", "2", "3"]).await, 3);
}

#[tokio::test(start_paused = true)]
async fn next_reply_waits_for_a_reply_stream() {
    let server = Server::new(async |payload: Bytes| {
        let text = String::from_utf8(payload.into()).unwrap();
        let parts: Vec<_> = (0..3).map(|part| format!("{text}{part}")).collect();
        let ticks = futures::stream::unfold(parts.into_iter(), |mut parts| async {
            sleep(Duration::from_secs(1)).await;
            parts.next().map(|part| (part, parts))
        });
        Reply::stream(ticks)
    });
    let peer = server.connect().await;
    send(&peer, [(1, "a"), (1, "b")]).await;
    replied(&peer, ["a0", "a1", "a2", "b0", "b1", "b2"]).await;
}

#[tokio::test(start_paused = true)]
async fn busy_stream_leaves_the_others_their_turn() {
    let config = Config::new().with_max_in_flight(1);
    let server = Server::with_config(config, sleeper);
    let peer = server.connect().await;
    send(&peer, [(1, "1"), (1, "1"), (1, "1"), (2, "0")]).await;
    peer.expect_message("1").await;
    let second = peer.recv().await.unwrap();
    assert_eq!(second.info.stream.get(), 2);
}
