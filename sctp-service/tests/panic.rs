//! Services that panic end their own association, and nothing else.

mod support;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use sctp_service::{Reply, Request, Shutdown};
use support::{Server, on, settle};
use tower::Service;

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
        assert!(!self.panics_when_ready, "in poll_ready");
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
async fn in_call_or_in_poll_ready() {
    let server = Server::new(Fragile::default());
    let (one, two, other) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    one.send("call").await;
    one.expect_abort("internal error").await;
    server.log.assert_has("panicked: in call");
    two.send("ready").await;
    two.send("again").await;
    two.closed().await;
    server.log.assert_has("panicked: in poll_ready");
    other.send("hello").await;
    other.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn in_a_handler_while_others_are_in_flight() {
    let server = Server::new(async |payload: Bytes| {
        tokio::task::yield_now().await;
        assert_ne!(payload, "boom", "a handler of {} bytes", payload.len());
        std::future::pending::<()>().await;
    });
    let peer = server.connect().await;
    peer.send(on(1, "hang")).await;
    peer.send(on(2, "boom")).await;
    peer.expect_abort("internal error").await;
    settle().await;
    assert!(
        server.log.closed().contains("dropped_calls: 2"),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn in_a_stream_of_replies() {
    let server = Server::new(async || {
        Reply::stream(futures::stream::poll_fn(|_| -> Poll<Option<Bytes>> {
            panic!("in a stream")
        }))
    });
    let peer = server.connect().await;
    peer.send("go").await;
    peer.expect_abort("internal error").await;
    server.log.assert_has("panicked: in a stream");
}

#[tokio::test(start_paused = true)]
async fn in_the_destructor_of_a_call_that_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let mut server = Server::new(async |payload: Bytes| {
        if payload == "quit" {
            return Shutdown::AfterAck;
        }
        let _bomb = Bomb;
        std::future::pending().await
    });
    let peer = server.connect().await;
    peer.send(on(1, "hang")).await;
    settle().await;
    peer.send(on(2, "quit")).await;
    peer.expect_shutdown().await;
    settle().await;
    server.log.assert_has("panicked: in a destructor");
    server.stop();
    server.stopped().await;
}

#[tokio::test(start_paused = true)]
async fn in_the_event_hook_it_does_not_matter() {
    use std::future::IntoFuture;
    let (listener, network) = sctp_service::testing::ScriptedListener::new();
    let server = sctp_service::serve(listener, async |payload: Bytes| payload)
        .on_event(|event| panic!("at {event:?}"));
    tokio::spawn(server.into_future());
    let peer = network.connect().await.unwrap();
    peer.send("hello").await;
    peer.expect_message("hello").await;
}
