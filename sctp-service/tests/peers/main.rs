//! Nodes that are equals: drain hooks, watchdogs, peers by identity, and dialling.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod dial;
mod drain_hook;
mod silence;
#[path = "../support/mod.rs"]
mod support;
mod table;

use bytes::Bytes;
use sctp_service::testing::Peer;

async fn echo(payload: Bytes) -> Bytes {
    payload
}

/// Reads what the peer has been sent so far.
fn heard(peer: &Peer) -> Vec<Bytes> {
    std::iter::from_fn(|| peer.try_recv())
        .map(|message| message.payload)
        .collect()
}
