//! Handlers that hear of a graceful shutdown.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::time::Duration;

use futures::StreamExt;
use sctp_service::{Drain, Reply, ReplySender, Request, testing::request};
use support::{Server, must, on, settle};
use tokio::time::{Instant, sleep};

/// One `tick` a second, for ever.
fn ticks() -> impl futures::Stream<Item = &'static str> {
    futures::stream::repeat("tick").then(|tick| async move {
        sleep(Duration::from_secs(1)).await;
        tick
    })
}

#[tokio::test(start_paused = true)]
async fn endless_stream_ends_and_the_association_in_order() {
    let mut server = Server::new(async |drain: Drain| {
        assert!(!drain.is_started());
        Reply::stream(ticks().take_until(drain.started_owned()))
    });
    let peer = server.connect().await;
    peer.send("subscribe").await;
    peer.expect_message("tick").await;
    let begin = Instant::now();
    server.stop();
    peer.expect_shutdown().await;
    must(server.stopped()).await;
    assert!(begin.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_ask_is_aborted_when_the_time_is_up() {
    let mut server = Server::new(async || Reply::stream(ticks()));
    let peer = server.connect().await;
    peer.send("subscribe").await;
    peer.expect_message("tick").await;
    let begin = Instant::now();
    server.stop();
    while must(peer.recv()).await.is_some() {}
    peer.expect_abort("server shutting down").await;
    assert_eq!(begin.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn task_that_pushes_can_say_goodbye() {
    async fn push(sender: ReplySender, drain: Drain) {
        let token = drain.child_token();
        while !token.is_cancelled() {
            tokio::select! {
                () = token.cancelled() => drop(sender.send("goodbye").await),
                () = sleep(Duration::from_secs(1)) => drop(sender.send("tick").await),
            }
        }
    }
    let mut server = Server::new(async |request: Request| {
        let (sender, reply) = Reply::channel(4);
        tokio::spawn(push(sender, request.drain().clone()));
        reply
    });
    let peer = server.connect().await;
    peer.send(on(1, "subscribe")).await;
    peer.expect_message("tick").await;
    server.stop();
    peer.expect_message("goodbye").await;
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_server_it_never_starts() {
    let request = request("x");
    assert!(!request.drain().is_started());
    assert!(!request.drain().child_token().is_cancelled());
    tokio::select! {
        () = request.drain().started() => panic!("it started"),
        () = settle() => {}
    }
}
