//! Combinators of listeners.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    future::IntoFuture,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{ListenerExt, Transport, serve, testing::ScriptedListener};
use support::{must, settle};
use tokio::{sync::oneshot, time::sleep};

async fn echo(payload: Bytes) -> Bytes {
    payload
}

#[tokio::test(start_paused = true)]
async fn tap_sees_each_association_before_it_is_served() {
    let (listener, network) = ScriptedListener::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tapped = Arc::clone(&seen);
    let listener = listener.tap(move |transport| {
        tapped
            .lock()
            .unwrap()
            .push(transport.connect_info().assoc());
    });
    let count = async move || seen.lock().unwrap().len().to_string();
    tokio::spawn(serve(listener, count).into_future());
    for count in 1..=3 {
        let peer = must(network.connect()).await.unwrap();
        peer.send("how many?").await;
        peer.expect_message(count.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn tap_that_panics_closes_its_association_alone() {
    let (listener, network) = ScriptedListener::new();
    let mut first = true;
    let listener = listener.tap(move |_| {
        assert!(!std::mem::take(&mut first), "a tap's own mistake");
    });
    tokio::spawn(serve(listener, echo).into_future());
    let lost = must(network.connect()).await.unwrap();
    must(lost.closed()).await;
    sleep(Duration::from_secs(1)).await;
    let peer = must(network.connect()).await.unwrap();
    peer.send("hello").await;
    peer.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn association_beyond_the_limit_of_its_listener_is_refused() {
    let (listener, network) = ScriptedListener::new();
    let (other, other_network) = network.another();
    let server =
        serve(listener.limit_associations(1), echo).with_listener(other.limit_associations(5));
    tokio::spawn(server.into_future());
    let first = must(network.connect()).await.unwrap();
    settle().await;
    let second = must(network.connect()).await.unwrap();
    second.expect_abort("too many associations").await;
    for peer in [&first, &must(other_network.connect()).await.unwrap()] {
        peer.send("hello").await;
        peer.expect_message("hello").await;
    }
    first.shutdown();
    must(first.closed()).await;
    settle().await;
    let third = must(network.connect()).await.unwrap();
    third.send("hello").await;
    third.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn limited_and_tapped_listener_stops() {
    let (listener, network) = ScriptedListener::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener.limit_associations(2).tap(|_| {}), echo)
        .with_graceful_shutdown(async { drop(stopped.await) });
    let serving = tokio::spawn(server.into_future());
    let served = must(network.connect()).await.unwrap();
    settle().await;
    stop.send(()).unwrap();
    served.expect_shutdown().await;
    must(serving).await.unwrap();
    assert!(must(network.connect()).await.is_err());
}
