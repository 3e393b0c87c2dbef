//! Exports a trace of each request with OpenTelemetry: here to standard output. With the exporter of
//! `opentelemetry-otlp` in its place, they go to a collector.
//!
//! ```text
//! cargo run --bin traces
//! ```
#![forbid(unsafe_code)]

use std::{error::Error, future, net::SocketAddr, time::Duration};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use opentelemetry_stdout::SpanExporter;
use sctp_service::{
    Ppid,
    handler::handler_fn,
    layer::{AbortOnErrorLayer, TraceLayer},
    serve,
};
use sctp_tokio::{Association, Message, SctpListener};
use tower::ServiceBuilder;
use tracing::{Instrument, Level, info_span};
use tracing_subscriber::{filter::Targets, prelude::*};

type Result = std::result::Result<(), Box<dyn Error>>;

/// Starts to export spans in batches, from a thread of its own.
fn start_traces() -> SdkTracerProvider {
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("traces").build())
        .with_batch_exporter(SpanExporter::default())
        .build();
    // The spans of requests, and those of this program. Without the span of the association, which
    // may last for months, each request is a trace of its own.
    let exported = Targets::new()
        .with_target("sctp_service::layer", Level::INFO)
        .with_target("traces", Level::INFO);
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("traces"))
        .with_location(false)
        .with_threads(false)
        .with_filter(exported);
    tracing_subscriber::registry().with(traces).init();
    provider
}

/// Finds a subscriber, unless the database does not answer.
async fn find(name: String) -> String {
    let span = info_span!("query", db.system.name = "postgresql", name);
    async {
        if name == "nobody" {
            future::pending::<()>().await;
        }
        format!("{name} is at home")
    }
    .instrument(span)
    .await
}

#[tokio::main]
async fn main() -> Result {
    let provider = start_traces();
    let service = ServiceBuilder::new()
        .layer(AbortOnErrorLayer::new())
        .layer(TraceLayer::new().with_level(Level::INFO))
        .timeout(Duration::from_millis(100))
        .service(handler_fn(find));
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    serve(listener, service)
        .with_graceful_shutdown(async move {
            if let Err(error) = client(server).await {
                eprintln!("the client failed: {error}");
            }
        })
        .await;
    // What the last batch holds is exported now.
    provider.shutdown()?;
    Ok(())
}

/// Asks for somebody who is there, and for somebody whose answer takes too long.
async fn client(server: SocketAddr) -> Result {
    let mut association = Association::connect(server).await?;
    for name in ["Ada", "nobody"] {
        let message = Message::new(name).on_stream(3u16).with_ppid(Ppid::DIAMETER);
        association.send(message).await?;
        match association.recv().await {
            Ok(Some(reply)) => println!("reply: {:?}", reply.payload),
            Ok(None) => println!("closed"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
