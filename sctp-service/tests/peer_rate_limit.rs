//! The rate limit of peers.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use sctp_service::{
    AssocId, ConnectInfo, Ppid, Reply, Request, Router,
    handler::handler_fn,
    layer::{Next, PeerRateLimitLayer, from_fn},
    testing::Duplex,
};
use support::{Server, on, settle};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder};

fn from(addr: &str) -> Duplex {
    let addr: SocketAddr = addr.parse().unwrap();
    let info = ConnectInfo::new(AssocId::new(9))
        .with_peer_addrs([addr])
        .with_streams(10, 10);
    Duplex::new().with_connect_info(info)
}

async fn echo(payload: Bytes) -> Bytes {
    payload
}

fn two_a_second() -> PeerRateLimitLayer {
    PeerRateLimitLayer::new(2, Duration::from_secs(1))
}

#[tokio::test(start_paused = true)]
async fn peer_above_the_rate_is_not_read() {
    let server = Server::new(
        ServiceBuilder::new()
            .layer(two_a_second())
            .service(handler_fn(echo)),
    );
    let begin = Instant::now();
    let peer = server.connect().await;
    for number in 0..10u16 {
        peer.send(on(number, number.to_string())).await;
    }
    settle().await;
    // Two were answered, one waits for its token, and one for the service.
    assert_eq!(peer.unread_by_server(), 6);
    for number in 0..10 {
        peer.expect_message(number.to_string()).await;
    }
    assert_eq!(begin.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn associations_of_an_address_share_its_tokens() {
    let server = Server::new(
        ServiceBuilder::new()
            .layer(two_a_second().with_burst(1))
            .service(handler_fn(echo)),
    );
    let begin = Instant::now();
    let mut peers = Vec::new();
    for port in 1..=4 {
        let settings = from(&format!("192.0.2.7:{port}"));
        peers.push(server.network.connect_with(settings).await.unwrap());
    }
    for peer in &peers {
        peer.send("a").await;
    }
    let other = server
        .network
        .connect_with(from("192.0.2.8:1"))
        .await
        .unwrap();
    other.send("b").await;
    other.expect_message("b").await;
    assert_eq!(begin.elapsed().as_millis(), 0);
    for peer in &peers {
        peer.expect_message("a").await;
    }
    assert_eq!(begin.elapsed().as_millis() / 10, 150);
}

#[tokio::test(start_paused = true)]
async fn wait_that_would_be_too_long_is_an_abort() {
    let server = Server::new(
        ServiceBuilder::new()
            .layer(two_a_second().with_max_delay(Duration::ZERO))
            .service(handler_fn(echo)),
    );
    let peer = server.connect().await;
    for _ in 0..2 {
        peer.send("a").await;
        peer.expect_message("a").await;
    }
    peer.send("a").await;
    peer.expect_abort("rate limit exceeded").await;
    // The next association of the same address is no way around it.
    let again = server.connect().await;
    again.send("a").await;
    again.expect_abort("rate limit exceeded").await;
}

/// Sends 100 requests at once to a server whose limit is ten a second, and returns how long that
/// took. One that waits for more than a second is aborted.
async fn flood<S>(service: S) -> Duration
where
    S: Service<Request, Response = Reply, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
{
    let server = Server::new(service);
    let begin = Instant::now();
    let peer = server.connect().await;
    for stream in 0..100 {
        // More at once than the limit lets pass in the longest delay.
        peer.send(on(stream, stream.to_string())).await;
    }
    for _ in 0..100 {
        assert!(peer.recv().await.is_some(), "{:?}", peer.closed().await);
    }
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn rate_limit_also_holds_back_clones() {
    async fn pass(request: Request, next: Next) -> Reply {
        next.run(request).await
    }
    let limit = PeerRateLimitLayer::new(10, Duration::from_secs(1))
        .with_burst(1)
        .with_max_delay(Duration::from_secs(1));
    let fresh = || limit.clone().with_burst(1);
    let bare = ServiceBuilder::new()
        .layer(fresh())
        .service(handler_fn(echo));
    let behind = ServiceBuilder::new()
        .layer(from_fn(pass))
        .layer(fresh())
        .service(handler_fn(echo));
    let routed = Router::new().route(Ppid::new(0), echo).layer(fresh());
    for took in [flood(bare).await, flood(behind).await, flood(routed).await] {
        assert_eq!(took.as_millis() / 100, 99, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_peer_holds_no_inner_permit() {
    let server = Server::new(
        ServiceBuilder::new()
            .layer(two_a_second().with_burst(1))
            .concurrency_limit(1)
            .service(handler_fn(echo)),
    );
    let slow = server
        .network
        .connect_with(from("192.0.2.7:1"))
        .await
        .unwrap();
    for _ in 0..3 {
        slow.send("a").await;
    }
    settle().await;
    let begin = Instant::now();
    let other = server
        .network
        .connect_with(from("192.0.2.8:1"))
        .await
        .unwrap();
    other.send("b").await;
    other.expect_message("b").await;
    assert_eq!(begin.elapsed().as_millis(), 0);
}
