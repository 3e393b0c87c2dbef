//! The graceful end, from each side.

mod support;

use std::time::Duration;

use bytes::Bytes;
use sctp_service::{Config, Payload, Reply, Shutdown};
use support::{Server, must, on, settle};
use tokio::time::{Instant, sleep};

/// Answers, and ends the association if it is asked to.
async fn echo(payload: Bytes) -> (Bytes, Option<Shutdown>) {
    let shutdown = (payload == "quit").then_some(Shutdown::AfterAck);
    (payload, shutdown)
}

#[tokio::test(start_paused = true)]
async fn reply_is_followed_by_orderly_shutdown() {
    let server = Server::new(echo);
    let peer = server.connect().await;
    peer.send(on(2, "hello")).await;
    peer.expect_message("hello").await;
    peer.send(on(2, "quit")).await;
    let last = peer.expect_message("quit").await;
    assert_eq!(last.info.stream.get(), 2);
    peer.expect_shutdown().await;
    settle().await;
    assert!(
        server.log.closed().starts_with("shut down, "),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn queued_replies_are_sent_before_after_ack() {
    let server = Server::new(echo);
    let settings = sctp_service::testing::Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(settings).await.unwrap();
    for text in ["a", "b", "quit"] {
        peer.send(text).await;
    }
    for text in ["a", "b", "quit"] {
        sleep(Duration::from_secs(1)).await;
        peer.expect_message(text).await;
    }
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn requests_after_after_ack_are_discarded_and_counted() {
    let server = Server::new(echo);
    let peer = server.connect().await;
    peer.hold_acks();
    peer.send("quit").await;
    peer.expect_message("quit").await;
    for _ in 0..3 {
        peer.send("late").await;
    }
    settle().await;
    assert_eq!(peer.unread_by_server(), 0, "the end could not be heard");
    peer.release_acks();
    peer.expect_shutdown().await;
    settle().await;
    assert!(
        server.log.closed().contains("discarded_requests: 3"),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_acknowledges_is_aborted() {
    let server = Server::with_config(
        Config::new().with_shutdown_timeout(Duration::from_secs(5)),
        echo,
    );
    let peer = server.connect().await;
    peer.hold_acks();
    let begin = Instant::now();
    peer.send("quit").await;
    peer.expect_message("quit").await;
    peer.expect_abort("shutdown timed out").await;
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_reads_is_aborted() {
    let server = Server::new(echo);
    let settings = sctp_service::testing::Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(settings).await.unwrap();
    for text in ["a", "b", "quit"] {
        peer.send(text).await;
    }
    let begin = Instant::now();
    must(peer.closed()).await;
    assert_eq!(begin.elapsed().as_secs(), 10);
    peer.expect_message("a").await;
    peer.expect_abort("shutdown timed out").await;
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_on_other_streams_are_dropped() {
    let server = Server::new(async |payload: Bytes| {
        if payload == "slow" {
            sleep(Duration::from_secs(60)).await;
        }
        echo(payload).await
    });
    let peer = server.connect().await;
    peer.send(on(1, "slow")).await;
    peer.send(on(2, "quit")).await;
    peer.expect_message("quit").await;
    peer.expect_shutdown().await;
    settle().await;
    assert!(
        server.log.closed().contains("dropped_calls: 1"),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn peer_that_shuts_down_has_its_last_requests_served() {
    let (done, mut served) = tokio::sync::mpsc::channel(8);
    let server = Server::new(async move |payload: Bytes| {
        sleep(Duration::from_secs(1)).await;
        done.send(payload).await.unwrap();
    });
    let peer = server.connect().await;
    for text in ["a", "b", "c"] {
        peer.send(text).await;
    }
    peer.shutdown();
    peer.expect_shutdown().await;
    for text in ["a", "b", "c"] {
        assert_eq!(must(served.recv()).await.unwrap(), text);
    }
    settle().await;
    assert!(
        server.log.closed().starts_with("shut down by peer, "),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn unread_requests_before_a_shutdown_are_served() {
    let (done, mut served) = tokio::sync::mpsc::channel(8);
    let config = Config::new().with_read_ahead(1);
    let server = Server::with_config(config, async move |payload: Bytes| {
        sleep(Duration::from_secs(1)).await;
        done.send(payload).await.unwrap();
    });
    let peer = server.connect().await;
    for text in ["a", "b", "c", "d", "e"] {
        peer.send(text).await;
    }
    peer.shutdown();
    for text in ["a", "b", "c", "d", "e"] {
        assert_eq!(must(served.recv()).await.unwrap(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_call_is_dropped_after_shutdown_by_peer() {
    let server = Server::new(async |Payload(_): Payload| std::future::pending::<()>().await);
    let peer = server.connect().await;
    peer.send("hang").await;
    settle().await;
    peer.shutdown();
    sleep(Duration::from_secs(9)).await;
    assert_eq!(server.log.closed(), "");
    sleep(Duration::from_secs(2)).await;
    assert!(
        server.log.closed().contains("dropped_calls: 1"),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn refused_reply_aborts_instead() {
    let server =
        Server::new(async |Payload(_): Payload| Reply::new("").with_shutdown(Shutdown::AfterAck));
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_abort("internal error").await;
    settle().await;
    server.log.assert_has("reply refused: ");
}

#[tokio::test(start_paused = true)]
async fn refused_earlier_reply_aborts_instead() {
    let server = Server::new(async |payload: Bytes| match &payload[..] {
        b"empty" => Reply::new(""),
        _ => Reply::new(payload).with_shutdown(Shutdown::AfterAck),
    });
    let peer = server.connect().await;
    // Both in one batch.
    peer.send(on(1, "empty")).await;
    peer.send(on(2, "quit")).await;
    peer.expect_abort("internal error").await;
}

/// There are two terminations, and a `match` of a user says so.
#[test]
fn shutdowns_are_matched_without_a_wildcard() {
    let is_orderly = |shutdown: &Shutdown| match shutdown {
        Shutdown::AfterAck => true,
        Shutdown::Abort(_) => false,
    };
    assert!(is_orderly(&Shutdown::AfterAck) && !is_orderly(&Shutdown::abort("x")));
}
