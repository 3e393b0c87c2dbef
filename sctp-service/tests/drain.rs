//! Handlers that hear of a graceful shutdown.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use sctp_service::{
    AssociationHandle, Config, Drain, Payload, Reply, ReplySender, Request, StreamId,
    testing::{Peer, request},
};
use support::{Server, flood, must, on, settle};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

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
async fn endless_reply_that_ignores_the_drain_is_aborted() {
    let mut server = Server::new(async || Reply::stream(ticks()));
    let peer = server.connect().await;
    peer.send("subscribe").await;
    peer.expect_message("tick").await;
    let begin = Instant::now();
    server.stop();
    while must(peer.recv()).await.is_some() {}
    peer.expect_abort("drain timed out").await;
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

#[tokio::test(start_paused = true)]
async fn drain_of_a_reply_lets_other_requests_finish() {
    let server = Server::new(async |stream: StreamId, Payload(payload): Payload| {
        if payload == "last" {
            return Reply::new("no more").then_drain();
        }
        sleep(Duration::from_secs(stream.get().into())).await;
        Reply::new(payload)
    });
    let (peer, other) = (server.connect().await, server.connect().await);
    peer.send(on(5, "slow")).await;
    peer.send(on(0, "last")).await;
    peer.expect_message("no more").await;
    peer.expect_message("slow").await;
    peer.expect_shutdown().await;
    other.send("hello").await;
    other.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn drain_behind_a_stream_of_replies_follows_its_last() {
    let server = Server::new(async || Reply::stream(ticks().take(3)).then_drain());
    let peer = server.connect().await;
    peer.send("subscribe").await;
    for _ in 0..3 {
        peer.expect_message("tick").await;
    }
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn drain_of_a_reply_ends_after_its_timeout() {
    let config = Config::new().with_drain_timeout(Duration::from_secs(3));
    let server = Server::with_config(config, async |Payload(payload): Payload| {
        if payload == "never" {
            std::future::pending::<()>().await;
        }
        Reply::none().then_drain()
    });
    let peer = server.connect().await;
    peer.send(on(1, "never")).await;
    let begin = Instant::now();
    peer.send(on(2, "last")).await;
    peer.expect_abort("drain timed out").await;
    assert_eq!(begin.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn association_of_maximum_age_is_drained() {
    let config = Config::new().with_max_association_age(Duration::from_secs(100));
    let server = Server::with_config(config, async |Payload(payload): Payload| {
        sleep(Duration::from_secs(15)).await;
        payload
    });
    let peer = server.connect().await;
    let begin = Instant::now();
    // Busy all the time; each request that was sent before the drain is served.
    for _ in 0..4 {
        peer.send(on(1, "first")).await;
        peer.expect_message("first").await;
    }
    sleep(Duration::from_secs(29)).await;
    assert!(begin.elapsed() < Duration::from_secs(90));
    peer.send(on(1, "last")).await;
    peer.expect_message("last").await;
    peer.expect_shutdown().await;
    let age = begin.elapsed().as_secs();
    assert!((90..=125).contains(&age), "{age} s");
}

/// A server whose associations are drained at 100 seconds for up to 300, and else for 20. It never
/// answers, and passes on the association of a request when its drain begins.
fn aging() -> (Server, mpsc::Receiver<AssociationHandle>) {
    let (tell, handles) = mpsc::channel(1);
    let config = Config::new()
        .with_max_association_age(Duration::from_secs(100))
        .with_max_association_age_grace(Duration::from_secs(300));
    let server = Server::with_config(
        config,
        async move |peer: AssociationHandle, drain: Drain| {
            drain.started().await;
            tell.send(peer).await.unwrap();
            std::future::pending::<()>().await;
        },
    );
    (server, handles)
}

/// Expects that an association is aborted so many seconds after a time.
async fn aborted_after(peer: &Peer, begin: Instant, seconds: u64) {
    peer.expect_abort("drain timed out").await;
    assert_eq!(begin.elapsed().as_secs(), seconds);
}

#[tokio::test(start_paused = true)]
async fn drain_for_age_ends_after_its_grace() {
    let (server, mut handles) = aging();
    let peer = server.connect().await;
    peer.send("never").await;
    handles.recv().await.unwrap();
    aborted_after(&peer, Instant::now(), 300).await;
}

#[tokio::test(start_paused = true)]
async fn server_shutdown_shortens_grace_of_age() {
    let (mut server, mut handles) = aging();
    let peer = server.connect().await;
    peer.send("never").await;
    handles.recv().await.unwrap();
    sleep(Duration::from_secs(50)).await;
    let begin = Instant::now();
    server.stop();
    aborted_after(&peer, begin, 20).await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn server_shutdown_does_not_prolong_grace_of_age() {
    let (mut server, mut handles) = aging();
    let peer = server.connect().await;
    peer.send("never").await;
    handles.recv().await.unwrap();
    let begin = Instant::now();
    sleep(Duration::from_secs(290)).await;
    server.stop();
    aborted_after(&peer, begin, 300).await;
}

#[tokio::test(start_paused = true)]
async fn handle_shortens_grace_of_age() {
    let (server, mut handles) = aging();
    let peer = server.connect().await;
    peer.send("never").await;
    let handle = handles.recv().await.unwrap();
    let begin = Instant::now();
    handle.graceful_shutdown();
    aborted_after(&peer, begin, 20).await;
}

#[tokio::test(start_paused = true)]
async fn server_shutdown_shortens_reading_in_the_grace_of_age() {
    let config = Config::new()
        .with_max_association_age(Duration::from_secs(1))
        .with_max_association_age_grace(Duration::from_secs(100))
        .with_drain_timeout(Duration::from_millis(400));
    let mut server = Server::with_config(config, async |drain: Drain, _: Bytes| {
        sleep(Duration::from_millis(1)).await;
        drain.is_started().then_some("draining")
    });
    let peer = server.connect().await;
    let stopped = async {
        peer.expect_message("draining").await;
        server.stop();
        let begin = Instant::now();
        while peer.recv().await.is_some() {}
        begin.elapsed().as_millis()
    };
    let elapsed = tokio::select! {
        () = flood(&peer) => unreachable!("it does not end"),
        elapsed = stopped => elapsed,
    };
    peer.expect_shutdown().await;
    assert!((200..400).contains(&elapsed), "{elapsed} ms");
}

#[tokio::test(start_paused = true)]
async fn server_shutdown_before_the_age_has_no_grace() {
    let (mut server, _handles) = aging();
    let peer = server.connect().await;
    peer.send("never").await;
    settle().await;
    let begin = Instant::now();
    server.stop();
    aborted_after(&peer, begin, 20).await;
}

#[tokio::test(start_paused = true)]
async fn age_for_ever_drains_nothing() {
    let config = Config::new().with_max_association_age(Duration::MAX);
    let server = Server::with_config(config, async |Payload(payload): Payload| payload);
    let peer = server.connect().await;
    sleep(Duration::from_secs(1_000_000)).await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn last_message_does_not_prolong_the_drain() {
    let (tell, mut handles) = mpsc::channel(1);
    let server = Server::new(async move |peer: AssociationHandle, payload: Bytes| {
        tell.send(peer).await.unwrap();
        payload
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    let handle = must(handles.recv()).await.unwrap();
    settle().await;
    let begun = Instant::now();
    handle.try_send("last words").unwrap();
    handle.graceful_shutdown();
    peer.expect_message("last words").await;
    peer.expect_shutdown().await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}
