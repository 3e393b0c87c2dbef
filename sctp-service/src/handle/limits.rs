//! Limits of queued messages and calls.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use sctp_tokio::SendError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError};

use super::observer::Observer;
use crate::Config;

/// Limits of the messages and calls of one association's handles. Created when the first message is
/// sent, since most associations never send one.
#[derive(Debug)]
pub(super) struct Limits {
    messages: Semaphore,
    bytes: Semaphore,
    all_bytes: u32,
    /// Calls that wait for their reply.
    calls: Arc<Semaphore>,
    pub(super) ended: Notify,
    /// The handshake has ended.
    pub(super) opened: Notify,
    pub(super) progress: Progress,
    observers: Mutex<Vec<Arc<dyn Observer>>>,
}

/// Progress of accepted messages, for flushes.
///
/// Messages leave in the order in which they were accepted, so two counts suffice. One that is refused
/// while others are before it counts as never accepted; a flush may then wait for as many later
/// messages. The counts change under the lock of the association's state, and are read under it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    accepted: AtomicU64,
    /// Messages that the transport has taken, or refused for themselves alone.
    done: AtomicU64,
    /// The others were discarded.
    has_discarded: AtomicBool,
    pub(super) changed: Notify,
}

impl Progress {
    /// Records that a message was accepted.
    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    /// Records that the transport is done with a message, or that it was discarded.
    pub(super) fn finish(&self, is_done: bool) {
        match is_done {
            true => {
                self.done.fetch_add(1, Relaxed);
            }
            false => self.has_discarded.store(true, Relaxed),
        }
    }

    /// Records that an accepted message is refused although others may be before it.
    pub(super) fn refuse(&self) {
        self.accepted.fetch_sub(1, Relaxed);
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Returns `true` if the transport is done with this many messages, as far as they were not
    /// refused.
    pub(super) fn is_done(&self, messages: u64) -> bool {
        self.done.load(Relaxed) >= messages.min(self.accepted())
    }

    pub(super) fn has_discarded(&self) -> bool {
        self.has_discarded.load(Relaxed)
    }
}

/// Permit for one message in the queue, until it is dropped or forgotten.
pub(super) struct QueuePermit<'a> {
    message: SemaphorePermit<'a>,
    bytes: SemaphorePermit<'a>,
}

impl QueuePermit<'_> {
    /// Transfers the permit to the message, until the session returns it.
    pub(super) fn forget(self) {
        self.message.forget();
        self.bytes.forget();
    }
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        let limit = |limit: usize| limit.clamp(1, Semaphore::MAX_PERMITS);
        let all_bytes = u32::try_from(limit(config.outbound_queue_bytes)).unwrap_or(u32::MAX);
        Self {
            messages: Semaphore::new(limit(config.outbound_queue)),
            bytes: Semaphore::new(all_bytes as usize),
            all_bytes,
            calls: Arc::new(Semaphore::new(limit(config.max_calls))),
            ended: Notify::new(),
            opened: Notify::new(),
            progress: Progress::default(),
            observers: Mutex::default(),
        }
    }

    /// Returns the share of the bytes that a message takes: one longer than the limit takes all.
    fn cost(&self, len: usize) -> u32 {
        u32::try_from(len).map_or(self.all_bytes, |len| len.min(self.all_bytes))
    }

    /// Waits for a permit. Returns `None` if no more messages are accepted.
    pub(super) async fn acquire(&self, len: usize) -> Option<QueuePermit<'_>> {
        let message = self.messages.acquire().await.ok()?;
        let bytes = self.bytes.acquire_many(self.cost(len)).await.ok()?;
        Some(QueuePermit { message, bytes })
    }

    /// Like `acquire`, but does not wait.
    pub(super) fn try_acquire(&self, len: usize) -> Result<Option<QueuePermit<'_>>, SendError> {
        let message = self.messages.try_acquire();
        let permit = message.and_then(|message| {
            let bytes = self.bytes.try_acquire_many(self.cost(len))?;
            Ok(QueuePermit { message, bytes })
        });
        match permit {
            Ok(permit) => Ok(Some(permit)),
            Err(TryAcquireError::Closed) => Ok(None),
            Err(TryAcquireError::NoPermits) => Err(SendError::Full),
        }
    }

    /// Returns the permits of calls.
    pub(super) fn calls(&self) -> &Arc<Semaphore> {
        &self.calls
    }

    /// Waits for permits for a call and its message. Returns `None` if no more calls are
    /// accepted.
    pub(super) async fn acquire_call(
        self: &Arc<Self>,
        len: usize,
    ) -> Option<(OwnedSemaphorePermit, OwnedQueuePermit)> {
        let permit = Arc::clone(&self.calls).acquire_owned().await.ok()?;
        Some((permit, self.acquire_for_call(len).await?))
    }

    /// Waits for a permit for the message of a call that has a permit among those in flight.
    pub(super) async fn acquire_for_call(self: &Arc<Self>, len: usize) -> Option<OwnedQueuePermit> {
        let permit = self.acquire(len).await?;
        Some(OwnedQueuePermit::new(self, permit, len))
    }

    /// Like `acquire_for_call`, but returns `None` instead of waiting.
    pub(super) fn try_acquire_for_call(self: &Arc<Self>, len: usize) -> Option<OwnedQueuePermit> {
        let permit = self.try_acquire(len).ok()??;
        Some(OwnedQueuePermit::new(self, permit, len))
    }

    /// Returns the observers of the association.
    pub(super) fn observers(&self) -> MutexGuard<'_, Vec<Arc<dyn Observer>>> {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports a change to the observers.
    pub(super) fn report_change(&self) {
        let observers = self.observers().clone();
        for observer in observers {
            observer.changed();
        }
    }

    /// Returns the permit of a message that the transport has accepted or refused.
    pub(super) fn give_back(&self, len: usize) {
        self.messages.add_permits(1);
        self.bytes.add_permits(self.cost(len) as usize);
    }

    /// Wakes tasks that wait for a permit: no more messages are accepted.
    pub(super) fn close(&self) {
        self.messages.close();
        self.bytes.close();
        self.calls.close();
        self.opened.notify_waiters();
        self.progress.changed.notify_waiters();
    }
}

/// Permit for the message of a call in the queue, until the transport has taken it or the call ends.
#[derive(Debug)]
pub(crate) struct OwnedQueuePermit {
    limits: Arc<Limits>,
    len: usize,
}

impl OwnedQueuePermit {
    fn new(limits: &Arc<Limits>, permit: QueuePermit<'_>, len: usize) -> Self {
        permit.forget();
        Self {
            limits: Arc::clone(limits),
            len,
        }
    }
}

impl Drop for OwnedQueuePermit {
    fn drop(&mut self) {
        self.limits.give_back(self.len);
    }
}
