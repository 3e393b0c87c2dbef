//! Messages that nobody asked for.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures_core::Stream;
use sctp_tokio::Received;
use tokio::sync::mpsc;

use super::handle::Handle;
use crate::ConnectInfo;

/// The messages that the peer sends of its own accord: notices, or requests in its direction.
/// Made by [`Client::pushes`](super::Client::pushes).
///
/// They wait in a queue of [`ClientConfig::push_queue`](super::ClientConfig::push_queue)
/// messages. One that arrives when it is full is discarded, and counted: see
/// [`lost`](Self::lost).
///
/// It is a handle of the client: while it lives, the client does. It goes on across
/// associations, and ends (`None`) when the client is shut down.
pub struct Pushes {
    queue: mpsc::Receiver<Received>,
    handle: Arc<Handle>,
}

impl Pushes {
    pub(super) fn new(queue: mpsc::Receiver<Received>, handle: Arc<Handle>) -> Self {
        Self { queue, handle }
    }

    /// Receives the next one; `None` when the client has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn recv(&mut self) -> Option<Received> {
        self.queue.recv().await
    }

    /// Returns how many messages were discarded so far because the queue was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.handle.lost_pushes()
    }
}

impl Stream for Pushes {
    type Item = Received;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.queue.poll_recv(cx)
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushes")
            .field("waiting", &self.queue.len())
            .field("lost", &self.lost())
            .finish()
    }
}

/// Where pushes go: the client's own queue, or that of its pool. It answers whether there was room.
pub(super) type Sink = Arc<dyn Fn(&ConnectInfo, Received) -> bool + Send + Sync>;

/// Makes the sink of a client of which so many pushes may wait at once.
#[cfg(feature = "pool")]
pub(super) type MakeSink = Arc<dyn Fn(usize) -> Sink + Send + Sync>;

/// The driver's end of the queue.
pub(super) struct PushQueue {
    sink: Sink,
    lost: Arc<AtomicU64>,
}

impl PushQueue {
    pub(super) fn new(sink: Sink, lost: Arc<AtomicU64>) -> Self {
        Self { sink, lost }
    }

    /// Answers whether there was room for it.
    pub(super) fn push(&self, info: &ConnectInfo, received: Received) -> bool {
        let taken = (self.sink)(info, received);
        if !taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
            tracing::debug!("nobody receives what the peer pushes, discarding");
        }
        taken
    }
}
