//! Wakers of all tasks that wait for one socket to become writable.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock, PoisonError, Weak},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::sync::{Mutex, MutexGuard};

/// Waker for the reactor that wakes every waiting handle.
///
/// The reactor keeps one waker per direction of a descriptor, while the sending handles of an
/// association are polled by many tasks. Each handle therefore keeps its own waker.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    handles: Mutex<Vec<Weak<Slot>>>,
}

/// Waker of one handle.
#[derive(Debug, Default)]
struct Slot {
    waker: Mutex<Option<Waker>>,
}

/// Slot of one handle, allocated when it first waits, and the timer of its wait. A clone has its own.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    slot: OnceLock<Arc<Slot>>,
    /// Set while the handle waits.
    retry: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl Clone for Waiter {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Waiter {
    /// Polls the timer of a wait, which starts with the first call and ends after `interval`.
    pub(crate) fn poll_retry(&self, cx: &mut Context<'_>, interval: Duration) -> Poll<()> {
        let deadline = Instant::now() + interval;
        // Polled and dropped outside the lock: a timer clones and drops wakers, which may run
        // arbitrary code.
        let kept = lock(&self.retry).take();
        let mut retry = match kept {
            Some(kept) if kept.deadline() <= deadline => kept,
            _ => Box::pin(sleep_until(deadline)),
        };
        let elapsed = retry.as_mut().poll(cx);
        if elapsed.is_pending() {
            let other = lock(&self.retry).replace(retry);
            drop(other);
        }
        elapsed
    }

    /// Ends a wait. The next one has its own timer.
    pub(crate) fn finish(&self) {
        let retry = lock(&self.retry).take();
        drop(retry);
    }
}

impl Wakers {
    /// Stores the waker of a handle, and returns the one for the reactor.
    pub(crate) fn register(self: &Arc<Self>, waiter: &Waiter, waker: &Waker) -> Waker {
        let slot = waiter.slot.get_or_init(|| self.add());
        let known = lock(&slot.waker)
            .as_ref()
            .is_some_and(|known| known.will_wake(waker));
        if !known {
            // Cloned and dropped outside the lock: a waker may run arbitrary code.
            let waker = waker.clone();
            let previous = lock(&slot.waker).replace(waker);
            drop(previous);
        }
        Waker::from(Arc::clone(self))
    }

    fn add(&self) -> Arc<Slot> {
        let slot = Arc::default();
        let mut handles = lock(&self.handles);
        // Slots of dropped handles are freed here, so there are at most twice as many as handles.
        if handles.len() == handles.capacity() {
            handles.retain(|handle| handle.strong_count() > 0);
        }
        handles.push(Arc::downgrade(&slot));
        slot
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Wakers are called outside the locks, and the slots of handles dropped meanwhile are freed
        // outside the locks: a waker may run arbitrary code.
        let slots: Vec<Arc<Slot>> = lock(&self.handles)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for slot in slots {
            let waker = lock(&slot.waker).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// Locks a mutex. A panic cannot leave its value inconsistent, so poisoning is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_handle_is_woken_once() {
        let wakers = Arc::new(Wakers::default());
        let counts: [Arc<Count>; 3] = Default::default();
        let handles: [Waiter; 3] = Default::default();
        let mut reactor = None;
        for _ in 0..2 {
            for (handle, count) in handles.iter().zip(&counts) {
                reactor = Some(wakers.register(handle, &Waker::from(Arc::clone(count))));
            }
        }
        let reactor = reactor.unwrap();
        reactor.wake_by_ref();
        reactor.wake();
        for count in counts {
            assert_eq!(count.0.load(Ordering::Relaxed), 1);
        }
    }

    /// A waker that looks whether the locks are free whenever it runs.
    struct Looking {
        wakers: Arc<Wakers>,
        slot: Arc<Slot>,
        locked: Arc<AtomicUsize>,
    }

    impl Looking {
        fn look(&self) {
            let free = self.wakers.handles.try_lock().is_ok() && self.slot.waker.try_lock().is_ok();
            self.locked.fetch_add(usize::from(!free), Ordering::Relaxed);
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
    fn wakers_run_outside_the_locks() {
        let wakers = Arc::new(Wakers::default());
        let (waiter, locked) = (Waiter::default(), Arc::default());
        wakers.register(&waiter, Waker::noop());
        let looking = || {
            Waker::from(Arc::new(Looking {
                wakers: Arc::clone(&wakers),
                slot: Arc::clone(waiter.slot.get().unwrap()),
                locked: Arc::clone(&locked),
            }))
        };
        // Replaced by another one, and woken.
        wakers.register(&waiter, &looking());
        wakers.register(&waiter, &looking());
        wakers.wake_by_ref();
        assert_eq!(locked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn dropped_handles_free_their_slots() {
        let wakers = Arc::new(Wakers::default());
        for _ in 0..1000 {
            wakers.register(&Waiter::default(), Waker::noop());
        }
        assert!(lock(&wakers.handles).capacity() < 10);
    }
}

#[cfg(all(test, sctp_loom))]
mod models {
    use std::future::poll_fn;

    use loom::{
        future::block_on,
        model::Builder,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    /// A socket, as far as a handle that waits sees it.
    #[derive(Default)]
    struct Socket {
        has_room: AtomicBool,
        wakers: Arc<Wakers>,
    }

    impl Socket {
        fn free(&self) {
            self.has_room.store(true, Ordering::Release);
            self.wakers.wake_by_ref();
        }

        /// Waits for room, as a send does: it tries again after it has registered.
        fn wait(&self, waiter: &Waiter) {
            block_on(poll_fn(|cx| {
                let _reactor = self.wakers.register(waiter, cx.waker());
                match self.has_room.load(Ordering::Acquire) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }));
        }
    }

    #[test]
    fn every_waiting_handle_is_woken() {
        let mut model = Builder::new();
        model.preemption_bound = Some(2);
        model.check(|| {
            let socket = Arc::new(Socket::default());
            let other = thread::spawn({
                let socket = Arc::clone(&socket);
                move || socket.wait(&Waiter::default())
            });
            let reactor = thread::spawn({
                let socket = Arc::clone(&socket);
                move || socket.free()
            });
            socket.wait(&Waiter::default());
            other.join().unwrap();
            reactor.join().unwrap();
        });
    }

    /// A wake-up that finds a handle half-way through a change of its waker is not lost.
    #[test]
    fn handle_that_changes_tasks_is_woken() {
        loom::model(|| {
            let socket = Arc::new(Socket::default());
            let waiter = Waiter::default();
            let _reactor = socket.wakers.register(&waiter, Waker::noop());
            let reactor = thread::spawn({
                let socket = Arc::clone(&socket);
                move || socket.free()
            });
            socket.wait(&waiter);
            reactor.join().unwrap();
        });
    }
}
