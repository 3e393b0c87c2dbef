//! The clients of a pool.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sctp_tokio::End;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Target;
use crate::{
    Cause,
    client::{Client, current::Ending},
};

/// Clients of a pool that have not ended: those of listed servers, and those that finish their last
/// calls. The set does not keep them alive: the balancer owns the handles.
#[derive(Clone, Default)]
pub(super) struct ClientSet {
    clients: Arc<Mutex<Vec<Entry>>>,
    stopped: CancellationToken,
}

type Entry = (Target, Ending);

impl ClientSet {
    /// Adds a client. If the pool was shut down meanwhile, the client is shut down too.
    pub(super) fn enter(&self, target: &Target, client: &Client) {
        let ending = client.ending();
        let mut clients = self.lock();
        let stopped = self.stopped.is_cancelled();
        let over = match stopped {
            true => Vec::new(),
            false => take_over(&mut clients),
        };
        clients.push((target.clone(), ending.clone()));
        drop(clients);
        // Outside of the lock: this wakes tasks, which may run anything.
        drop(over);
        if stopped {
            ending.begin();
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    /// Resolves when the pool is shut down.
    pub(super) fn stopped(&self) -> WaitForCancellationFutureOwned {
        self.stopped.clone().cancelled_owned()
    }

    /// Returns the error that keeps one of the servers without an association, if it is known.
    pub(super) fn last_error(&self) -> Option<Cause> {
        self.lock()
            .iter()
            .find_map(|(_, ending)| ending.last_error())
    }

    /// Shuts every client down, and returns the end of its last association.
    pub(super) async fn graceful_shutdown(&self) -> Vec<(Target, Option<End>)> {
        let mut clients = self.stop();
        let mut ends = Vec::with_capacity(clients.len());
        for (target, ending) in &mut clients {
            ends.push((target.clone(), ending.ended().await));
        }
        ends
    }

    fn stop(&self) -> Vec<Entry> {
        // Before the look: a client that is entered later is ended where it is entered. Not under the
        // lock, since this wakes tasks, which may run anything.
        let again = self.stopped.is_cancelled();
        self.stopped.cancel();
        let mut clients = self.lock();
        let over = match again {
            true => Vec::new(),
            false => take_over(&mut clients),
        };
        let listed = clients.clone();
        drop(clients);
        drop(over);
        for (_, ending) in &listed {
            ending.begin();
        }
        listed
    }

    /// The list is whole between two calls, whatever panicked: it is changed in one step.
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the clients that have ended from the list.
fn take_over(clients: &mut Vec<Entry>) -> Vec<Entry> {
    clients
        .extract_if(.., |(_, ending)| ending.is_over())
        .collect()
}

/// Shows each server and the status of its client.
impl fmt::Debug for ClientSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.lock();
        let clients = clients.iter();
        f.debug_map()
            .entries(clients.map(|(target, ending)| (target.addrs(), ending)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        sync::atomic::{AtomicBool, Ordering},
        task::{Context, Wake, Waker},
    };

    use super::*;

    /// A task that looks, when it is woken, whether the lock is free.
    struct LockProbe {
        at: ClientSet,
        found: AtomicBool,
    }

    impl Wake for LockProbe {
        fn wake(self: Arc<Self>) {
            let free = self.at.clients.try_lock().is_ok();
            self.found.store(free, Ordering::Relaxed);
        }
    }

    #[test]
    fn stopping_wakes_outside_of_the_lock() {
        let clients = ClientSet::default();
        let probe = Arc::new(LockProbe {
            at: clients.clone(),
            found: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&probe));
        let mut stopped = pin!(clients.stopped());
        let polled = stopped.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        clients.stop();
        assert!(probe.found.load(Ordering::Relaxed));
    }
}
