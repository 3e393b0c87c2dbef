//! Requests for the statistics of the transport.

use std::io;

use tokio::sync::oneshot;

use super::HandleState;
use crate::TransportStats;

/// Requests for statistics, until the session takes them.
#[derive(Default)]
pub(crate) struct StatsWaiters(Vec<oneshot::Sender<io::Result<TransportStats>>>);

impl StatsWaiters {
    /// Answers each with statistics read for it.
    pub(crate) fn answer(self, read: impl Fn() -> io::Result<TransportStats>) {
        for waiter in self.0 {
            if !waiter.is_closed() {
                // One that has left since needs no answer.
                let _ = waiter.send(read());
            }
        }
    }
}

impl HandleState {
    /// Requests the statistics of the transport from the session. Returns `None` if the association is
    /// closed. The receiver fails if it closes before the answer.
    pub(crate) fn request_stats(&self) -> Option<oneshot::Receiver<io::Result<TransportStats>>> {
        let (waiter, stats) = oneshot::channel();
        let mut core = self.lock();
        if core.phase.end().is_some() {
            return None;
        }
        let waiters = &mut core.stats_waiters.get_or_insert_default().0;
        // A session that is slow to take them has only those that still wait.
        let left: Vec<_> = waiters
            .extract_if(.., |waiter| waiter.is_closed())
            .collect();
        waiters.push(waiter);
        self.wake(core);
        // Outside the lock: the last of a waker may drop a whole task, and in tokio 1.48 a channel
        // without a receiver still has its waker.
        drop(left);
        Some(stats)
    }
}
