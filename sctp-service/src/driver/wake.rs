//! Which of the calls in flight has something to do.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

/// The calls that were woken, in order, and the driver to wake for them.
///
/// Without it every wake-up of the driver would have to poll every call in flight.
#[derive(Debug, Default)]
pub(super) struct WakeQueue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Each slot is in it at most once, so it never holds more than there are slots.
    woken: VecDeque<usize>,
    driver: Option<Waker>,
}

impl WakeQueue {
    /// Names the task to wake; to be called whenever the driver is about to rest. Answers whether
    /// a call was woken already, which may have woken the task that was named before.
    pub(super) fn register(&self, driver: &Waker) -> bool {
        let mut state = self.lock();
        match &mut state.driver {
            Some(waker) => waker.clone_from(driver),
            none => *none = Some(driver.clone()),
        }
        !state.woken.is_empty()
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

    /// Puts the slot into the queue, and returns the driver to wake.
    fn enqueue(&self) -> Option<Waker> {
        if self.queued.swap(true, Ordering::AcqRel) {
            return None;
        }
        let mut state = self.queue.lock();
        state.woken.push_back(self.slot);
        state.driver.clone()
    }

    /// Puts the slot into the queue from within the driver, which looks there anyway.
    pub(super) fn enqueue_quietly(&self) {
        drop(self.enqueue());
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The lock is released by now: waking may run anything.
        if let Some(driver) = self.enqueue() {
            driver.wake();
        }
    }
}
