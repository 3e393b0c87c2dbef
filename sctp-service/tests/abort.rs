//! The end at once, with its reason, from each side.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use sctp_service::{AbortReason, Message, RecvError, Shutdown};
use support::{Server, must, on, settle};
use tokio::time::sleep;

async fn abort(reason: Bytes) -> Shutdown {
    Shutdown::Abort(AbortReason::new(reason).unwrap())
}

#[tokio::test(start_paused = true)]
async fn reason_arrives_byte_for_byte() {
    let server = Server::new(abort);
    let longest = Bytes::from(vec![b'x'; AbortReason::MAX_LEN]);
    for reason in [Bytes::from("x"), Bytes::from(&b"\xff\x00\x1b"[..]), longest] {
        let peer = server.connect().await;
        peer.send(Message::new(reason.clone())).await;
        peer.expect_abort(&reason).await;
    }
    let peer = server.connect().await;
    peer.send("go").await;
    peer.expect_abort("go").await;
    settle().await;
    assert!(
        server.log.closed().starts_with("aborted (go), "),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn empty_reason_is_legal() {
    let server = Server::new(async || Shutdown::Abort(AbortReason::default()));
    let peer = server.connect().await;
    peer.send("go").await;
    peer.expect_abort("").await;
}

#[tokio::test(start_paused = true)]
async fn unsent_replies_are_discarded_and_counted() {
    let server = Server::new(async |payload: Bytes| match &payload[..] {
        b"abort" => Err(Shutdown::abort("bye")),
        _ => Ok(payload),
    });
    let settings = sctp_service::testing::Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(settings).await.unwrap();
    for text in ["a", "b", "c"] {
        peer.send(text).await;
    }
    settle().await;
    peer.send("abort").await;
    must(peer.closed()).await;
    peer.expect_message("a").await;
    peer.expect_abort("bye").await;
    settle().await;
    assert!(
        server.log.closed().contains("discarded_replies: 2"),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn abort_by_peer_reports_its_reason_and_drops_calls() {
    let server = Server::new(async |_: Bytes| sleep(Duration::from_secs(60)).await);
    let peer = server.connect().await;
    peer.send("slow").await;
    settle().await;
    peer.abort("goodbye");
    settle().await;
    let closed = server.log.closed();
    assert!(
        closed.starts_with("aborted by peer, reason \"goodbye\", "),
        "{closed}"
    );
    assert!(closed.contains("dropped_calls: 1"), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn busy_service_does_not_hide_an_abort() {
    let config = sctp_service::Config::new()
        .with_max_in_flight(1)
        .with_read_ahead(1);
    let server = Server::with_config(config, async |_: Bytes| std::future::pending::<()>().await);
    let peer = server.connect().await;
    for _ in 0..10 {
        peer.send("more").await;
    }
    settle().await;
    assert!(
        peer.unread_by_server() > 0,
        "the server should be holding back"
    );
    peer.abort("enough");
    settle().await;
    server.log.assert_has("aborted by peer, reason \"enough\"");
}

#[tokio::test(start_paused = true)]
async fn lost_peer_is_reported_as_lost() {
    let server = Server::new(async || ());
    let peer = server.connect().await;
    settle().await;
    peer.lose();
    settle().await;
    server.log.assert_has("lost: timed out");
}

#[tokio::test(start_paused = true)]
async fn abort_closes_only_its_association() {
    let server = Server::new(async |payload: Bytes| {
        if payload == "abort" {
            Err(Shutdown::abort("you"))
        } else {
            Ok(payload)
        }
    });
    let (one, other) = (server.connect().await, server.connect().await);
    one.send("abort").await;
    one.expect_abort("you").await;
    other.send("still here").await;
    other.expect_message("still here").await;
}

#[tokio::test(start_paused = true)]
async fn reply_on_a_missing_stream_aborts() {
    let server = Server::new(async |payload: Bytes| on(999, payload));
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_abort("no stream to reply on").await;
    server.log.assert_has("reply refused: stream 999 exceeds");
}

#[tokio::test(start_paused = true)]
async fn empty_or_oversized_reply_aborts_and_is_reported() {
    let server = Server::new(async |payload: Bytes| match &payload[..] {
        b"empty" => Bytes::new(),
        _ => Bytes::from(vec![0; 300_000]),
    });
    for (text, report) in [
        ("empty", "reply refused: message is empty"),
        ("huge", "reply refused: message of 300000 bytes"),
    ] {
        let peer = server.connect().await;
        peer.send(text).await;
        peer.expect_abort("internal error").await;
        server.log.assert_has(report);
    }
}

#[tokio::test(start_paused = true)]
async fn message_above_the_limit_ends_the_association() {
    let server = Server::new(async |payload: Bytes| payload);
    let peer = server.connect().await;
    peer.fail_receive(RecvError::TooLarge { limit: 1000 });
    settle().await;
    server
        .log
        .assert_has("receive failed: message from peer exceeds the limit of 1000 bytes");
    assert!(
        server.log.closed().contains("message too large"),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn busy_call_does_not_hide_an_abort() {
    let config = sctp_service::Config::new().with_max_in_flight(1);
    let server = Server::with_config(config, async |_: Bytes| -> () {
        loop {
            tokio::task::yield_now().await;
        }
    });
    let peer = server.connect().await;
    peer.send("spin").await;
    peer.send("wait").await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    peer.abort("enough");
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    server.log.assert_has("aborted by peer, reason \"enough\"");
}
