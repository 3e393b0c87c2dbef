//! Notice to the client's task that calls were given up.

use std::{
    sync::PoisonError,
    task::{Context, Poll, Waker},
};

use crate::{
    handle::call::Abandon,
    sync::{Mutex, MutexGuard},
};

/// A flag that is set when a call is given up.
#[derive(Debug, Default)]
pub(super) struct Abandoned(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_set: bool,
    task: Option<Waker>,
}

impl Abandon for Abandoned {
    fn abandoned(&self) {
        let task = {
            let mut inner = self.lock();
            inner.is_set = true;
            inner.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Abandoned {
    /// Takes the flag, or registers the task to wake when it is set.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if std::mem::take(&mut inner.is_set) {
            return Poll::Ready(());
        }
        let is_known = inner
            .task
            .as_ref()
            .is_some_and(|task| task.will_wake(cx.waker()));
        let earlier = match is_known {
            true => None,
            false => inner.task.replace(cx.waker().clone()),
        };
        drop(inner);
        // Outside the lock: the last reference of a waker may drop a whole task.
        drop(earlier);
        Poll::Pending
    }

    /// A panic cannot leave the flag inconsistent, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        sync::atomic::{AtomicBool, Ordering},
        task::Wake,
    };

    use super::*;

    /// A waker that looks, when it is dropped or called, whether the lock is free.
    struct Looking {
        at: Arc<Abandoned>,
        was_locked: Arc<AtomicBool>,
    }

    impl Looking {
        fn look(&self) {
            if self.at.0.try_lock().is_err() {
                self.was_locked.store(true, Ordering::Relaxed);
            }
        }
    }

    impl Wake for Looking {
        fn wake(self: Arc<Self>) {
            self.look();
        }
    }

    impl Drop for Looking {
        fn drop(&mut self) {
            self.look();
        }
    }

    #[test]
    fn wakers_run_outside_of_the_lock() {
        let at = Arc::new(Abandoned::default());
        let was_locked = Arc::new(AtomicBool::new(false));
        for _ in 0..3 {
            let waker = Waker::from(Arc::new(Looking {
                at: Arc::clone(&at),
                was_locked: Arc::clone(&was_locked),
            }));
            assert!(at.poll_take(&mut Context::from_waker(&waker)).is_pending());
        }
        at.abandoned();
        assert!(!was_locked.load(Ordering::Relaxed));
    }
}

#[cfg(all(test, sctp_loom))]
mod models {
    use std::{future::poll_fn, sync::Arc, task::ready};

    use loom::{
        future::block_on,
        model::Builder,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;
    use crate::handle::call::Ticket;

    /// Two calls are dropped, each after its channel, which the task looks at when it is woken.
    #[test]
    fn abandoned_calls_reach_the_task() {
        let mut model = Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let abandoned = Arc::new(Abandoned::default());
            let closed: [_; 2] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
            for closed in &closed {
                let closed = Arc::clone(closed);
                let task: Arc<Abandoned> = Arc::clone(&abandoned);
                let ticket = Ticket::new(task);
                thread::spawn(move || {
                    closed.store(true, Ordering::Release);
                    drop(ticket);
                });
            }
            block_on(poll_fn(|cx| {
                loop {
                    ready!(abandoned.poll_take(cx));
                    if closed.iter().all(|closed| closed.load(Ordering::Acquire)) {
                        return Poll::Ready(());
                    }
                }
            }));
        });
    }
}
