//! Calls in flight on one association.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;
use sctp_core::{SendInfo, StreamId};

use super::wake::{SlotWaker, WakeQueue};
use crate::{
    Shutdown,
    reply::{Ending, ReplyMessage, ReplyStream, poll_next},
};

/// The maximum number of idle slots that keep the memory of their last future for the next one.
const WARM_SLOTS: usize = 4;

/// State of a request while its call is in flight.
#[derive(Debug)]
pub(super) struct InFlight {
    /// Number of the request on its association.
    pub(super) number: u64,
    /// The stream that waits for this call, if any does.
    pub(super) lane: Option<StreamId>,
    /// Destination of the payloads of the reply.
    pub(super) reply_to: SendInfo,
    /// End of the association after a reply that is a stream.
    pub(super) ending: Option<Ending>,
}

/// Result of polling a call.
pub(super) enum Progress<R> {
    /// The service answered.
    Answered(R),
    /// The reply's stream yielded, or ended.
    Next(Option<Result<ReplyMessage, Shutdown>>),
}

/// Calls in flight, in reusable slots.
///
/// `FuturesUnordered` would allocate for every call, and `futures-buffered` keep room for many
/// calls on every association, and let none be dropped before it is done. Here a slot's memory,
/// once pinned, takes one future after the other (`Pin::set` drops the old one in place), so a
/// service whose futures are not boxed costs no allocation per message. How many calls there are is
/// limited by whoever starts them.
pub(super) struct Slots<F> {
    slots: Vec<Slot<F>>,
    /// Idle slots with memory, and without: the warm ones are used first.
    warm: Vec<usize>,
    cold: Vec<usize>,
    /// Slots whose reply waits for room in the send queue, each at most once.
    parked: Vec<usize>,
    queue: Arc<WakeQueue>,
}

struct Slot<F> {
    task: Option<Pin<Box<Task<F>>>>,
    in_flight: Option<InFlight>,
    /// The slot is in `Slots::parked`.
    parked: bool,
    wake: Arc<SlotWaker>,
    waker: Waker,
}

pin_project! {
    #[project = TaskProj]
    enum Task<F> {
        Idle,
        Calling { #[pin] future: F },
        Replying { stream: ReplyStream },
    }
}

impl<F: Future> Slots<F> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            warm: Vec::new(),
            cold: Vec::new(),
            parked: Vec::new(),
            queue: Arc::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.warm.len() - self.cold.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names the task that [`pop_woken`](Self::pop_woken) is called from, before it rests.
    pub(super) fn register(&self, session: &Waker) {
        // Where every call answers at once, there is nothing to be woken for, and no lock to take.
        if !self.is_empty() && self.queue.register(session) {
            session.wake_by_ref();
        }
    }

    /// Takes the next call that was woken.
    pub(super) fn pop_woken(&self) -> Option<usize> {
        if self.is_empty() {
            // This spares the lock, as in `register`.
            return None;
        }
        let index = self.queue.pop()?;
        if let Some(slot) = self.slots.get(index) {
            slot.wake.taken();
        }
        Some(index)
    }

    /// Puts a call into a slot. It is not polled yet.
    pub(super) fn start(&mut self, future: F, in_flight: InFlight) -> usize {
        let index = self
            .warm
            .pop()
            .or_else(|| self.cold.pop())
            .unwrap_or_else(|| self.add_slot());
        let slot = &mut self.slots[index];
        let task = Task::Calling { future };
        match &mut slot.task {
            Some(memory) => memory.set(task),
            None => slot.task = Some(Box::pin(task)),
        }
        slot.in_flight = Some(in_flight);
        index
    }

    /// Polls one call with its own waker. An idle slot answers `Pending`: a waker that outlived
    /// its call may have named it.
    pub(super) fn poll(&mut self, index: usize) -> Poll<Progress<F::Output>> {
        let Some(slot) = self.slots.get_mut(index) else {
            return Poll::Pending;
        };
        let Some(task) = &mut slot.task else {
            return Poll::Pending;
        };
        let mut cx = Context::from_waker(&slot.waker);
        match task.as_mut().project() {
            TaskProj::Idle => Poll::Pending,
            TaskProj::Calling { future } => future.poll(&mut cx).map(Progress::Answered),
            TaskProj::Replying { stream } => poll_next(stream, &mut cx).map(Progress::Next),
        }
    }

    /// Returns what is remembered of a call's request.
    pub(super) fn in_flight(&mut self, index: usize) -> Option<&mut InFlight> {
        self.slots.get_mut(index)?.in_flight.as_mut()
    }

    /// Takes the lane of the call with this number, if it has one and is in flight.
    pub(super) fn take_lane(&mut self, number: u64) -> Option<StreamId> {
        let mut in_flight = self
            .slots
            .iter_mut()
            .filter_map(|slot| slot.in_flight.as_mut());
        in_flight
            .find(|in_flight| in_flight.number == number)?
            .lane
            .take()
    }

    /// Returns `true` if a call has answered with a stream that it goes on sending from.
    pub(super) fn is_replying(&self, index: usize) -> bool {
        let task = self.slots.get(index).and_then(|slot| slot.task.as_deref());
        matches!(task, Some(Task::Replying { .. }))
    }

    /// Replaces a call that has answered by the stream that is its answer.
    pub(super) fn reply(&mut self, index: usize, stream: ReplyStream) {
        if let Some(Slot {
            task: Some(task),
            wake,
            ..
        }) = self.slots.get_mut(index)
        {
            task.set(Task::Replying { stream });
            wake.enqueue_quietly();
        }
    }

    /// Schedules a call to be polled again.
    pub(super) fn wake(&self, index: usize) {
        if let Some(slot) = self.slots.get(index) {
            slot.wake.enqueue_quietly();
        }
    }

    /// Leaves a call alone until [`unpark`](Self::unpark). A call that is woken meanwhile may be
    /// parked again, any number of times.
    pub(super) fn park(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index)
            && !slot.parked
        {
            slot.parked = true;
            self.parked.push(index);
        }
    }

    /// Schedules all parked calls to be polled again.
    pub(super) fn unpark(&mut self) {
        while let Some(index) = self.parked.pop() {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.parked = false;
            }
            self.wake(index);
        }
    }

    /// Returns the calls that answer with a stream.
    pub(super) fn replying(&self) -> Vec<usize> {
        (0..self.slots.len())
            .filter(|&index| self.is_replying(index))
            .collect()
    }

    /// Drops a call, finished or not, and returns what was remembered of its request.
    pub(super) fn finish(&mut self, index: usize) -> Option<InFlight> {
        let slot = self.slots.get_mut(index)?;
        let in_flight = slot.in_flight.take()?;
        if self.warm.len() < WARM_SLOTS {
            self.warm.push(index);
            if let Some(task) = &mut slot.task {
                task.set(Task::Idle);
            }
        } else {
            self.cold.push(index);
            slot.task = None;
        }
        Some(in_flight)
    }

    fn add_slot(&mut self) -> usize {
        let index = self.slots.len();
        let wake = Arc::new(SlotWaker::new(index, Arc::clone(&self.queue)));
        let waker = Waker::from(Arc::clone(&wake));
        if index == 0 {
            // Most associations have one call at a time, and a vector begins with four places.
            self.slots.reserve_exact(1);
        }
        self.slots.push(Slot {
            task: None,
            in_flight: None,
            parked: false,
            wake,
            waker,
        });
        index
    }
}

