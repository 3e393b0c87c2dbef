//! Tower's layers, unchanged, and our own.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{
    AbortReason, Reply, Request, Shutdown,
    client::pool::{Pool, Target},
    handler::handler_fn,
    layer::{AbortOnErrorLayer, MessageLimitLayer, TraceLayer},
};
use support::{Server, on, settle};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tower::{
    BoxError, Service, ServiceBuilder, service_fn, timeout::error::Elapsed, util::option_layer,
};

/// Sleeps as many seconds as it is told, and says so.
async fn sleeper(payload: Bytes) -> Bytes {
    let seconds = std::str::from_utf8(&payload).unwrap().parse().unwrap();
    sleep(Duration::from_secs(seconds)).await;
    payload
}

/// Serves with a stack, and compares what comes back.
async fn expect<S>(service: S, cases: &[(u16, &'static str)], replies: &[&str]) -> Server
where
    S: Service<Request, Response = Reply, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let server = Server::new(service);
    let peer = server.connect().await;
    for (stream, text) in cases {
        peer.send(on(*stream, *text)).await;
    }
    for reply in replies {
        match reply.strip_prefix("abort: ") {
            Some(reason) => peer.expect_abort(reason).await,
            None => drop(peer.expect_message(reply).await),
        }
    }
    server
}

#[tokio::test(start_paused = true)]
async fn timeout() {
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .timeout(Duration::from_secs(5))
        .service(handler_fn(sleeper));
    expect(
        service,
        &[(1, "1"), (1, "9")],
        &["1", "abort: internal error"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn timeout_with_a_reason_of_its_own() {
    let reasons = AbortOnErrorLayer::map(|error| match error.is::<Elapsed>() {
        true => AbortReason::from_static("too slow"),
        false => AbortReason::default(),
    });
    let service = ServiceBuilder::new()
        .layer(reasons)
        .timeout(Duration::from_secs(5))
        .service(handler_fn(sleeper));
    expect(service, &[(1, "9")], &["abort: too slow"]).await;
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit() {
    let begin = Instant::now();
    let service = ServiceBuilder::new()
        .concurrency_limit(1)
        .service(handler_fn(sleeper));
    expect(service, &[(1, "2"), (2, "2"), (3, "2")], &["2", "2", "2"]).await;
    assert_eq!(begin.elapsed().as_secs(), 6);
}

#[tokio::test(start_paused = true)]
async fn rate_limit_behind_a_buffer_paces_all_associations_together() {
    let begin = Instant::now();
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .buffer(8)
        .rate_limit(1, Duration::from_secs(1))
        .service(handler_fn(sleeper));
    let server = Server::new(service);
    let peers = [
        server.connect().await,
        server.connect().await,
        server.connect().await,
    ];
    for peer in &peers {
        peer.send("0").await;
    }
    for peer in &peers {
        peer.expect_message("0").await;
    }
    assert_eq!(begin.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn load_shed() {
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::with_reason(AbortReason::from_static(
            "overloaded",
        )))
        .load_shed()
        .concurrency_limit(1)
        .service(handler_fn(sleeper));
    expect(service, &[(1, "5"), (2, "5")], &["abort: overloaded"]).await;
}

#[tokio::test(start_paused = true)]
async fn retry() {
    #[derive(Clone)]
    struct Twice(u8);
    impl<E> tower::retry::Policy<Request, Reply, E> for Twice {
        type Future = std::future::Ready<()>;
        fn retry(
            &mut self,
            _: &mut Request,
            result: &mut Result<Reply, E>,
        ) -> Option<Self::Future> {
            self.0 = self.0.checked_sub(1)?;
            result.is_err().then(|| std::future::ready(()))
        }
        fn clone_request(&mut self, request: &Request) -> Option<Request> {
            Some(request.clone())
        }
    }
    let (calls, count) = watch::channel(0);
    let flaky = service_fn(move |request: Request| {
        calls.send_modify(|calls| *calls += 1);
        let result = match *calls.borrow() {
            1 | 2 => Err(BoxError::from("flaky")),
            _ => Ok(Reply::new(request.into_payload())),
        };
        async move { result }
    });
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .retry(Twice(2))
        .service(flaky);
    expect(service, &[(1, "x")], &["x"]).await;
    assert_eq!(*count.borrow(), 3);
}

#[tokio::test(start_paused = true)]
async fn map_request_map_response_and_then() {
    let service = ServiceBuilder::new()
        .map_request(|request: Request| request)
        .map_response(|reply: Reply| reply.with_message("and this"))
        .map_result(|result: Result<Reply, Infallible>| result)
        .service(handler_fn(sleeper));
    expect(service, &[(1, "0")], &["0", "and this"]).await;
}

#[tokio::test(start_paused = true)]
async fn map_err_and_filter() {
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::with_reason(AbortReason::from_static(
            "filtered",
        )))
        .map_err(|error: BoxError| error)
        .filter(|request: Request| match &request.payload()[..] {
            b"bad" => Err(BoxError::from("bad")),
            _ => Ok(request),
        })
        .service(handler_fn(sleeper));
    expect(service, &[(1, "0"), (1, "bad")], &["0", "abort: filtered"]).await;
}

#[tokio::test(start_paused = true)]
async fn option_layer_applies_if_present() {
    for limit in [Some(Duration::from_secs(5)), None] {
        let service = ServiceBuilder::new()
            .layer(AbortOnErrorLayer::new())
            .layer(option_layer(limit.map(tower::timeout::TimeoutLayer::new)))
            .map_err(BoxError::from)
            .service(handler_fn(sleeper));
        let last = if limit.is_some() {
            "abort: internal error"
        } else {
            "9"
        };
        expect(service, &[(1, "9")], &[last]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn boxed_services() {
    use tower::ServiceExt;
    let service = handler_fn(sleeper).boxed_clone();
    expect(service, &[(1, "0")], &["0"]).await;
}

#[tokio::test(start_paused = true)]
async fn service_that_fails_to_become_ready_aborts() {
    #[derive(Clone)]
    struct Broken;
    impl Service<Request> for Broken {
        type Response = Reply;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Reply, BoxError>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Ready(Err("secret".into()))
        }
        fn call(&mut self, _: Request) -> Self::Future {
            unreachable!("it was never ready")
        }
    }
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .service(Broken);
    expect(service, &[(1, "0")], &["abort: internal error"]).await;
}

#[tokio::test(start_paused = true)]
async fn message_limit_ends_in_order_with_the_last_answer() {
    let service = ServiceBuilder::new()
        .layer(MessageLimitLayer::new(2))
        .service(handler_fn(sleeper));
    let server = Server::new(service);
    for _ in 0..2 {
        let peer = server.connect().await;
        for _ in 0..2 {
            peer.send("0").await;
            peer.expect_message("0").await;
        }
        peer.expect_shutdown().await;
    }
}

/// The calls in flight, and the requests that were read while they were.
#[tokio::test(start_paused = true)]
async fn message_limit_answers_everything_that_was_read() {
    let service = ServiceBuilder::new()
        .layer(MessageLimitLayer::new(2))
        .service(handler_fn(sleeper));
    let cases = [(1, "4"), (2, "1"), (2, "2")];
    let server = expect(service, &cases, &["1", "2", "4"]).await;
    settle().await;
    let closed = server.log.closed();
    assert!(closed.contains("requests: 3, sent: 3, "), "{closed}");
    assert!(closed.contains("dropped_calls: 0, "), "{closed}");
}

/// A call that is cut off may be repeated, and was executed before.
#[tokio::test(start_paused = true)]
async fn message_limit_causes_no_retries_in_a_pool() {
    let executed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&executed);
    let service = ServiceBuilder::new()
        .layer(MessageLimitLayer::new(2))
        .service(handler_fn(move |payload: Bytes| {
            count.fetch_add(1, Relaxed);
            sleeper(payload)
        }));
    let server = Server::new(service);
    let connector = server.network.connector();
    let target = Target::from(SocketAddr::from(([192, 0, 2, 1], 9877)));
    let (_list, servers) = watch::channel(vec![target]);
    let pool = Pool::builder().watch_with(servers, move |_, client| {
        client.connect_in_background(connector.clone())
    });
    let long = tokio::spawn({
        let pool = pool.clone();
        async move { pool.request("5").await.map(|reply| reply.payload) }
    });
    settle().await;
    assert_eq!(pool.request("1").await.unwrap().payload, "1");
    assert_eq!(long.await.unwrap().unwrap(), "5");
    assert_eq!(executed.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn message_limit_keeps_the_shutdown_of_a_service() {
    let service = ServiceBuilder::new()
        .layer(MessageLimitLayer::new(1))
        .service(handler_fn(async || Shutdown::abort("mine")));
    expect(service, &[(1, "0")], &["abort: mine"]).await;
}

#[tokio::test(start_paused = true)]
async fn trace_changes_nothing() {
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new().with_level(tracing::Level::INFO))
        .layer(AbortOnErrorLayer::new())
        .layer(TraceLayer::new())
        .timeout(Duration::from_secs(5))
        .service(handler_fn(sleeper));
    expect(
        service,
        &[(1, "0"), (1, "9")],
        &["0", "abort: internal error"],
    )
    .await;
}
