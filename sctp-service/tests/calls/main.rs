//! Calls from a served association to its peer.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod both_ways;
mod ends;
mod limits;
mod replies;
#[path = "../support/restarting.rs"]
mod restarting;
#[path = "../support/mod.rs"]
mod support;

use sctp_service::{
    AssociationHandle, CallError, Cause, Config, Fate, Message, Payload, Received, Request,
    testing::Peer,
};
use support::{
    Server,
    header::{Header, by_header},
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Turns a request into its reply.
fn reply_to(request: &Message, text: &str) -> Message {
    assert_eq!(request.payload[0], b'?', "{request:?}");
    let payload = [b"!", &request.payload[1..5], text.as_bytes()].concat();
    Message::new(payload).on_stream(request.info.stream)
}

fn text(message: &Message) -> &[u8] {
    message.payload.get(5..).unwrap_or_default()
}

/// A server whose handler echoes, with the handles of its requests.
struct Calling {
    server: Server,
    handles: mpsc::Receiver<AssociationHandle>,
}

impl Calling {
    fn new(config: Config) -> Self {
        let (tell, handles) = mpsc::channel(100);
        let handler = async move |request: Request| {
            tell.send(request.association().clone()).await.unwrap();
            request.into_payload()
        };
        let server = Server::with(handler, |server| {
            server.with_config(config).with_correlation(by_header())
        });
        Self { server, handles }
    }

    /// Makes an association, and returns both its ends.
    async fn connect(&mut self) -> (Peer, AssociationHandle) {
        let peer = self.server.connect().await;
        let handle = self.ask(&peer).await;
        (peer, handle)
    }

    /// Asks, and returns the handle that came with the request.
    async fn ask(&mut self, peer: &Peer) -> AssociationHandle {
        peer.send("hello").await;
        peer.expect_message("hello").await;
        self.handles.recv().await.unwrap()
    }
}

impl Default for Calling {
    fn default() -> Self {
        Self::new(Config::new())
    }
}

type Called = JoinHandle<Result<Received, CallError>>;

/// Makes a call in a task of its own.
fn call(handle: &AssociationHandle, payload: &'static str) -> Called {
    let handle = handle.clone();
    tokio::spawn(async move { handle.request(payload).await })
}

#[track_caller]
fn assert_failed(error: &CallError, cause: impl Fn(&Cause) -> bool, fate: Fate) {
    assert!(cause(error.cause()), "{error}");
    assert_eq!(error.fate(), fate, "{error}");
}

/// Asks the peer back on the stream of the request, and answers with what it said.
async fn ask_back(handle: AssociationHandle, request: Request) -> Payload {
    let stream = request.info().stream;
    let question = Message::new(request.into_payload()).on_stream(stream);
    let answer = handle.request(question).await.unwrap();
    Payload(answer.payload.slice(5..))
}