#[cfg(all(test, not(sctp_loom)))]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct WakeUps(AtomicUsize);

    impl Wake for WakeUps {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn in_flight() -> InFlight {
        InFlight {
            number: 1,
            lane: None,
            reply_to: SendInfo::default(),
            ending: None,
        }
    }

    #[test]
    fn parked_call_woken_often_is_kept_once() {
        let mut slots = Slots::new();
        let index = slots.start(pending::<()>(), in_flight());
        for _ in 0..100 {
            slots.wake(index);
            assert_eq!(slots.pop_woken(), Some(index));
            slots.park(index);
        }
        assert_eq!(slots.parked.len(), 1);
        slots.unpark();
        assert_eq!(slots.pop_woken(), Some(index));
        assert_eq!(slots.pop_woken(), None);
        // It can be parked again.
        slots.park(index);
        slots.unpark();
        assert_eq!(slots.pop_woken(), Some(index));
    }

    #[test]
    fn call_woken_early_wakes_the_session() {
        let wake_ups = Arc::new(WakeUps::default());
        let session = Waker::from(Arc::clone(&wake_ups));
        let mut slots = Slots::new();
        let index = slots.start(pending::<()>(), in_flight());
        assert!(slots.poll(index).is_pending());
        // As another thread does it while the session is busy.
        slots.wake(index);
        slots.register(&session);
        assert_eq!(wake_ups.0.load(Ordering::Relaxed), 1);
        assert_eq!(slots.pop_woken(), Some(index));
        slots.register(&session);
        assert_eq!(wake_ups.0.load(Ordering::Relaxed), 1);
        slots.slots[index].waker.wake_by_ref();
        assert_eq!(wake_ups.0.load(Ordering::Relaxed), 2);
    }
}

#[cfg(all(test, sctp_loom))]
mod models {
    use std::future::poll_fn;

    use loom::{
        future::{AtomicWaker, block_on},
        model::Builder,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    /// Something that another thread completes.
    #[derive(Default)]
    struct Event {
        is_done: AtomicBool,
        waker: AtomicWaker,
    }

    impl Event {
        fn complete(&self) {
            self.is_done.store(true, Ordering::Release);
            self.waker.wake();
        }

        fn poll(&self, cx: &Context<'_>) -> bool {
            self.waker.register_by_ref(cx.waker());
            self.is_done.load(Ordering::Acquire)
        }
    }

    /// A call that awaits two things at once, each of which another thread completes.
    #[test]
    fn call_that_joins_two_events_finishes() {
        let mut model = Builder::new();
        model.preemption_bound = Some(2);
        model.check(|| {
            let events: [Arc<Event>; 2] = Default::default();
            let mut slots = Slots::new();
            let joined = events.clone();
            let call = poll_fn(move |cx| {
                let done = joined.iter().filter(|event| event.poll(cx)).count();
                match done == joined.len() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            let in_flight = InFlight {
                number: 1,
                lane: None,
                reply_to: SendInfo::default(),
                ending: None,
            };
            let index = slots.start(call, in_flight);
            let mut polled = slots.poll(index);
            for event in events {
                thread::spawn(move || event.complete());
            }
            block_on(poll_fn(|cx| {
                while polled.is_pending() {
                    let Some(index) = slots.pop_woken() else {
                        slots.register(cx.waker());
                        return Poll::Pending;
                    };
                    polled = slots.poll(index);
                }
                Poll::Ready(())
            }));
            slots.finish(index);
        });
    }
}
