//! Handles: messages that nobody asked for, and the end of an association.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod accepted;
mod ends;
mod limits;
#[path = "../support/kernel/log.rs"]
#[allow(dead_code, reason = "this binary uses its own part of it")]
mod log;
mod refused;
mod sending;
#[path = "../support/mod.rs"]
mod support;
mod threads;

use bytes::Bytes;
use sctp_service::{AssociationHandle, Config, Request, testing::Peer};
use support::{Server, must};
use tokio::sync::mpsc;

/// A server that echoes, and the handles of its requests.
struct Handles {
    server: Server,
    handles: mpsc::Receiver<AssociationHandle>,
}

impl Handles {
    fn new(config: Config) -> Self {
        let (tell, handles) = mpsc::channel(100);
        let server = Server::with_config(config, async move |request: Request| {
            tell.send(request.association().clone()).await.unwrap();
            request.into_payload()
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
        must(self.handles.recv()).await.unwrap()
    }
}

impl Default for Handles {
    fn default() -> Self {
        Self::new(Config::new())
    }
}

/// Reads what the peer has been sent so far.
fn heard(peer: &Peer) -> Vec<Bytes> {
    std::iter::from_fn(|| peer.try_recv())
        .map(|message| message.payload)
        .collect()
}
