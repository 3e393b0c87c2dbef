//! Routing of requests.

#[path = "support/panics.rs"]
mod panics;
mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use panics::place_of_panic;
use sctp_service::{
    Extension, Handler, KeyRouter, MakeService, Match, Message, Ppid, Reply, Request, Router,
    Shutdown, State, StreamId,
    layer::{Next, from_fn},
};
use support::{Server, must, on, settle};
use tokio::sync::mpsc::{self, Receiver};
use tower::{ServiceBuilder, limit::ConcurrencyLimitLayer, util::MapRequestLayer};

async fn ngap() -> &'static str {
    "ngap"
}
async fn s1ap() -> &'static str {
    "s1ap"
}
async fn zero() -> &'static str {
    "stream 0"
}
async fn other() -> &'static str {
    "fallback"
}

async fn expect(router: Router, cases: &[(Message, &str)]) {
    let server = Server::new(router);
    let peer = server.connect().await;
    for (message, answer) in cases {
        peer.send(message.clone()).await;
        peer.expect_message(answer).await;
    }
}

fn with_ppid(ppid: Ppid) -> Message {
    on(1, "x").with_ppid(ppid)
}

#[tokio::test(start_paused = true)]
async fn predicates_precede_ppids_streams_and_the_fallback() {
    let router = Router::new()
        .fallback(other)
        .route(StreamId::new(0), zero)
        .route(Ppid::NGAP, ngap)
        .route(
            Match::when(|request| &request.payload()[..] == b"ping"),
            async || "pong",
        )
        .route(
            Match::when(|request| request.payload().starts_with(b"p")),
            async || "p",
        );
    let cases = [
        (on(0, "ping").with_ppid(Ppid::NGAP), "pong"),
        (on(0, "pang").with_ppid(Ppid::NGAP), "p"),
        (on(0, "x").with_ppid(Ppid::NGAP), "ngap"),
        (on(0, "x"), "stream 0"),
        (on(1, "x"), "fallback"),
    ];
    expect(router, &cases).await;
}

#[tokio::test(start_paused = true)]
async fn unknown_ppid_aborts_with_a_reason_that_names_it() {
    let server = Server::new(Router::new().route(Ppid::NGAP, ngap));
    let peer = server.connect().await;
    peer.send(on(3, "x").with_ppid(4711)).await;
    peer.expect_abort("no handler for PPID 4711 on stream 3")
        .await;
}

#[tokio::test(start_paused = true)]
async fn routers_merge_and_nest() {
    let by_stream = Router::new().route(StreamId::new(0), zero).fallback(other);
    let router = Router::new()
        .route(Ppid::NGAP, ngap)
        .merge(Router::new().nest(Ppid::S1AP, by_stream));
    let cases = [
        (with_ppid(Ppid::NGAP), "ngap"),
        (on(0, "x").with_ppid(Ppid::S1AP), "stream 0"),
        (on(1, "x").with_ppid(Ppid::S1AP), "fallback"),
    ];
    expect(router, &cases).await;
}

#[tokio::test(start_paused = true)]
async fn nested_router_names_its_own_unmatched_key() {
    let by_stream = Router::new().route(StreamId::new(0), zero);
    let by_predicate = Router::new().route(Match::when(|_| false), zero);
    let router = Router::new()
        .nest(Ppid::NGAP, by_stream)
        .nest(Ppid::S1AP, by_predicate);
    let server = Server::new(router);
    for (ppid, reason) in [
        (Ppid::NGAP, "no handler for stream 1 (PPID 60)"),
        (
            Ppid::S1AP,
            "no handler for this message (PPID 18, stream 1)",
        ),
        (Ppid::M3UA, "no handler for PPID 3 on stream 1"),
    ] {
        let peer = server.connect().await;
        peer.send(with_ppid(ppid)).await;
        peer.expect_abort(reason).await;
    }
}

/// The key of a message is its first letter; a full stop is none.
fn by_letter<S: Clone + Send + Sync + 'static>() -> KeyRouter<char, S> {
    KeyRouter::new(|request: &Request| match request.payload().first()? {
        b'.' => None,
        letter => Some(char::from(*letter)),
    })
}

