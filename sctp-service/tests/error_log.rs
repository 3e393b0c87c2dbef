//! Log lines of errors: with the sources that the text does not tell, for whatever
//! subscriber wants them.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../../sctp-tokio/tests/support/reported.rs"]
mod reported;
mod support;

use std::{
    error::Error,
    fmt,
    future::ready,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use reported::{DiskFull, WHY, chain, foreign};
use sctp_service::{
    Correlation, Correlator, Identity, Listener, Message, Payload, Ppid, Received, Reply, Request,
    Waiting,
    client::{Client, Connect},
    layer::{AbortOnErrorLayer, TraceLayer},
    sctp_tokio::{Association, ConnectError, RecvError},
    serve,
    testing::{InMemory, duplex},
};
use support::{Server, must, settle};
use tower::{BoxError, ServiceBuilder, service_fn};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

/// Each event: its message, its error if it has one, and the sources of that. And the spans.
#[derive(Clone, Default)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<Mutex<Vec<String>>>,
    /// The span of each event that is in one.
    within: Arc<Mutex<Vec<String>>>,
    current: Arc<Mutex<Vec<u64>>>,
    /// The fields of each event.
    fields: Arc<Mutex<Vec<String>>>,
}

impl Lines {
    fn start() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let guard = tracing::subscriber::set_default(lines.clone());
        (lines, guard)
    }

    #[track_caller]
    fn assert_has(&self, message: &str) {
        let line = format!("{message}: {WHY}: {}", fmt::Error);
        let lines = self.lines.lock().unwrap();
        assert!(lines.contains(&line), "no {line:?} in {lines:#?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sctp")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        let mut spans = self.spans.lock().unwrap();
        spans.push(fields.0);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.fields.lock().unwrap().push(fields.0);
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{}: {}", line.message, line.errors.join(": "));
        self.lines.lock().unwrap().push(text);
        if let Some(span) = self.current.lock().unwrap().last() {
            let span = &self.spans.lock().unwrap()[usize::try_from(*span).unwrap() - 1];
            let text = format!("{span}: {}", line.message);
            self.within.lock().unwrap().push(text);
        }
    }

    fn enter(&self, span: &Id) {
        self.current.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.current.lock().unwrap().pop();
    }
}

/// The fields of a span, after its name.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 = format!("{} {field}={value:?}", self.0);
    }
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
        self.errors.extend(chain(value));
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
            Err(foreign())
        }

        fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
            Ok(Vec::new())
        }

        fn stop_listening(&mut self) -> io::Result<()> {
            Err(foreign())
        }
    }

    let (lines, _guard) = Lines::start();
    serve(Broken, async |Payload(payload)| Payload(payload))
        .with_graceful_shutdown(settle())
        .await;
    lines.assert_has("cannot accept, retrying in a second");
    lines.assert_has("cannot stop listening");
}

#[tokio::test(start_paused = true)]
async fn errors_of_receiving() {
    let (lines, _guard) = Lines::start();
    let server = Server::new(async |Payload(payload)| Payload(payload));
    let peer = server.connect().await;
    peer.fail_receive(RecvError::Io(foreign()));
    settle().await;
    lines.assert_has("receiving failed, aborting");
}

/// A server that cannot be reached.
struct Gone([SocketAddr; 1]);

impl Connect for Gone {
    type Transport = InMemory;

    async fn connect(&mut self) -> Result<InMemory, ConnectError> {
        Err(ConnectError::Refused { peer: Vec::new() })
    }

    fn addrs(&self) -> &[SocketAddr] {
        &self.0
    }
}

#[tokio::test(start_paused = true)]
async fn client_is_named_by_the_addresses_of_its_server() {
    let (lines, _guard) = Lines::start();
    let gone = Gone(["192.0.2.7:9877".parse().unwrap()]);
    let client = Client::builder().connect_in_background(gone);
    must(client.request("x")).await.unwrap_err();
    let (transport, _peer) = duplex();
    let client = Client::over(transport);
    settle().await;
    drop(client);
    let within = lines.within.lock().unwrap();
    for line in [
        "client server=[192.0.2.7:9877]: cannot set up an association",
        "client server=[192.0.2.1:40000]: association up",
    ] {
        assert!(within.iter().any(|each| each == line), "{within:#?}");
    }
}

/// The payload is the identifier.
struct Whole;

impl Correlator for Whole {
    type Key = Bytes;

    fn stamp(&mut self, _: u32, message: &mut Message) -> Result<Bytes, BoxError> {
        Ok(message.payload.clone())
    }

    fn identify(&mut self, received: &Received, _: Waiting<'_, Bytes>) -> Identity<Bytes> {
        Identity::Reply(received.payload.clone())
    }
}

/// It is the only hint that a server answers with a wrong identifier.
#[tokio::test(start_paused = true)]
async fn unmatched_reply_is_a_limited_warning() {
    let (lines, _guard) = Lines::start();
    let (transport, peer) = duplex();
    let client = Client::builder()
        .with_correlation(Correlation::by_key(|_| Whole))
        .over(transport);
    let wrong = Message::new("wrong").with_ppid(Ppid::NGAP).on_stream(3);
    let warnings = || {
        let lines = lines.fields.lock().unwrap();
        lines
            .iter()
            .filter(|line| line.contains("discarding reply with no matching call"))
            .cloned()
            .collect::<Vec<_>>()
    };
    let call = tokio::spawn(async move { must(client.request("right")).await });
    must(peer.recv()).await.unwrap();
    for _ in 0..100 {
        peer.send(wrong.clone()).await;
    }
    settle().await;
    let first = " message=discarding reply with no matching call peer=192.0.2.1:40000 stream=3 ppid=60 occurrences=";
    assert_eq!(warnings(), [format!("{first}1")]);
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    peer.send(wrong).await;
    settle().await;
    assert_eq!(warnings()[1..], [format!("{first}100")]);
    peer.send("right").await;
    call.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn closed_association_has_its_counts_as_fields() {
    let (lines, _guard) = Lines::start();
    let server = Server::new(async |payload: Bytes| payload);
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    drop(peer);
    settle().await;
    let fields = lines.fields.lock().unwrap();
    let closed = fields
        .iter()
        .find(|line| line.contains("association closed"));
    let counts = "requests=1 sent=1 discarded_requests=0 discarded_replies=0 dropped_calls=0 sends=0 \
                  discarded_sends=0 calls=0 replies=0 late_replies=0 lost_calls=0 unsent_calls=0";
    assert!(closed.unwrap().ends_with(counts), "{closed:?}");
    let spans = lines.spans.lock().unwrap();
    assert!(spans[0].ends_with(" peer=192.0.2.1:40000"), "{spans:?}");
}

#[tokio::test(start_paused = true)]
async fn errors_of_connecting() {
    let (lines, _guard) = Lines::start();
    let fails = || ready(Err::<Association, _>(ConnectError::Io(foreign())));
    let client = Client::builder().connect_in_background(fails);
    must(client.request("x")).await.unwrap_err();
    lines.assert_has("cannot set up an association");
}
