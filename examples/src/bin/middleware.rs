//! Layers around a service: tower's timeout, load shedding and concurrency limit as they are, three
//! that know SCTP, and one that is an async function. What fails inside ends its association with a
//! reason, and the order of the layers says what sees what:
//!
//! ```text
//! trace            a span and an event for each request
//! metrics          counts and times, for whatever recorder is installed: see prometheus.rs
//! abort on error   the errors of the layers below become ABORTs; here the reasons are chosen
//! load shed        what the limit would keep waiting is refused instead, and must be aborted:
//!                  one that is answered "busy" keeps its place in the limit's queue
//! limit            so many calls at once, of all associations together
//! timeout          a call may take so long
//! check            an async function of this file, made a layer by from_fn
//! handler
//! ```
//!
//! ```text
//! cargo run --bin middleware
//! ```
#![forbid(unsafe_code)]

use std::{error::Error, future, io, net::SocketAddr, time::Duration};

use sctp_service::{
    AbortReason, IntoReply, Reply, Request, StreamId,
    handler::handler_fn,
    layer::{AbortOnErrorLayer, MetricsLayer, Next, TraceLayer, from_fn},
    serve,
};
use sctp_tokio::{Association, Event, Message, SctpListener};
use tower::{ServiceBuilder, load_shed::error::Overloaded, timeout::error::Elapsed};
use tracing_subscriber::filter::LevelFilter;

type Result = std::result::Result<(), Box<dyn Error>>;

/// Part of an error that is sent to the peer. The log contains all of it.
fn reason(error: &(dyn Error + Send + Sync + 'static)) -> AbortReason {
    if error.is::<Elapsed>() {
        AbortReason::from_static("too slow")
    } else if error.is::<Overloaded>() {
        AbortReason::from_static("overloaded, try another server")
    } else {
        AbortReason::from_static("internal error")
    }
}

/// Answers a blank text itself; all else goes on to the handler.
async fn check(stream: StreamId, request: Request, next: Next) -> Reply {
    if request.payload().iter().all(u8::is_ascii_whitespace) {
        return format!("say something on stream {stream}").into_reply();
    }
    next.run(request).await
}

/// Answers in capitals, unless it is asked to take for ever.
async fn shout(text: String) -> String {
    if text == "dawdle" {
        future::pending::<()>().await;
    }
    text.to_uppercase()
}

#[tokio::main]
async fn main() -> Result {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_ansi(false)
        .with_writer(io::stderr)
        .init();
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new())
        .layer(MetricsLayer::new())
        .layer(AbortOnErrorLayer::map(reason))
        .load_shed()
        .concurrency_limit(1)
        .timeout(Duration::from_millis(100))
        .layer(from_fn(check))
        .service(handler_fn(shout));
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    tokio::select! {
        () = serve(listener, service) => Ok(()),
        done = clients(server) => done,
    }
}

async fn clients(server: SocketAddr) -> Result {
    client(server, "polite", &["hello"]).await?;
    client(server, "shy", &[" "]).await?;
    client(server, "slow", &["dawdle"]).await?;
    client(server, "greedy", &["dawdle", "and this"]).await // at once, on two streams
}

/// Sends each text on a stream of its own, and prints what comes back.
async fn client(server: SocketAddr, name: &str, texts: &[&'static str]) -> Result {
    let mut association = Association::connect(server).await?;
    for (stream, text) in (0u16..).zip(texts) {
        let message = Message::new(*text).on_stream(stream);
        association.send(message).await?;
    }
    loop {
        match association.next_event().await? {
            Event::Message(reply) => {
                println!("{name}: {:?}", reply.payload);
                association.start_shutdown()?;
            }
            Event::Closed(end) => {
                println!("{name}: {end}");
                return Ok(());
            }
            _ => {}
        }
    }
}
