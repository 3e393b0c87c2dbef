//! Panics that become replies.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use sctp_service::{Reply, Request, handler::handler_fn, layer::CatchPanicLayer};
use support::{Server, on, settle};
use tower::{Service, ServiceBuilder};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("in drop");
        }
    }
}

async fn fragile(payload: Bytes) -> Bytes {
    let _bomb = (payload == "bomb").then(|| Bomb);
    tokio::task::yield_now().await;
    assert!(!payload.starts_with(b"b"), "secret");
    payload
}

#[tokio::test(start_paused = true)]
async fn panic_aborts_without_details_by_default() {
    let service = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .service(handler_fn(fragile));
    let server = Server::new(service);
    let (peer, other) = (server.connect().await, server.connect().await);
    peer.send("boom").await;
    peer.expect_abort("internal error").await;
    settle().await;
    assert_eq!(server.log.count("panicked: secret"), 0);
    other.send("hello").await;
    other.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn mapped_panic_keeps_the_association_open() {
    let service = ServiceBuilder::new()
        .layer(CatchPanicLayer::map(|message| format!("panic: {message}")))
        .service(handler_fn(fragile));
    let server = Server::new(service);
    let peer = server.connect().await;
    for text in ["boom", "bomb"] {
        peer.send(on(1, text)).await;
        peer.expect_message("panic: secret").await;
    }
    peer.send(on(1, "hello")).await;
    peer.expect_message("hello").await;
}

/// Panics where its request tells it to.
#[derive(Clone, Default)]
struct Fragile {
    panics_when_ready: bool,
}

impl Service<Request> for Fragile {
    type Response = Reply;
    type Error = Infallible;
    type Future = Ready<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        assert!(
            !std::mem::take(&mut self.panics_when_ready),
            "in poll_ready"
        );
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match &request.payload()[..] {
            b"ready" => self.panics_when_ready = true,
            b"call" => panic!("in call"),
            _ => {}
        }
        ready(Ok(Reply::new(request.into_payload())))
    }
}

#[tokio::test(start_paused = true)]
async fn panics_in_call_and_poll_ready_are_caught() {
    let service = ServiceBuilder::new()
        .layer(CatchPanicLayer::map(str::to_owned))
        .service(Fragile::default());
    let server = Server::new(service);
    let peer = server.connect().await;
    for (text, reply) in [
        ("call", "in call"),
        ("ready", "ready"),
        ("again", "in poll_ready"),
        ("hello", "hello"),
    ] {
        peer.send(text).await;
        peer.expect_message(reply).await;
    }
}
