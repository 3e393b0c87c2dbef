//! Associations that are idle for too long, and those that are not.

mod support;

use std::{future::IntoFuture, sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_service::{Config, End, Side, handler::handler_fn, serve_association, testing::duplex};
use support::{Server, settle};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};
use tower::ServiceBuilder;

#[tokio::test(start_paused = true)]
async fn request_waiting_for_readiness_is_served() {
    let gate = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&gate);
    let service = ServiceBuilder::new()
        .concurrency_limit(1)
        .service(handler_fn(async move |payload: Bytes| {
            if payload == "slow" {
                wait.acquire().await.unwrap().forget();
            }
            payload
        }));
    let config = Config::new().with_idle_timeout(Duration::from_secs(1));
    let server = Server::with_config(config, service);
    let (busy, waiting) = (server.connect().await, server.connect().await);
    busy.send("slow").await;
    settle().await;
    waiting.send("hello").await;
    sleep(Duration::from_secs(60)).await;
    gate.add_permits(1);
    waiting.expect_message("hello").await;
    waiting.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn timeout_runs_from_the_last_reply() {
    let config = Config::new().with_idle_timeout(Duration::from_secs(5));
    let server = Server::with_config(config, async |payload: Bytes| {
        sleep(Duration::from_secs(7)).await;
        payload
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    let begin = Instant::now();
    peer.expect_shutdown().await;
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn timeout_of_zero_waits_for_calls_and_replies() {
    let (transport, peer) = duplex();
    assert!(peer.try_send("hello"));
    let config = Config::new().with_idle_timeout(Duration::ZERO);
    let served = serve_association(transport, async |payload: Bytes| {
        sleep(Duration::from_secs(5)).await;
        payload
    });
    let end = tokio::spawn(served.with_config(config).into_future());
    peer.expect_message("hello").await;
    peer.expect_shutdown().await;
    assert_eq!(end.await.unwrap(), End::Shutdown { by: Side::Local });
}
