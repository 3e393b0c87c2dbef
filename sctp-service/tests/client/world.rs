//! The world in memory.

use std::future::Future;

use bytes::Bytes;
use sctp_service::{
    End, Message,
    testing::{Connector, Network, Peer, ScriptedListener},
};

use crate::support::must;

pub(crate) type Listener = ScriptedListener;

/// Runs a test under paused time.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test);
}

/// A place for a server to listen at, and again after a restart.
pub(crate) struct Place(Network);

impl Place {
    pub(crate) fn new() -> (Self, Listener) {
        let (listener, network) = ScriptedListener::new();
        (Self(network), listener)
    }

    pub(crate) fn listen(&self) -> Listener {
        self.0.listen().unwrap()
    }

    pub(crate) fn connector(&self) -> Connector {
        self.0.connector()
    }
}

/// A server's end in the hands of a test.
pub(crate) struct Hand(Peer);

impl Hand {
    pub(crate) async fn accept(listener: &mut Listener) -> Self {
        Self(must(listener.accept_peer()).await.unwrap())
    }

    pub(crate) async fn recv(&mut self) -> (u16, Bytes) {
        let message = must(self.0.recv()).await.unwrap();
        (message.info.stream.get(), message.payload)
    }

    pub(crate) async fn send(&self, stream: u16, payload: impl Into<Bytes>) {
        must(self.0.send(Message::new(payload).on_stream(stream))).await;
    }

    /// Waits until there is something unread.
    #[allow(clippy::unused_async, reason = "the kernel takes a moment")]
    pub(crate) async fn unread(&self) {
        // What was sent is there.
    }

    pub(crate) fn abort(&self, reason: &'static str) {
        self.0.abort(reason);
    }

    pub(crate) fn shutdown(&self) {
        self.0.shutdown();
    }

    pub(crate) async fn end(&mut self) -> End {
        must(self.0.closed()).await
    }
}
