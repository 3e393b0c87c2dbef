//! Several protocols on one port, told apart by the payload protocol identifier (PPID) that SCTP
//! carries beside each message; one of them, further, by stream. A peer that speaks something
//! else is told so: without a fallback of your own, the router aborts with a reason that names
//! the PPID.
//!
//! ```text
//! cargo run --bin router_by_ppid
//! ```
#![forbid(unsafe_code)]

use std::{error::Error, net::SocketAddr};

use sctp_service::{Match, Payload, Ppid, Router, State, StreamId, serve};
use sctp_tokio::{Association, Event, Message, SctpListener};

/// State shared by all handlers.
#[derive(Clone)]
struct Node {
    name: &'static str,
}

/// In NGAP, stream 0 is for what concerns no particular terminal.
async fn ngap_common(State(node): State<Node>) -> String {
    format!("{}: NGAP, common procedures", node.name)
}

async fn ngap_terminal(State(node): State<Node>, stream: StreamId) -> String {
    format!("{}: NGAP, a terminal on stream {stream}", node.name)
}

async fn diameter(State(node): State<Node>, Payload(payload): Payload) -> String {
    format!("{}: {} bytes of Diameter", node.name, payload.len())
}

async fn ping() -> &'static str {
    "pong"
}

fn router() -> Router {
    let ngap = Router::new()
        .route(StreamId::new(0), ngap_common)
        .fallback(ngap_terminal);
    Router::new()
        .nest(Ppid::NGAP, ngap)
        .route(Ppid::DIAMETER, diameter)
        .route(Ppid::UNSPECIFIED, diameter) // as many nodes send it
        // Predicates are asked first, whatever the PPID.
        .route(
            Match::when(|request| &request.payload()[..] == b"ping"),
            ping,
        )
        .with_state(Node { name: "core-1" })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    tokio::select! {
        () = serve(listener, router()) => Ok(()),
        done = client(server) => done,
    }
}

/// Speaks each protocol in turn, and at last one that the server does not know.
async fn client(server: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut association = Association::connect(server).await?;
    for message in [
        Message::new("setup").with_ppid(Ppid::NGAP),
        Message::new("attach").with_ppid(Ppid::NGAP).on_stream(4),
        Message::new("capabilities").with_ppid(Ppid::DIAMETER),
        Message::new("ping").with_ppid(Ppid::M3UA),
        Message::new("anybody?").with_ppid(4711).on_stream(3),
    ] {
        let (ppid, stream) = (message.info.ppid, message.info.stream);
        association.send(message).await?;
        match next(&mut association).await? {
            Event::Closed(end) => println!("{ppid:?} on stream {stream}: {end}"),
            Event::Message(reply) => println!("{ppid:?} on stream {stream}: {:?}", reply.payload),
            _ => {}
        }
    }
    Ok(())
}

/// Waits for a message or the end.
async fn next(association: &mut Association) -> Result<Event, Box<dyn Error>> {
    loop {
        match association.next_event().await? {
            Event::Notification(_) => {}
            event => return Ok(event),
        }
    }
}
