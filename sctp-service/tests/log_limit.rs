//! Rate limits of log lines that a peer can trigger at will.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    fmt,
    future::IntoFuture,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sctp_core::PeerAddrChangeState;
use sctp_service::{
    Config, Extension, RecvError, Reply, Request, Typed,
    client::{
        Backoff, Client, ClientConfig,
        pool::{Pool, Target},
    },
    codec::{DecodePayload, EncodePayload},
    handler::handler_fn,
    layer::{AbortOnErrorLayer, CatchPanicLayer, PeerRateLimitLayer, TraceLayer},
    sctp_tokio::{Association, ConnectError},
    testing::{ScriptedListener, duplex},
};
use support::{Server, header::by_header, on, settle};
use tokio::{sync::watch, time::sleep};
use tower::{BoxError, ServiceBuilder, service_fn};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

/// Each line at level `INFO` or above, and how many events it stands for.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(String, u64)>>>);

impl Lines {
    fn start() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let guard = tracing::subscriber::set_default(lines.clone());
        (lines, guard)
    }

    /// Returns the number of events that each line with this message stands for.
    fn of(&self, message: &str) -> Vec<u64> {
        let lines = self.0.lock().unwrap();
        let of = lines.iter().filter(|(line, _)| line.contains(message));
        of.map(|(_, events)| *events).collect()
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sctp") && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new(), 1);
        event.record(&mut line);
        self.0.lock().unwrap().push((line.0, line.1));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String, u64);

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "occurrences" {
            self.1 = value;
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Has something happen 20 times more than there may be lines in 10 seconds, and once more after
/// that.
async fn flood(message: &str, lines: usize, mut trigger: impl AsyncFnMut()) {
    let (log, _guard) = Lines::start();
    for _ in 0..lines + 20 {
        trigger().await;
        settle().await;
    }
    assert_eq!(log.of(message), vec![1; lines], "{message}");
    sleep(Duration::from_secs(10)).await;
    trigger().await;
    settle().await;
    assert_eq!(log.of(message)[lines..], [21], "{message}");
}

/// Floods a server with requests, each on an association of its own.
async fn flood_server(message: &str, server: Server) {
    flood(message, 1, async || {
        let peer = server.connect().await;
        peer.send("x").await;
        settle().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn associations_that_come_and_go_are_limited() {
    for message in ["association up", "association closed"] {
        let server = Server::new(async |payload: Bytes| payload);
        flood(message, 1000, async || {
            server.connect().await.shutdown();
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn restarts_and_paths_of_an_association_are_limited() {
    let server = Server::new(async |payload: Bytes| payload);
    let peer = server.connect().await;
    flood("peer restarted", 100, async || peer.restart()).await;
    let addr = SocketAddr::from(([192, 0, 2, 9], 1));
    flood("path changed", 100, async || {
        peer.change_path(addr, PeerAddrChangeState::Unreachable);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn refused_associations_are_limited() {
    let config = Config::new().with_max_associations(0);
    let server = Server::with_config(config, async |payload: Bytes| payload);
    let (log, _guard) = Lines::start();
    for _ in 0..100 {
        drop(server.connect().await);
        settle().await;
    }
    assert_eq!(log.of("too many associations").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn lost_associations_are_limited() {
    let server = Server::new(async |payload: Bytes| payload);
    flood("association lost before it was accepted", 1, async || {
        let lost = std::io::ErrorKind::ConnectionAborted;
        server.network.fail_accept(lost.into()).await;
        // Behind it, so that the pause after many in a row is over.
        drop(server.connect().await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failed_reads_are_limited() {
    let server = Server::new(async |payload: Bytes| payload);
    flood("receiving failed, aborting", 1, async || {
        let peer = server.connect().await;
        peer.fail_receive(RecvError::TooLarge { limit: 1 });
        settle().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn refused_replies_are_limited() {
    let server = Server::new(async |_: Bytes| Reply::new(""));
    flood_server("cannot send reply", server).await;
}

#[tokio::test(start_paused = true)]
async fn panics_are_limited() {
    let server = Server::new(async |_: Bytes| -> &'static str { panic!("a bug") });
    flood_server("service panicked, aborting", server).await;
    let service = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .service(handler_fn(async |_: Bytes| -> &'static str {
            panic!("a bug")
        }));
    flood_server("the service panicked", Server::new(service)).await;
}

#[tokio::test(start_paused = true)]
async fn panics_of_a_clone_are_limited() {
    /// Panics in each clone once it is told to.
    struct Brittle(Arc<AtomicBool>);

    impl Clone for Brittle {
        fn clone(&self) -> Self {
            assert!(!self.0.load(Ordering::Relaxed), "a bug");
            Self(Arc::clone(&self.0))
        }
    }

    let breaks = Arc::new(AtomicBool::new(false));
    let brittle = Brittle(Arc::clone(&breaks));
    let server = Server::new(async move |_: Bytes| {
        let _ = &brittle;
        "a reply"
    });
    settle().await;
    breaks.store(true, Ordering::Relaxed);
    flood("clone of the service panicked, aborting", 1, async || {
        drop(server.connect().await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn replies_to_no_call_are_limited() {
    let server = Server::with(
        async |payload: Bytes| payload,
        |server| server.with_correlation(by_header()),
    );
    let peer = server.connect().await;
    flood("discarding reply with no matching call", 1, async || {
        peer.send("!0000made up").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dials_that_fail_are_limited() {
    let refused = || {
        std::future::ready(Err::<Association, _>(ConnectError::Refused {
            peer: Vec::new(),
        }))
    };
    let (log, _guard) = Lines::start();
    let _server = Server::with(
        async |payload: Bytes| payload,
        |server| {
            server
                .with_config(Config::new().with_backoff(quick()))
                .with_dial(refused)
        },
    );
    sleep(Duration::from_millis(10_500)).await;
    let events = log.of("cannot connect");
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[1] > 1000, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn payloads_that_are_malformed_are_limited() {
    let server = Server::new(async |_: Typed<(), Speechless>| "never");
    flood_server("cannot decode payload", server).await;
}

/// A codec that can do nothing.
struct Speechless;

impl DecodePayload<()> for Speechless {
    type Error = fmt::Error;

    fn decode(_: Bytes) -> Result<(), fmt::Error> {
        Err(fmt::Error)
    }
}

impl EncodePayload<()> for Speechless {
    type Error = fmt::Error;

    fn encode((): ()) -> Result<Bytes, fmt::Error> {
        Err(fmt::Error)
    }
}

#[tokio::test(start_paused = true)]
async fn replies_that_cannot_be_encoded_are_limited() {
    let server = Server::new(async |_: Bytes| Typed::<(), Speechless>::new(()));
    flood_server("cannot encode reply", server).await;
}

#[tokio::test(start_paused = true)]
async fn extensions_that_are_missing_are_limited() {
    let server = Server::new(async |_: Extension<u8>| "never");
    flood_server("no layer attached the extension", server).await;
}

#[tokio::test(start_paused = true)]
async fn errors_of_a_service_are_limited() {
    let service = || service_fn(async |_: Request| Err::<Reply, BoxError>(fmt::Error.into()));
    let abort = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .service(service());
    flood_server("the service failed, aborting", Server::new(abort)).await;
    let traced = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .layer(TraceLayer::new())
        .service(service());
    let server = Server::new(traced);
    let (log, _guard) = Lines::start();
    for _ in 0..100 {
        let peer = server.connect().await;
        peer.send("x").await;
        settle().await;
    }
    let failed = log.of("failed");
    assert_eq!(failed.len(), 2, "one of each layer: {failed:?}");
}

#[tokio::test(start_paused = true)]
async fn peers_that_exceed_the_rate_limit_are_limited() {
    let limit =
        PeerRateLimitLayer::new(1, Duration::from_secs(3600)).with_max_delay(Duration::ZERO);
    let service = ServiceBuilder::new()
        .layer(limit)
        .service(handler_fn(async |payload: Bytes| payload));
    let server = Server::new(service);
    let first = server.connect().await;
    first.send("x").await;
    first.expect_message("x").await;
    flood_server("rate limit exceeded, aborting", server).await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_outlive_their_association_are_limited() {
    let config = Config::new().with_shutdown_timeout(Duration::ZERO);
    let server = Server::with_config(config, async |_: Bytes| {
        std::future::pending::<&'static str>().await
    });
    flood("calls outlived their association", 1, async || {
        let peer = server.connect().await;
        peer.send("x").await;
        settle().await;
        peer.shutdown();
        settle().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn panics_of_the_event_hook_are_limited() {
    let (listener, network) = ScriptedListener::new();
    let served =
        sctp_service::serve(listener, async |payload: Bytes| payload).on_event(|_| panic!("a bug"));
    tokio::spawn(served.into_future());
    let (log, _guard) = Lines::start();
    for _ in 0..20 {
        drop(network.connect().await.unwrap());
        settle().await;
    }
    assert_eq!(log.of("event hook panicked").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn stray_replies_to_a_client_are_limited() {
    let (mut listener, network) = ScriptedListener::new();
    let client = Client::builder()
        .with_config(ClientConfig::new().with_backoff(quick()))
        .connect_in_background(network.connector());
    flood("unexpected reply, aborting", 1, async || {
        let peer = listener.accept_peer().await.unwrap();
        peer.send(on(5, "stray")).await;
        peer.closed().await;
    })
    .await;
    drop(client);
}

/// Pauses of a client that hardly pauses.
fn quick() -> Backoff {
    Backoff::new(Duration::from_millis(1), Duration::from_millis(1))
}

#[tokio::test(start_paused = true)]
async fn restarts_and_paths_of_a_clients_server_are_limited() {
    let (transport, peer) = duplex();
    let client = Client::over(transport);
    flood("peer restarted", 100, async || peer.restart()).await;
    let addr = SocketAddr::from(([192, 0, 2, 9], 1));
    flood("path changed", 100, async || {
        peer.change_path(addr, PeerAddrChangeState::Unreachable);
    })
    .await;
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn servers_that_refuse_a_client_are_limited() {
    let refused = || {
        std::future::ready(Err::<Association, _>(ConnectError::Refused {
            peer: Vec::new(),
        }))
    };
    let (log, _guard) = Lines::start();
    let client = Client::builder()
        .with_config(ClientConfig::new().with_backoff(quick()))
        .connect_in_background(refused);
    sleep(Duration::from_millis(10_500)).await;
    let events = log.of("cannot set up an association");
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[1] > 1000, "{events:?}");
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn outages_of_a_pool_are_limited() {
    for message in ["no server ready, rejecting calls", "server ready again"] {
        let server = Server::new(async |payload: Bytes| payload);
        let all: Vec<Target> = vec![SocketAddr::from(([192, 0, 2, 2], 9877)).into()];
        let (list, listed) = watch::channel(all.clone());
        let connector = server.network.connector();
        let pool = Pool::builder()
            .with_ready_timeout(Duration::from_millis(10))
            .watch_with(listed, move |_, client| {
                client.connect_in_background(connector.clone())
            });
        flood(message, 1, async || {
            list.send_replace(Vec::new());
            settle().await;
            assert!(pool.request("x").await.is_err());
            list.send_replace(all.clone());
            settle().await;
            assert!(pool.request("x").await.is_ok());
        })
        .await;
    }
}
