//! Messages that nobody asked for, of all servers of a pool.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures_core::Stream;
use sctp_tokio::Received;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Pool, Target};
use crate::{
    ConnectInfo,
    client::push::{MakeSink, Sink},
};

/// A message that a server of a pool sent of its own accord, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolPush {
    /// The server, as it is listed.
    pub server: Target,
    /// The association with it. It may have ended since.
    pub connect_info: ConnectInfo,
    /// The message.
    pub received: Received,
}

/// The messages that the servers of a pool send of their own accord: notices, or requests in the
/// other direction. Made by [`Pool::pushes`].
///
/// They wait in one queue of [`PoolBuilder::with_push_queue`](super::PoolBuilder::with_push_queue)
/// messages, of which those of one server are no more than
/// [`ClientConfig::push_queue`](crate::client::ClientConfig::push_queue): a server that sends without
/// end leaves room for the others. One that arrives when the queue is full, or its server's share is, is
/// discarded, and counted: see [`lost`](Self::lost). Those of one server come in the order in which they
/// arrived.
///
/// It is a handle of the pool: while it lives, the pool does. It goes on across associations, with
/// whatever servers there are; what a server had sent before it was taken off the list is still
/// received. It ends (`None`) when the pool is shut down.
pub struct PoolPushes {
    queue: mpsc::Receiver<Queued>,
    pool: Pool,
}

struct Queued {
    push: PoolPush,
    /// Its place in its server's share, free when it is received.
    _place: OwnedSemaphorePermit,
}

impl PoolPushes {
    /// Receives the next one; `None` when the pool has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn recv(&mut self) -> Option<PoolPush> {
        self.queue.recv().await.map(|queued| queued.push)
    }

    /// Returns how many messages were discarded so far because there was no room for them, of all
    /// servers.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.pool.pushes.lost.load(Ordering::Relaxed)
    }
}

impl Stream for PoolPushes {
    type Item = PoolPush;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PoolPush>> {
        let next = self.queue.poll_recv(cx);
        next.map(|queued| queued.map(|queued| queued.push))
    }
}

impl fmt::Debug for PoolPushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolPushes")
            .field("waiting", &self.queue.len())
            .field("lost", &self.lost())
            .finish()
    }
}

/// The receiver, until it is taken, and the count.
pub(super) struct Outlet {
    queue: Mutex<Option<mpsc::Receiver<Queued>>>,
    lost: Arc<AtomicU64>,
}

impl Outlet {
    pub(super) fn take(&self, pool: &Pool) -> Option<PoolPushes> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let (queue, pool) = (queue.take()?, pool.clone());
        Some(PoolPushes { queue, pool })
    }
}

/// What the sinks of the servers' clients are made of.
#[derive(Clone)]
pub(super) struct Inlet {
    queue: mpsc::Sender<Queued>,
    lost: Arc<AtomicU64>,
}

pub(super) fn channel(room: usize) -> (Inlet, Outlet) {
    let room = room.clamp(1, Semaphore::MAX_PERMITS);
    let (queue, queued) = mpsc::channel(room);
    let lost = Arc::new(AtomicU64::new(0));
    let inlet = Inlet {
        queue,
        lost: Arc::clone(&lost),
    };
    let queue = Mutex::new(Some(queued));
    (inlet, Outlet { queue, lost })
}

impl Inlet {
    pub(super) fn of_server(&self, server: &Target) -> MakeSink {
        let (inlet, server) = (self.clone(), server.clone());
        Arc::new(move |share| inlet.sink(server.clone(), share))
    }

    fn sink(&self, server: Target, share: usize) -> Sink {
        let inlet = self.clone();
        let places = Arc::new(Semaphore::new(share.min(Semaphore::MAX_PERMITS)));
        Arc::new(move |info, received| {
            let taken = inlet.push(&server, &places, info, received);
            if !taken {
                inlet.lost.fetch_add(1, Ordering::Relaxed);
            }
            taken
        })
    }

    /// Answers whether there was room.
    fn push(
        &self,
        server: &Target,
        places: &Arc<Semaphore>,
        info: &ConnectInfo,
        received: Received,
    ) -> bool {
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            return false;
        };
        let push = PoolPush {
            server: server.clone(),
            connect_info: info.clone(),
            received,
        };
        let queued = Queued {
            push,
            _place: place,
        };
        self.queue.try_send(queued).is_ok()
    }
}
