//! Services that use tokio's cooperative budget.

mod support;

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_service::{
    AbortReason, Reply, Request, Router,
    handler::handler_fn,
    layer::{AbortOnErrorLayer, PeerRateLimitLayer},
};
use support::{Server, on};
use tokio::sync::Mutex;
use tower::{Service, ServiceBuilder, layer::layer_fn};

/// More than there are ever calls, so that nothing may be shed.
const PLENTY: usize = 100_000;

/// Answers with the request, after work that uses up budget.
fn busy_echo()
-> impl Service<Request, Response = Reply, Error = Infallible, Future: Send> + Clone + Send + 'static
{
    let lock = Arc::<Mutex<()>>::default();
    handler_fn(move |payload: Bytes| {
        let lock = Arc::clone(&lock);
        async move {
            for _ in 0..8 {
                drop(lock.lock().await);
            }
            payload
        }
    })
}

/// Aborts if a request is shed.
fn aborting() -> AbortOnErrorLayer {
    AbortOnErrorLayer::map(|_| AbortReason::from_static("shed"))
}

/// Asks 1,000 times on 64 streams, and expects every answer.
async fn assert_nothing_is_shed(server: Server) {
    let peer = server.connect().await;
    for number in 0..1_000 {
        peer.send(on(number % 64, "hello")).await;
    }
    for _ in 0..1_000 {
        peer.expect_message("hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn buffer_with_room_is_not_shed() {
    let service = ServiceBuilder::new()
        .layer(aborting())
        .load_shed()
        .buffer(PLENTY)
        .service(busy_echo());
    assert_nothing_is_shed(Server::new(service)).await;
}

#[tokio::test(start_paused = true)]
async fn several_layers_with_room_are_not_shed() {
    let service = ServiceBuilder::new()
        .layer(aborting())
        .load_shed()
        .concurrency_limit(PLENTY)
        .buffer(PLENTY)
        .service(busy_echo());
    assert_nothing_is_shed(Server::new(service)).await;
}

#[tokio::test(start_paused = true)]
async fn route_with_room_is_not_shed() {
    let echo = busy_echo();
    let router = Router::new()
        .fallback(move |request: Request| {
            let mut echo = echo.clone();
            async move {
                let Ok(reply) = echo.call(request).await;
                reply
            }
        })
        .layer(layer_fn(|route| {
            ServiceBuilder::new()
                .layer(aborting())
                .load_shed()
                .buffer(PLENTY)
                .service(route)
        }));
    assert_nothing_is_shed(Server::new(router)).await;
}

#[tokio::test(start_paused = true)]
async fn service_behind_rate_limit_with_room_is_not_shed() {
    let limit = PeerRateLimitLayer::new(100_000, Duration::from_secs(1))
        .with_burst(1)
        .with_max_delay(Duration::from_secs(3_600));
    let service = ServiceBuilder::new()
        .layer(aborting())
        .layer(limit)
        .load_shed()
        .buffer(PLENTY)
        .service(busy_echo());
    assert_nothing_is_shed(Server::new(service)).await;
}
