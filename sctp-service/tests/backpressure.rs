//! Backpressure on peers that send too much or read too little.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_service::{
    Config, Reply,
    handler::handler_fn,
    testing::{Duplex, Peer},
};
use support::{Server, must, on, settle};
use tokio::{sync::Semaphore, time::sleep};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};

#[tokio::test(start_paused = true)]
async fn busy_service_stops_reading() {
    let gate = Arc::new(Semaphore::new(0));
    let config = Config::new().with_max_in_flight(2).with_read_ahead(3);
    let wait = Arc::clone(&gate);
    let server = Server::with_config(config, async move |payload: Bytes| {
        wait.acquire().await.unwrap().forget();
        payload
    });
    let peer = server.connect().await;
    for stream in 0..10 {
        peer.send(on(stream, "hello")).await;
    }
    settle().await;
    // Two are being served, and one was read to find that it has to wait.
    assert_eq!(peer.unread_by_server(), 7);
    gate.add_permits(1);
    settle().await;
    assert_eq!(peer.unread_by_server(), 6);
    gate.add_permits(100);
    for _ in 0..10 {
        peer.expect_message("hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn read_ahead_behind_a_slow_request_is_bounded() {
    let gate = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&gate);
    let config = Config::new().with_read_ahead(3);
    let server = Server::with_config(config, async move |payload: Bytes| {
        if payload == "slow" {
            wait.acquire().await.unwrap().forget();
        }
        payload
    });
    let peer = server.connect().await;
    for _ in 0..10 {
        peer.send(on(1, "slow")).await;
    }
    settle().await;
    assert_eq!(peer.unread_by_server(), 6);
    gate.add_permits(10);
    for _ in 0..10 {
        peer.expect_message("slow").await;
    }
}

#[tokio::test(start_paused = true)]
async fn service_that_is_not_ready_stops_reading() {
    let gate = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&gate);
    let service = ServiceBuilder::new()
        .concurrency_limit(1)
        .service(handler_fn(async move |payload: Bytes| {
            wait.acquire().await.unwrap().forget();
            payload
        }));
    let server = Server::new(service);
    let peer = server.connect().await;
    for stream in 0..10 {
        peer.send(on(stream, "hello")).await;
    }
    settle().await;
    assert_eq!(peer.unread_by_server(), 8);
    gate.add_permits(10);
    for _ in 0..10 {
        peer.expect_message("hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn idle_associations_hold_no_place_in_a_shared_limit() {
    let service = ServiceBuilder::new()
        .concurrency_limit(1)
        .service(handler_fn(async |b: Bytes| b));
    let server = Server::new(service);
    let idle = [server.connect().await, server.connect().await];
    settle().await;
    let busy = server.connect().await;
    busy.send("hello").await;
    busy.expect_message("hello").await;
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn peer_that_does_not_read_stalls_only_itself() {
    let config = Config::new()
        .with_reply_queue(4)
        .with_reply_queue_bytes(1024);
    let server = Server::with_config(config, async |payload: Bytes| payload);
    let settings = Duplex::new().with_capacity(8);
    let deaf = server.network.connect_with(settings).await.unwrap();
    let mut sent = 0;
    while deaf.try_send("hello") {
        sent += 1;
        settle().await;
    }
    // 8 in the peer's buffer, 4 in the send queue, 8 in the server's.
    assert_eq!(sent, 20);
    let other = server.connect().await;
    other.send("hello").await;
    other.expect_message("hello").await;
    for _ in 0..sent {
        deaf.expect_message("hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn send_queue_is_limited_in_bytes_too() {
    let config = Config::new()
        .with_reply_queue(1000)
        .with_reply_queue_bytes(100);
    let server = Server::with_config(config, async |payload: Bytes| payload);
    let settings = Duplex::new().with_capacity(1);
    let deaf = server.network.connect_with(settings).await.unwrap();
    for _ in 0..4 {
        deaf.send(vec![b'x'; 60]).await;
        settle().await;
    }
    // One is with the peer, two exceed the limit, and one is not read.
    assert_eq!(deaf.unread_by_server(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_go_on_while_the_peer_does_not_read() {
    let (done, mut served) = tokio::sync::mpsc::channel(8);
    let config = Config::new()
        .with_reply_queue(1)
        .with_reply_queue_bytes(1024);
    let server = Server::with_config(config, async move |payload: Bytes| {
        sleep(Duration::from_secs(1)).await;
        done.send(()).await.unwrap();
        payload
    });
    let settings = Duplex::new().with_capacity(1);
    let deaf = server.network.connect_with(settings).await.unwrap();
    for stream in 0..5 {
        deaf.send(on(stream, "hello")).await;
    }
    for _ in 0..5 {
        must(served.recv()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn reply_stream_waits_for_queue_space() {
    let (pushed, count) = tokio::sync::watch::channel(0);
    let config = Config::new()
        .with_reply_queue(2)
        .with_reply_queue_bytes(1024);
    let server = Server::with_config(config, async move || {
        let pushed = pushed.clone();
        Reply::stream(futures::stream::iter(0..100).map_to_text(pushed))
    });
    let settings = Duplex::new().with_capacity(1);
    let deaf = server.network.connect_with(settings).await.unwrap();
    deaf.send("go").await;
    settle().await;
    assert!(*count.borrow() <= 4, "{} were taken", *count.borrow());
    for number in 0..100 {
        deaf.expect_message(number.to_string()).await;
    }
}

trait MapToText: futures::Stream<Item = i32> + Sized {
    fn map_to_text(
        self,
        pushed: tokio::sync::watch::Sender<i32>,
    ) -> impl futures::Stream<Item = String> {
        futures::StreamExt::map(self, move |number| {
            pushed.send_replace(number);
            number.to_string()
        })
    }
}

impl<S: futures::Stream<Item = i32>> MapToText for S {}

#[tokio::test(start_paused = true)]
async fn reply_sender_detects_the_end_while_waiting() {
    let (ended, end) = tokio::sync::oneshot::channel();
    let ended = Arc::new(std::sync::Mutex::new(Some(ended)));
    let config = Config::new()
        .with_reply_queue(1)
        .with_reply_queue_bytes(1024);
    let server = Server::with_config(config, async move || {
        let (sender, reply) = Reply::channel(1);
        let ended = ended.lock().unwrap().take().unwrap();
        tokio::spawn(async move {
            let mut pushed = 0;
            while sender.send("tick").await.is_ok() {
                pushed += 1;
            }
            ended.send(pushed).unwrap();
        });
        reply
    });
    let settings = Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(settings).await.unwrap();
    peer.send("subscribe").await;
    peer.expect_message("tick").await;
    settle().await;
    peer.abort("enough");
    assert!(end.await.unwrap() < 8);
}

#[tokio::test(start_paused = true)]
async fn peer_that_floods_leaves_the_others_their_turn() {
    let (note, mut served) = tokio::sync::mpsc::channel(2000);
    let server = Server::new(async move |payload: Bytes| note.try_send(payload).unwrap());
    let (flood, other) = (server.connect().await, server.connect().await);
    for _ in 0..1000 {
        assert!(flood.try_send("flood"));
    }
    other.send("hello").await;
    let mut before = 0;
    while must(served.recv()).await.unwrap() == "flood" {
        before += 1;
    }
    assert!(before < 100, "{before} of the flood were served first");
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_are_limited_in_bytes_too() {
    // Each costs its payload and 256 bytes.
    let config = Config::new().with_read_ahead_bytes(2 * 356 + 1);
    let server = Server::with_config(config, async |payload: Bytes| {
        sleep(Duration::from_secs(1)).await;
        payload.len().to_string()
    });
    let peer = server.connect().await;
    for _ in 0..10 {
        peer.send(on(1, vec![0; 100])).await;
    }
    settle().await;
    // One is served; three are held, the last of which crossed the limit.
    assert_eq!(peer.unread_by_server(), 6);
    for _ in 0..10 {
        peer.expect_message("100").await;
    }
}

/// Fills the replies' way to a peer that reads none of them.
async fn deafen(server: &Server, streams: u16) -> Peer {
    let deaf = server
        .network
        .connect_with(Duplex::new().with_capacity(8))
        .await
        .unwrap();
    let mut stream = 0;
    // More than all queues hold.
    for _ in 0..100 {
        while deaf.try_send(on(stream, "hello")) {
            stream = (stream + 1) % streams;
        }
        sleep(Duration::from_millis(10)).await;
    }
    deaf
}

#[tokio::test(start_paused = true)]
async fn peers_that_do_not_read_hold_no_permits() {
    const PERMITS: usize = 2;
    let limit = Arc::new(Semaphore::new(PERMITS));
    let service = ServiceBuilder::new()
        .layer(GlobalConcurrencyLimitLayer::with_semaphore(limit.clone()))
        .service(handler_fn(async |payload: Bytes| {
            sleep(Duration::from_millis(1)).await;
            payload
        }));
    let config = Config::new()
        .with_reply_queue(4)
        .with_reply_queue_bytes(1024);
    let server = Server::with_config(config, service);
    let deaf = futures::future::join_all((0..5).map(|_| deafen(&server, 16))).await;
    assert_eq!(limit.available_permits(), PERMITS);
    let other = server.connect().await;
    other.send("hello").await;
    other.expect_message("hello").await;
    drop(deaf);
}

/// Whichever round of the session's fills the queue.
#[tokio::test(start_paused = true)]
async fn reply_stream_completes_at_every_queue_limit() {
    for limit in 1..=70 {
        let config = Config::new()
            .with_reply_queue(limit)
            .with_reply_queue_bytes(1 << 20);
        let server = Server::with_config(config, async || {
            Reply::stream(futures::stream::iter((0..200).map(|n: u32| n.to_string())))
        });
        let peer = server.connect().await;
        settle().await;
        peer.send("go").await;
        for n in 0..200 {
            peer.expect_message(n.to_string()).await;
        }
    }
}
