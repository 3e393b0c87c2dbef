//! Middleware that is an async function.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sctp_service::{
    AbortReason, Extension, IntoReply, Ppid, Reply, Request, Router, Shutdown, State, StreamId,
    handler::handler_fn,
    layer::{AbortOnErrorLayer, Next, from_fn, from_fn_with_state},
};
use support::{Server, on};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tower::ServiceBuilder;

/// Puts the request between brackets, and the reply after an arrow.
async fn mark(request: Request, next: Next) -> Reply {
    let (parts, payload) = request.into_parts();
    let marked = format!("[{}]", payload.escape_ascii());
    let reply = next.run(Request::from_parts(parts, marked.into())).await;
    let text = reply.messages().next().unwrap().payload.clone();
    Reply::new(format!("-> {}", text.escape_ascii()))
}

async fn echo(text: String) -> String {
    text
}

#[tokio::test(start_paused = true)]
async fn request_and_reply_can_be_changed() {
    let service = ServiceBuilder::new()
        .layer(from_fn(mark))
        .service(handler_fn(echo));
    let server = Server::new(service);
    let peer = server.connect().await;
    for stream in [1, 4] {
        peer.send(on(stream, "hello")).await;
        let reply = peer.expect_message("-> [hello]").await;
        assert_eq!(reply.info.stream.get(), stream);
    }
}

