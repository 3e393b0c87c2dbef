//! A peer that starts again, and paths that change.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use sctp_core::PeerAddrChangeState;
use sctp_service::{AbortReason, IncomingAssociation, Reply, Request, Shutdown, State};
use support::{Server, must, on, settle};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tower::service_fn;

#[tokio::test(start_paused = true)]
async fn restart_drops_requests_and_their_replies() {
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
async fn replies_queued_before_a_restart_are_discarded() {
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
async fn request_numbers_restart_with_the_peer() {
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
async fn orderly_end_that_was_under_way_is_begun_again() {
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
async fn path_change_is_only_reported() {
    let server = Server::new(async |payload: Bytes| payload);
    let peer = server.connect().await;
    peer.change_path(
        "192.0.2.9:40003".parse().unwrap(),
        PeerAddrChangeState::Unreachable,
    );
    peer.change_path(
        "[2001:db8::1]:7".parse().unwrap(),
        PeerAddrChangeState::Confirmed,
    );
    peer.send("hello").await;
    peer.expect_message("hello").await;
    server.log.assert_has("path 192.0.2.9:40003 Unreachable");
    server.log.assert_has("path [2001:db8::1]:7 Confirmed");
}

/// Lets one peer in at a time, and remembers who logged in; after a restart nobody has.
#[tokio::test(start_paused = true)]
async fn service_is_made_again_and_may_refuse() {
    let lives = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&lives);
    let make = service_fn(move |incoming: IncomingAssociation| {
        let life = count.fetch_add(1, Relaxed) + 1;
        assert_eq!(incoming.connect_info.peer_addrs().len(), 1);
        std::future::ready(match life {
            3 => Err(AbortReason::from_static("too often")),
            _ => Ok(sctp_service::handler::Handler::with_state(
                async |State(requests): State<Arc<AtomicU32>>| {
                    (requests.fetch_add(1, Relaxed) + 1).to_string()
                },
                Arc::<AtomicU32>::default(),
            )),
        })
    });
    let server = Server::new(make);
    let peer = server.connect().await;
    for number in ["1", "2"] {
        peer.send("count").await;
        peer.expect_message(number).await;
    }
    peer.restart();
    peer.send("count").await;
    peer.expect_message("1").await;
    peer.restart();
    peer.expect_abort("too often").await;
    assert_eq!(lives.load(Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn restart_during_a_drain_makes_no_new_service() {
    let mut server = Server::new(async || sleep(Duration::from_secs(5)).await);
    let peer = server.connect().await;
    peer.send("slow").await;
    settle().await;
    server.stop();
    settle().await;
    peer.restart();
    peer.expect_shutdown().await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn restart_while_flushing_ends_at_once() {
    let server = Server::new(async || {
        Reply::new("1")
            .with_message("2")
            .with_message("3")
            .with_shutdown(Shutdown::AfterAck)
    });
    let settings = sctp_service::testing::Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(settings).await.unwrap();
    peer.send("hello").await;
    settle().await;
    let begin = Instant::now();
    peer.restart();
    assert!(must(peer.closed()).await.is_orderly());
    assert_eq!(begin.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn graceful_shutdown_of_an_earlier_handle_drains_nothing() {
    let (tell, mut handles) = mpsc::channel(2);
    let server = Server::new(async move |request: Request| {
        tell.send(request.association().clone()).await.unwrap();
        request.into_payload()
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    let before = must(handles.recv()).await.unwrap();
    peer.restart();
    settle().await;
    before.graceful_shutdown();
    settle().await;
    peer.send("hello again").await;
    peer.expect_message("hello again").await;
    let after = must(handles.recv()).await.unwrap();
    assert!(!after.drain().is_started());
    after.graceful_shutdown();
    peer.expect_shutdown().await;
}
