//! Counters of the proxy.

use std::sync::atomic::{AtomicU64, Ordering};

use sctp_tokio::End;
use serde::Serialize;

/// One of the two directions of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToServer,
    ToClient,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Associations of clients that were accepted.
    accepted: AtomicU64,
    /// Clients that were aborted because no server took them.
    without_server: AtomicU64,
    /// Servers that were replaced under a client (`--survive`).
    replaced: AtomicU64,
    messages: [AtomicU64; 2],
    /// Messages that were received and not passed on.
    lost: [AtomicU64; 2],
    shutdowns: AtomicU64,
    aborts: AtomicU64,
    losses: AtomicU64,
    failures: AtomicU64,
}

/// The counters at one time.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) accepted: u64,
    pub(super) without_server: u64,
    pub(super) replaced_servers: u64,
    pub(super) messages_to_server: u64,
    pub(super) messages_to_client: u64,
    pub(super) lost_to_server: u64,
    pub(super) lost_to_client: u64,
    pub(super) shutdowns: u64,
    pub(super) aborts: u64,
    pub(super) losses: u64,
    pub(super) failures: u64,
}

impl Totals {
    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn without_server(&self) {
        self.without_server.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn replaced(&self) {
        self.replaced.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts messages that were passed on, or, if the number has wrapped below 0, that turned out
    /// not to be.
    pub(super) fn passed(&self, direction: Direction, messages: u64) {
        self.messages[direction as usize].fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn lost(&self, direction: Direction, messages: u64) {
        self.lost[direction as usize].fetch_add(messages, Ordering::Relaxed);
    }

    /// Counts the end of a conversation, by the side that was closed first.
    pub(super) fn ended(&self, end: &End) {
        let counter = match end {
            End::Shutdown { .. } => &self.shutdowns,
            End::Aborted { .. } => &self.aborts,
            _ => &self.losses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a conversation that the proxy could not go on with.
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn figures(&self) -> Figures {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [messages_to_server, messages_to_client] = [0, 1].map(|n| get(&self.messages[n]));
        let [lost_to_server, lost_to_client] = [0, 1].map(|n| get(&self.lost[n]));
        Figures {
            accepted: get(&self.accepted),
            without_server: get(&self.without_server),
            replaced_servers: get(&self.replaced),
            messages_to_server,
            messages_to_client,
            lost_to_server,
            lost_to_client,
            shutdowns: get(&self.shutdowns),
            aborts: get(&self.aborts),
            losses: get(&self.losses),
            failures: get(&self.failures),
        }
    }
}
