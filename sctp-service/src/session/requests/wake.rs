//! Queue of the calls in flight that were woken.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
    task::{Wake, Waker},
};

use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

/// The calls that were woken, in order, and the session to wake for them.
///
/// Without it every wake-up of the session would have to poll every call in flight.
#[derive(Debug, Default)]
pub(super) struct WakeQueue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Each slot is in it at most once, so it never holds more than there are slots.
    woken: VecDeque<usize>,
    session: Option<Waker>,
}

impl WakeQueue {
    /// Names the task to wake, until it is woken; to be called whenever the session is about to
    /// rest. Answers whether a call was woken already, which may have woken the task that was named
    /// before.
    pub(super) fn register(&self, session: &Waker) -> bool {
        {
            let state = self.lock();
            let known = state.session.as_ref();
            if known.is_some_and(|known| known.will_wake(session)) {
                return !state.woken.is_empty();
            }
        }
        // Cloned and dropped outside of the lock: a waker may run anything.
        let session = session.clone();
        let mut state = self.lock();
        let earlier = state.session.replace(session);
        let is_woken = !state.woken.is_empty();
        drop(state);
        drop(earlier);
        is_woken
    }

    /// Takes the call that has waited longest.
    pub(super) fn pop(&self) -> Option<usize> {
        self.lock().woken.pop_front()
    }

    /// Nothing here can be left half done by a panic, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one slot. It outlives the call that is in the slot, and may wake a later one: a
/// wake-up too many is harmless.
#[derive(Debug)]
pub(super) struct SlotWaker {
    slot: usize,
    queued: AtomicBool,
    queue: Arc<WakeQueue>,
}

impl SlotWaker {
    pub(super) fn new(slot: usize, queue: Arc<WakeQueue>) -> Self {
        Self {
            slot,
            queued: AtomicBool::new(false),
            queue,
        }
    }

    /// To be called when the slot was taken off the queue, before it is polled: a wake-up during
    /// the poll counts.
    pub(super) fn taken(&self) {
        // With a store, a wake-up could be lost: a store may become visible only after the poll has read
        // its data, and a waker in between still finds the slot queued. A swap is ordered with the
        // one in `enqueue`. Either that one comes later and queues the slot again, or this one
        // acquires what was written before the wake-up, and the poll reads it.
        self.queued.swap(false, Ordering::AcqRel);
    }

    /// Puts the slot into the queue, and returns its lock, unless the slot was there already.
    fn enqueue(&self) -> Option<MutexGuard<'_, State>> {
        if self.queued.swap(true, Ordering::AcqRel) {
            return None;
        }
        let mut state = self.queue.lock();
        state.woken.push_back(self.slot);
        Some(state)
    }

    /// Puts the slot into the queue from within the session, which looks there anyway.
    pub(super) fn enqueue_quietly(&self) {
        drop(self.enqueue());
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Once is enough: the session names itself again before it rests.
        let session = self.enqueue().and_then(|mut state| state.session.take());
        // The lock is released by now: waking may run anything.
        if let Some(session) = session {
            session.wake();
        }
    }
}

#[cfg(all(test, sctp_loom))]
mod models {
    use std::{future::poll_fn, task::Poll};

    use loom::{future::block_on, model::Builder, thread};

    use super::*;

    #[test]
    fn wake_up_during_poll_is_seen() {
        loom::model(|| {
            let queue = Arc::new(WakeQueue::default());
            let slot = Arc::new(SlotWaker::new(0, Arc::clone(&queue)));
            let data = Arc::new(AtomicBool::new(false));
            // Woken by something else, which the poll finds no data for.
            slot.enqueue_quietly();
            let other = thread::spawn({
                let (slot, data) = (Arc::clone(&slot), Arc::clone(&data));
                move || {
                    data.store(true, Ordering::Release);
                    slot.wake_by_ref();
                }
            });
            assert_eq!(queue.pop(), Some(0));
            slot.taken();
            let is_seen = data.load(Ordering::Acquire);
            other.join().unwrap();
            assert!(is_seen || queue.pop().is_some());
        });
    }

    /// Two threads each finish a call of a session, which rests in between.
    #[test]
    fn resting_session_is_woken() {
        let mut model = Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let queue = Arc::new(WakeQueue::default());
            let slots = [0, 1].map(|slot| Arc::new(SlotWaker::new(slot, Arc::clone(&queue))));
            let data: [_; 2] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
            for (slot, data) in slots.iter().zip(&data) {
                let (slot, data) = (Arc::clone(slot), Arc::clone(data));
                thread::spawn(move || {
                    data.store(true, Ordering::Release);
                    slot.wake();
                });
            }
            let mut finished = [false; 2];
            // Loom fails where it would wait for ever.
            block_on(poll_fn(|cx| {
                while let Some(slot) = queue.pop() {
                    slots[slot].taken();
                    finished[slot] |= data[slot].load(Ordering::Acquire);
                }
                if finished == [true; 2] {
                    return Poll::Ready(());
                }
                if queue.register(cx.waker()) {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }));
        });
    }
}
