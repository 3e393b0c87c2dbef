//! What the log says of an error: with it the sources that its text does not tell, for whatever
//! subscriber wants them.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    error::Error,
    fmt,
    future::ready,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use sctp_service::{
    Listener, Payload, Reply, Request,
    client::Client,
    layer::{AbortOnErrorLayer, TraceLayer},
    sctp_tokio::{Association, ConnectError, RecvError},
    serve,
    testing::InMemory,
};
use support::{Server, settle};
use tower::{BoxError, ServiceBuilder, service_fn};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

/// An error of the user's own, which says in its text what failed, and in its source why.
#[derive(Debug)]
struct DiskFull;

impl fmt::Display for DiskFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk is full")
    }
}

impl Error for DiskFull {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&fmt::Error)
    }
}

/// Each event that has an error: its message, the error, and the sources of that.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn start() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let guard = tracing::subscriber::set_default(lines.clone());
        (lines, guard)
    }

    #[track_caller]
    fn assert_has(&self, message: &str) {
        let line = format!("{message}: the disk is full: {}", fmt::Error);
        let lines = self.0.lock().unwrap();
        assert!(lines.contains(&line), "no {line:?} in {lines:#?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sctp")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{}: {}", line.message, line.errors.join(": "));
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    errors: Vec<String>,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "error" => self.errors.push(format!("{value:?}")),
            _ => {}
        }
    }

    fn record_error(&mut self, _: &Field, value: &(dyn Error + 'static)) {
        let chain = std::iter::successors(Some(value), |&error| error.source());
        self.errors.extend(chain.map(ToString::to_string));
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_services() {
    let (lines, _guard) = Lines::start();
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .layer(TraceLayer::new())
        .service(service_fn(async |_: Request| {
            Err::<Reply, BoxError>(DiskFull.into())
        }));
    let server = Server::new(service);
    let peer = server.connect().await;
    peer.send("x").await;
    peer.expect_abort("internal error").await;
    lines.assert_has("failed");
    lines.assert_has("the service failed, aborting");
}

#[tokio::test(start_paused = true)]
async fn errors_of_accepting() {
    struct Broken;

    impl Listener for Broken {
        type Transport = InMemory;

        async fn accept(&mut self) -> io::Result<InMemory> {
            Err(io::Error::other(DiskFull))
        }

        fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
            Ok(Vec::new())
        }

        fn stop_listening(&mut self) -> io::Result<()> {
            Err(io::Error::other(DiskFull))
        }
    }

    let (lines, _guard) = Lines::start();
    serve(Broken, async |Payload(payload)| Payload(payload))
        .with_graceful_shutdown(settle())
        .await;
    lines.assert_has("cannot accept, trying again in a second");
    lines.assert_has("cannot stop listening");
}

#[tokio::test(start_paused = true)]
async fn errors_of_receiving() {
    let (lines, _guard) = Lines::start();
    let server = Server::new(async |Payload(payload)| Payload(payload));
    let peer = server.connect().await;
    peer.fail_receive(RecvError::Io(io::Error::other(DiskFull)));
    settle().await;
    lines.assert_has("receiving failed, aborting");
}

#[tokio::test(start_paused = true)]
async fn errors_of_connecting() {
    let (lines, _guard) = Lines::start();
    let fails = || {
        ready(Err::<Association, _>(ConnectError::Io(io::Error::other(
            DiskFull,
        ))))
    };
    let client = Client::builder().connect_in_background(fails);
    client.request("x").await.unwrap_err();
    lines.assert_has("cannot set up an association");
}