#[tokio::test(start_paused = true)]
async fn key_router_chooses_by_payload() {
    async fn greet(State(name): State<&'static str>) -> String {
        format!("hello from {name}")
    }
    let by_stream = Router::new().route(StreamId::new(0), zero).fallback(other);
    let by_letter = by_letter()
        .route('n', ngap)
        .route('g', greet)
        .route_service('s', sctp_service::handler::handler_fn(s1ap))
        .nest('r', by_stream);
    let router = Router::new()
        .nest(Ppid::NGAP, by_letter.clone().fallback(other))
        .nest(Ppid::S1AP, by_letter)
        .with_state("amf");
    let to = |stream, text: &'static str| on(stream, text).with_ppid(Ppid::NGAP);
    let cases = [
        (to(1, "n"), "ngap"),
        (to(1, "good day"), "hello from amf"),
        (to(1, "s"), "s1ap"),
        (to(0, "r"), "stream 0"),
        (to(1, "r"), "fallback"),
        (to(0, "x"), "fallback"),
        (to(0, "."), "fallback"),
        (on(1, "n").with_ppid(Ppid::S1AP), "ngap"),
    ];
    expect(router.clone(), &cases).await;

    let server = Server::new(router);
    for (text, reason) in [
        ("x", "no handler for key 'x' (PPID 18, stream 3)"),
        (".", "no key in this message (PPID 18, stream 3)"),
    ] {
        let peer = server.connect().await;
        peer.send(on(3, text).with_ppid(Ppid::S1AP)).await;
        peer.expect_abort(reason).await;
    }
}

/// Two associations call what tells that it was entered, and then takes its time.
async fn runs_one_call_at_a_time<M, K>(router: M, message: &Message, mut entries: Receiver<()>)
where
    M: MakeService<K>,
    K: 'static,
{
    let server = Server::new(router);
    let peers = [server.connect().await, server.connect().await];
    for peer in &peers {
        peer.send(message.clone()).await;
    }
    assert_eq!(must(entries.recv()).await, Some(()));
    settle().await;
    assert!(entries.try_recv().is_err(), "both calls run at once");
    for peer in &peers {
        peer.expect_message("done").await;
    }
}

