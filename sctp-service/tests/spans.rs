//! Names and fields of spans, against the table in the guide.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex},
};

use sctp_service::{
    Reply, Request, Shutdown,
    client::Client,
    handler::handler_fn,
    layer::{AbortOnErrorLayer, TraceLayer},
};
use support::{Server, settle};
use tower::{BoxError, Layer, ServiceBuilder, service_fn};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, set_default},
};

const GUIDE: &str = include_str!("../src/docs/observability.md");

/// Span: its name, the names of its fields, and the values that were recorded.
#[derive(Clone, Debug, Default)]
struct Recorded {
    name: &'static str,
    fields: BTreeSet<String>,
    values: BTreeMap<String, String>,
}

impl Visit for Recorded {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.values
            .insert(field.name().to_owned(), format!("{value:?}"));
    }
}

/// Subscriber that keeps all spans.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Recorded>>>);

impl Spans {
    fn start() -> (Self, DefaultGuard) {
        let spans = Self::default();
        let guard = set_default(spans.clone());
        (spans, guard)
    }

    /// Returns the spans of this name.
    fn named(&self, name: &str) -> Vec<Recorded> {
        let spans = self.0.lock().unwrap();
        let named = spans.iter().filter(|span| span.name == name);
        named.cloned().collect()
    }

    /// Returns the values of the only request.
    #[track_caller]
    fn request(&self) -> BTreeMap<String, String> {
        let requests = self.named("request");
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].values.clone()
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sctp")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let metadata = span.metadata();
        let mut recorded = Recorded {
            name: metadata.name(),
            fields: metadata.fields().iter().map(|f| f.to_string()).collect(),
            values: BTreeMap::new(),
        };
        span.record(&mut recorded);
        let mut spans = self.0.lock().unwrap();
        spans.push(recorded);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let index = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut self.0.lock().unwrap()[index]);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Returns the spans that the guide lists, with their fields.
fn listed() -> BTreeMap<String, BTreeSet<String>> {
    let (_, traces) = GUIDE.split_once("# Traces\n").unwrap();
    let mut spans = BTreeMap::<_, BTreeSet<_>>::new();
    for row in traces.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (span, rest) = row.split_once("` | `").unwrap();
        let (field, _) = rest.split_once('`').unwrap();
        spans
            .entry(span.to_owned())
            .or_default()
            .insert(field.to_owned());
    }
    spans
}

#[tokio::test(start_paused = true)]
async fn guide_lists_the_fields_of_every_span() {
    let (spans, _guard) = Spans::start();
    let traced = TraceLayer::new().layer(handler_fn(async |text: String| text));
    let server = Server::new(traced);
    let client = Client::builder().connect_in_background(server.network.connector());
    client.request("hello").await.unwrap();
    let listed = listed();
    let recorded = spans.0.lock().unwrap().clone();
    let names: BTreeSet<_> = recorded.iter().map(|span| span.name).collect();
    assert_eq!(names, listed.keys().map(String::as_str).collect());
    for span in recorded {
        assert_eq!(span.fields, listed[span.name], "fields of {}", span.name);
    }
}

#[tokio::test(start_paused = true)]
async fn answered_request_has_no_status() {
    let (spans, _guard) = Spans::start();
    let traced = TraceLayer::new().layer(handler_fn(async |text: String| text));
    let server = Server::new(traced);
    let peer = server.connect().await;
    peer.send(support::on(3, "hello")).await;
    settle().await;
    let expected = [
        ("network.peer.address", "192.0.2.1"),
        ("network.peer.port", "40000"),
        ("network.transport", "\"sctp\""),
        ("otel.kind", "\"server\""),
        ("sctp.ppid", "0"),
        ("sctp.request_bytes", "5"),
        ("sctp.request_number", "1"),
        ("sctp.stream", "3"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(spans.request(), BTreeMap::from(expected));
}

#[tokio::test(start_paused = true)]
async fn failed_request_has_the_status_of_an_error() {
    let (spans, _guard) = Spans::start();
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .layer(TraceLayer::new())
        .service(service_fn(async |_: Request| {
            Err::<Reply, BoxError>("disk full".into())
        }));
    let server = Server::new(service);
    let peer = server.connect().await;
    peer.send("hello").await;
    settle().await;
    let values = spans.request();
    assert_eq!(values["otel.status_code"], "\"ERROR\"");
    assert_eq!(values["otel.status_description"], "disk full");
}

#[tokio::test(start_paused = true)]
async fn last_request_has_its_termination() {
    for (shutdown, name) in [
        (Shutdown::AfterAck, "\"after_ack\""),
        (Shutdown::abort("so long"), "\"abort\""),
    ] {
        let (spans, _guard) = Spans::start();
        let traced = TraceLayer::new().layer(handler_fn(async move || shutdown.clone()));
        let server = Server::new(traced);
        let peer = server.connect().await;
        peer.send("hello").await;
        settle().await;
        assert_eq!(spans.request()["sctp.termination"], name);
    }
}
