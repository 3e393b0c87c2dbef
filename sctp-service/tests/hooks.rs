//! Hooks and settings that do not undo each other.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    future::{IntoFuture, pending},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{Config, serve_association, testing::duplex};
use support::{Server, must};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn hooks_are_called_in_order_of_addition() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let calls = Arc::clone(&calls);
        move |_: &sctp_service::ServerEvent<'_>| calls.lock().unwrap().push(name)
    };
    let (transport, peer) = duplex();
    let served = serve_association(transport, async |payload: Bytes| payload)
        .on_event(note("first"))
        .on_event(|_| panic!("a hook that panics keeps no other from being called"))
        .on_event(note("second"));
    let end = tokio::spawn(served.into_future());
    peer.shutdown();
    must(end).await.unwrap();
    let calls = calls.lock().unwrap();
    assert!(
        calls.len() >= 2 && calls.chunks(2).all(|pair| pair == ["first", "second"]),
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn hooks_of_a_server_add_up() {
    let count = Arc::new(AtomicUsize::new(0));
    let hook = Arc::clone(&count);
    // `Server` adds a hook of its own, which notes the events.
    let server = Server::with(
        async |payload: Bytes| payload,
        |server| {
            server.on_event(move |_| {
                hook.fetch_add(1, Ordering::Relaxed);
            })
        },
    );
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    server.log.assert_has("up");
    assert!(count.load(Ordering::Relaxed) >= server.log.lines().len());
}

#[tokio::test(start_paused = true)]
async fn config_leaves_the_drain_timeout_that_was_set() {
    let mut server = Server::with(
        async || pending::<()>().await,
        |server| {
            server
                .with_drain_timeout(Duration::from_secs(3))
                .with_config(Config::new().with_max_in_flight(1))
        },
    );
    let peer = server.connect().await;
    peer.send("hello").await;
    let begin = Instant::now();
    server.stop();
    peer.expect_abort("drain timed out").await;
    assert_eq!(begin.elapsed().as_secs(), 3);
}
