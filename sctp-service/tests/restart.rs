//! A peer that starts again, and paths that change.

mod support;

use std::time::Duration;

use bytes::Bytes;
use sctp_core::PathState;
use sctp_service::{Request, Shutdown};
use support::{Server, on, settle};
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn calls_of_the_earlier_life_are_dropped_and_their_replies_never_sent() {
    let server = Server::new(async |payload: Bytes| {
        if payload == "slow" {
            sleep(Duration::from_secs(5)).await;
        }
        payload
    });
    let peer = server.connect().await;
    for _ in 0..3 {
        peer.send(on(1, "slow")).await;
    }
    settle().await;
    peer.restart();
    settle().await;
    server.log.assert_has("restarted");
    // The stream is free again, though its call never finished.
    peer.send(on(1, "new")).await;
    peer.expect_message("new").await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(peer.try_recv(), None);
    drop(peer);
    settle().await;
    let closed = server.log.closed();
    assert!(closed.contains("dropped_calls: 1"), "{closed}");
    assert!(closed.contains("discarded_requests: 2"), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn replies_that_were_queued_for_the_earlier_life_are_never_sent() {
    let server = Server::new(async |payload: Bytes| payload);
    let settings = sctp_service::testing::Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(settings).await.unwrap();
    for text in ["a", "b", "c"] {
        peer.send(text).await;
    }
    settle().await;
    peer.restart();
    settle().await;
    peer.send("new").await;
    peer.expect_message("new").await;
}

#[tokio::test(start_paused = true)]
async fn requests_are_numbered_anew() {
    let server = Server::new(async |request: Request| request.number().to_string());
    let peer = server.connect().await;
    for number in ["1", "2"] {
        peer.send("count").await;
        peer.expect_message(number).await;
    }
    peer.restart();
    peer.send("count").await;
    peer.expect_message("1").await;
}

#[tokio::test(start_paused = true)]
async fn an_orderly_end_that_was_under_way_is_begun_again() {
    let server = Server::new(async || Shutdown::AfterAck);
    let peer = server.connect().await;
    peer.hold_acks();
    peer.send("quit").await;
    settle().await;
    peer.restart();
    settle().await;
    peer.release_acks();
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_path_is_an_event_and_nothing_more() {
    let server = Server::new(async |payload: Bytes| payload);
    let peer = server.connect().await;
    peer.change_path("192.0.2.9:40003".parse().unwrap(), PathState::Unreachable);
    peer.change_path("[2001:db8::1]:7".parse().unwrap(), PathState::Confirmed);
    peer.send("hello").await;
    peer.expect_message("hello").await;
    server.log.assert_has("path 192.0.2.9:40003 Unreachable");
    server.log.assert_has("path [2001:db8::1]:7 Confirmed");
}