#[tokio::test(start_paused = true)]
async fn middleware_may_reply_and_terminate() {
    let called = Arc::new(AtomicU32::new(0));
    let guard = |request: Request, next: Next| async move {
        match &request.payload()[..] {
            b"who" => "me".into_reply(),
            b"out" => Shutdown::abort("not you").into_reply(),
            _ => next.run(request).await,
        }
    };
    let counter = called.clone();
    let count = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        async { "called" }
    };
    let service = ServiceBuilder::new()
        .layer(from_fn(guard))
        .service(handler_fn(count));
    let server = Server::new(service);
    let peer = server.connect().await;
    peer.send("who").await;
    peer.expect_message("me").await;
    assert_eq!(called.load(Ordering::Relaxed), 0);
    peer.send("hello").await;
    peer.expect_message("called").await;
    peer.send("out").await;
    peer.expect_abort("not you").await;
    assert_eq!(called.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn inner_service_is_called_as_it_was_ready() {
    let service = ServiceBuilder::new()
        .layer(from_fn(async |request: Request, next: Next| {
            next.run(request).await
        }))
        .concurrency_limit(1)
        .service(handler_fn(async |text: String| {
            sleep(Duration::from_secs(2)).await;
            text
        }));
    let server = Server::new(service);
    let begin = Instant::now();
    let peers = [server.connect().await, server.connect().await];
    for peer in &peers {
        peer.send(on(1, "a")).await;
        peer.send(on(2, "b")).await;
    }
    for peer in &peers {
        let mut texts = [(); 2].map(|()| None);
        for text in &mut texts {
            *text = Some(peer.recv().await.unwrap().payload);
        }
        texts.sort();
        assert_eq!(texts.map(Option::unwrap), ["a", "b"]);
    }
    assert_eq!(begin.elapsed().as_secs(), 8, "one at a time");
}

#[tokio::test(start_paused = true)]
async fn next_that_is_dropped_gives_its_reservation_back() {
    let slow = Arc::new(Notify::new());
    let waits = slow.clone();
    let skip = move |request: Request, next: Next| {
        let waits = waits.clone();
        async move {
            if &request.payload()[..] == b"slow" {
                drop(next);
                waits.notified().await;
                return "at last".into_reply();
            }
            next.run(request).await
        }
    };
    let service = ServiceBuilder::new()
        .layer(from_fn(skip))
        .concurrency_limit(1)
        .service(handler_fn(echo));
    let server = Server::new(service);
    let (first, second) = (server.connect().await, server.connect().await);
    first.send("slow").await;
    second.send("quick").await;
    second.expect_message("quick").await;
    slow.notify_one();
    first.expect_message("at last").await;
}

#[tokio::test(start_paused = true)]
async fn aborts_of_errors_behind_it_are_replies_to_it() {
    let seen = Arc::new(AtomicU32::new(0));
    let counter = seen.clone();
    let count = move |request, next: Next| {
        let counter = counter.clone();
        async move {
            let reply = next.run(request).await;
            if matches!(reply.shutdown(), Some(Shutdown::Abort(_))) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            reply
        }
    };
    let too_slow = AbortReason::from_static("too slow");
    let service = ServiceBuilder::new()
        .layer(from_fn(count))
        .layer(AbortOnErrorLayer::with_reason(too_slow))
        .timeout(Duration::from_secs(1))
        .service(handler_fn(async || std::future::pending::<()>().await));
    let server = Server::new(service);
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_abort("too slow").await;
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

/// Tower's `load_shed` alone would leave the one that was answered in the limit's queue, and the
/// next permit to it: then nobody else is served.
#[tokio::test(start_paused = true)]
async fn request_answered_busy_holds_no_permit() {
    let busy = async |request: Request, next: Next| {
        let reply = next.run(request).await;
        match reply.shutdown() {
            Some(Shutdown::Abort(reason)) if reason.as_bytes() == b"overloaded" => {
                "busy".into_reply()
            }
            _ => reply,
        }
    };
    let overloaded = AbortReason::from_static("overloaded");
    let service = ServiceBuilder::new()
        .layer(from_fn(busy))
        .layer(AbortOnErrorLayer::with_reason(overloaded))
        .load_shed()
        .concurrency_limit(1)
        .service(handler_fn(async |text: String| {
            sleep(Duration::from_secs(5)).await;
            text
        }));
    let server = Server::new(service);
    let peers = [
        server.connect().await,
        server.connect().await,
        server.connect().await,
    ];
    peers[0].send("first").await;
    sleep(Duration::from_secs(1)).await;
    peers[1].send("second").await;
    peers[1].expect_message("busy").await;
    peers[0].expect_message("first").await;
    // The second is up and silent. The permit is free for the third.
    peers[2].send("third").await;
    peers[2].expect_message("third").await;
}

#[tokio::test(start_paused = true)]
async fn end_of_the_association_drops_the_middleware() {
    let alive = Arc::new(());
    let held = alive.clone();
    let hold = move |request, next: Next| {
        let held = held.clone();
        async move {
            let reply = next.run(request).await;
            drop(held);
            reply
        }
    };
    let inner = alive.clone();
    let handler = move || {
        let inner = inner.clone();
        async move {
            std::future::pending::<()>().await;
            drop(inner);
        }
    };
    let service = ServiceBuilder::new()
        .layer(from_fn(hold))
        .service(handler_fn(handler));
    let mut server = Server::new(service);
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.abort("bye");
    server.stop();
    server.stopped().await;
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[tokio::test(start_paused = true)]
async fn around_a_router() {
    let router: Router = Router::new()
        .route(Ppid::new(1), echo)
        .route_layer(from_fn(mark));
    let server = Server::new(router);
    let peer = server.connect().await;
    peer.send(on(0, "hello").with_ppid(1)).await;
    peer.expect_message("-> [hello]").await;
    peer.send(on(0, "hello").with_ppid(2)).await;
    peer.expect_abort("no handler for PPID 2 on stream 0").await;
}

#[tokio::test(start_paused = true)]
async fn middleware_takes_extractors_and_state() {
    async fn tag(
        State(name): State<&'static str>,
        stream: StreamId,
        request: Request,
        next: Next,
    ) -> (Reply, Option<Shutdown>) {
        let (parts, payload) = request.into_parts();
        let text = format!("{name} {stream} {}", payload.len());
        let reply = next.run(Request::from_parts(parts, text.into())).await;
        (reply, (stream.get() == 2).then_some(Shutdown::AfterAck))
    }
    let service = ServiceBuilder::new()
        .layer(from_fn_with_state("amf", tag))
        .service(handler_fn(async |text: String| text));
    let server = Server::new(service);
    let peer = server.connect().await;
    peer.send(on(1, "four")).await;
    peer.expect_message("amf 1 4").await;
    peer.send(on(2, "x")).await;
    peer.expect_message("amf 2 1").await;
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn rejected_argument_is_the_reply_of_middleware() {
    let service = ServiceBuilder::new()
        .layer(from_fn(
            async |_: Extension<u8>, request: Request, next: Next| next.run(request).await,
        ))
        .service(handler_fn(async || "called"));
    let server = Server::new(service);
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_abort("internal error").await;
}