#[tokio::test(start_paused = true)]
async fn layers_of_a_key_router_span_all_associations() {
    let (entered, entries) = mpsc::channel(8);
    let slow = async move || {
        entered.send(()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        "done"
    };
    let router = by_letter()
        .route('s', slow)
        .layer(ConcurrencyLimitLayer::new(1));
    runs_one_call_at_a_time(router, &Message::new("s"), entries).await;
}

#[tokio::test(start_paused = true)]
async fn only_route_layer_of_a_key_router_excludes_the_fallback() {
    fn shout(request: Request) -> Request {
        let (parts, payload) = request.into_parts();
        Request::from_parts(parts, payload.to_ascii_uppercase().into())
    }
    let echo = async |text: String| text;
    let router = || by_letter().route('a', echo).fallback(echo);
    let layer = MapRequestLayer::new(shout);
    for (router, fallback) in [
        (router().layer(layer.clone()), "XYZ"),
        (router().route_layer(layer), "xyz"),
    ] {
        let server = Server::new(router.route('b', echo));
        let peer = server.connect().await;
        // The key is that of the message as it came.
        for (text, answer) in [("abc", "ABC"), ("xyz", fallback), ("bcd", "bcd")] {
            peer.send(text).await;
            peer.expect_message(answer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_share_a_state() {
    async fn greet(State(name): State<Arc<str>>) -> String {
        format!("hello from {name}")
    }
    let router = Router::new()
        .route(Ppid::NGAP, greet)
        .with_state(Arc::from("amf"));
    expect(router, &[(with_ppid(Ppid::NGAP), "hello from amf")]).await;
}

#[tokio::test(start_paused = true)]
async fn only_route_layer_excludes_the_fallback() {
    #[derive(Clone)]
    struct Marked;
    fn mark(mut request: Request) -> Request {
        request.extensions_mut().insert(Marked);
        request
    }
    async fn marked(mark: Option<Extension<Marked>>) -> &'static str {
        if mark.is_some() { "marked" } else { "bare" }
    }
    let router = || Router::new().route(Ppid::NGAP, marked).fallback(marked);
    let (known, unknown) = (with_ppid(Ppid::NGAP), with_ppid(Ppid::M3UA));
    let layered = router().layer(MapRequestLayer::new(mark));
    expect(
        layered,
        &[(known.clone(), "marked"), (unknown.clone(), "marked")],
    )
    .await;
    let route_layered = router().route_layer(MapRequestLayer::new(mark));
    expect(route_layered, &[(known, "marked"), (unknown, "bare")]).await;
}

/// Answers instead of aborting.
async fn answer_aborts(request: Request, next: Next) -> Reply {
    let reply = next.run(request).await;
    match reply.shutdown() {
        Some(Shutdown::Abort(reason)) => Reply::new(reason.to_string()),
        _ => reply,
    }
}

#[tokio::test(start_paused = true)]
async fn only_route_layer_excludes_the_default_fallback() {
    let router = || Router::new().route(Ppid::NGAP, ngap);
    let unknown = with_ppid(Ppid::M3UA);
    let reason = "no handler for PPID 3 on stream 1";
    // A route that is added later changes nothing about that.
    let layered = router()
        .layer(from_fn(answer_aborts))
        .route(Ppid::S1AP, s1ap);
    let known = with_ppid(Ppid::S1AP);
    expect(layered, &[(unknown.clone(), reason), (known, "s1ap")]).await;
    let merged = Router::new().merge(router().layer(from_fn(answer_aborts)));
    expect(merged, &[(unknown.clone(), reason)]).await;

    let server = Server::new(router().route_layer(from_fn(answer_aborts)));
    let peer = server.connect().await;
    peer.send(unknown).await;
    peer.expect_abort(reason).await;
}

#[tokio::test(start_paused = true)]
async fn key_router_layer_includes_the_default_fallback() {
    let router: KeyRouter<char> = by_letter()
        .route('a', async || "a")
        .layer(from_fn(answer_aborts));
    let server = Server::new(router);
    let peer = server.connect().await;
    peer.send("z").await;
    peer.expect_message(r"no handler for key \'z\' (PPID 0, stream 0)")
        .await;
}

#[tokio::test(start_paused = true)]
async fn limit_around_a_route_is_one_for_all_associations() {
    let (entered, entries) = mpsc::channel(8);
    let slow = async move |_: Bytes| {
        entered.send(()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        "done"
    };
    let router = Router::new()
        .route(Ppid::NGAP, slow)
        .layer(ConcurrencyLimitLayer::new(1));
    runs_one_call_at_a_time(router, &with_ppid(Ppid::NGAP), entries).await;
}

#[tokio::test(start_paused = true)]
async fn services_and_layered_routers_can_be_routes() {
    let inner = ServiceBuilder::new()
        .concurrency_limit(1)
        .service(sctp_service::handler::handler_fn(s1ap));
    let router = Router::new().route_service(Ppid::S1AP, inner);
    let service = ServiceBuilder::new().concurrency_limit(1).service(router);
    let server = Server::new(service);
    let peer = server.connect().await;
    peer.send(with_ppid(Ppid::S1AP)).await;
    peer.expect_message("s1ap").await;
}

#[test]
#[should_panic = "there is a route for Ppid(60 NGAP) already"]
fn same_ppid_twice_panics() {
    let _ = Router::<()>::new()
        .route(Ppid::NGAP, ngap)
        .route(Ppid::NGAP, s1ap);
}

#[test]
fn panic_names_the_line_that_adds_a_route_again() {
    let once = Router::<()>::new().route(Ppid::NGAP, ngap);
    let (file, line) = place_of_panic(|| once.route(Ppid::NGAP, ngap));
    assert_eq!((&file[..], line), (file!(), line!() - 1));
}

#[test]
#[should_panic = "both routers have a fallback"]
fn two_fallbacks_panic() {
    let _ = Router::<()>::new()
        .fallback(other)
        .merge(Router::new().fallback(other));
}

#[tokio::test(start_paused = true)]
async fn fallback_service_is_replaced_and_reset() {
    let service = |text: &'static str| sctp_service::handler::handler_fn(async move || text);
    let router = || {
        Router::new()
            .route(Ppid::NGAP, ngap)
            .fallback_service(service("a service"))
    };
    let unknown = with_ppid(Ppid::M3UA);
    expect(router(), &[(unknown.clone(), "a service")]).await;
    let replaced = router().fallback_service(service("another"));
    expect(replaced, &[(unknown.clone(), "another")]).await;
    // Reset, it is out of the way of a merge.
    let merged = router()
        .reset_fallback()
        .merge(Router::new().fallback(other));
    expect(merged, &[(unknown.clone(), "fallback")]).await;

    let server = Server::new(router().reset_fallback());
    let peer = server.connect().await;
    peer.send(unknown).await;
    peer.expect_abort("no handler for PPID 3 on stream 1").await;
}

#[tokio::test(start_paused = true)]
async fn key_routers_merge_with_their_fallback() {
    let router: KeyRouter<char> = by_letter().route('n', ngap).merge(
        by_letter()
            .route('s', s1ap)
            .fallback_service(sctp_service::handler::handler_fn(other)),
    );
    assert!(router.has_routes());
    let server = Server::new(router);
    let peer = server.connect().await;
    for (text, reply) in [("n", "ngap"), ("s", "s1ap"), ("x", "fallback")] {
        peer.send(text).await;
        peer.expect_message(reply).await;
    }
}

#[tokio::test(start_paused = true)]
async fn merge_keeps_the_layers_of_the_default_fallback() {
    let layered = || {
        Router::new()
            .route(Ppid::NGAP, ngap)
            .layer(from_fn(answer_aborts))
    };
    let plain = || Router::new().route(Ppid::S1AP, s1ap);
    let case = [(with_ppid(Ppid::M3UA), "no handler for PPID 3 on stream 1")];
    expect(layered().merge(plain()), &case).await;
    expect(plain().merge(layered()), &case).await;
}

#[test]
fn fallback_is_not_a_route() {
    let router = Router::<()>::new().fallback(other);
    assert!(!router.has_routes());
    assert!(router.route(StreamId::new(1), zero).has_routes());
    assert!(!by_letter::<()>().fallback(other).has_routes());
}

#[test]
#[should_panic = "a route layer has no effect before there is a route"]
fn route_layer_without_a_route_panics() {
    let _ = Router::<()>::new().route_layer(from_fn(answer_aborts));
}

#[tokio::test(start_paused = true)]
async fn limit_around_a_handler_is_one_for_all_associations() {
    let (entered, entries) = mpsc::channel(8);
    let slow = async move |State(reply): State<&'static str>| {
        entered.send(()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        reply
    };
    let router = Router::new()
        .route(Ppid::NGAP, slow.layer(ConcurrencyLimitLayer::new(1)))
        .with_state("done");
    runs_one_call_at_a_time(router, &with_ppid(Ppid::NGAP), entries).await;
}

#[tokio::test(start_paused = true)]
async fn limit_of_a_handler_spans_all_associations() {
    let (entered, entries) = mpsc::channel(8);
    let slow = async move || {
        entered.send(()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        "done"
    };
    let slow = slow.layer(ConcurrencyLimitLayer::new(1));
    runs_one_call_at_a_time(slow, &Message::new("s"), entries).await;
}

#[tokio::test(start_paused = true)]
async fn layered_handler_takes_the_router_state() {
    let greet = async |State(name): State<&'static str>| name;
    let greet = greet.layer(from_fn(answer_aborts));
    for name in ["amf", "mme"] {
        let router = Router::new().route(Ppid::NGAP, greet.clone());
        expect(router.with_state(name), &[(with_ppid(Ppid::NGAP), name)]).await;
    }
}
