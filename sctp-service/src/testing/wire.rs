//! State shared by both ends of an in-memory association.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use bytes::{BufMut, Bytes, BytesMut};
use sctp_core::{AbortReason, AssocId, ErrorCause, ErrorCauses, Notification};
use sctp_tokio::{End, Message, RecvError, Side};
use tokio::sync::Notify;

/// Name of one of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireEnd {
    A,
    Z,
}

impl WireEnd {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::Z,
            Self::Z => Self::A,
        }
    }
}

/// Shared state, and notification of waiting tests. A transport is polled by one task, whose waker
/// is in the state. Several tasks may wait at a peer.
#[derive(Debug)]
pub(super) struct Wire {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    a: Half,
    z: Half,
    pub(super) capacity: usize,
    /// The end that began the orderly shutdown first.
    pub(super) shutting_down: Option<WireEnd>,
}

/// State of one end.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) assoc: AssocId,
    /// Unread events.
    inbound: VecDeque<Item>,
    /// Number of messages among them.
    unread: usize,
    /// The end of the association, as this end sees it.
    pub(super) end: Option<End>,
    /// This end has begun the orderly shutdown, and the other end has been notified.
    shut_down: bool,
    announced: bool,
    pub(super) holds_acks: bool,
    task: Option<Waker>,
    /// Set if the task of this end must be woken.
    pub(super) stirred: bool,
}

#[derive(Debug)]
pub(super) enum Item {
    Message(Message),
    Notification(Notification),
    Failure(RecvError),
}

impl Wire {
    pub(super) fn new(capacity: usize, assoc: AssocId) -> Self {
        let state = State {
            a: Half::new(assoc),
            z: Half::new(assoc),
            capacity: capacity.max(1),
            shutting_down: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// Locks the state without waking any task.
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes the affected tasks.
    pub(super) fn act<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.look();
        let result = change(&mut state);
        self.wake(state);
        result
    }

    /// Waits at a peer's end until `attempt` succeeds. Cancel-safe, since `attempt` takes effect at
    /// once.
    pub(super) async fn wait<R>(&self, mut attempt: impl FnMut(&mut State) -> Option<R>) -> R {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Before the look, or a change between the two would go unnoticed.
            changed.as_mut().enable();
            {
                let mut state = self.look();
                if let Some(result) = attempt(&mut state) {
                    self.wake(state);
                    return result;
                }
            }
            changed.await;
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let tasks = [state.a.stirred_task(), state.z.stirred_task()];
        drop(state);
        self.changed.notify_waiters();
        for task in tasks.into_iter().flatten() {
            task.wake();
        }
    }
}

impl Half {
    fn new(assoc: AssocId) -> Self {
        Self {
            assoc,
            inbound: VecDeque::new(),
            unread: 0,
            end: None,
            shut_down: false,
            announced: false,
            holds_acks: false,
            task: None,
            stirred: false,
        }
    }

    /// Registers the task to wake. Returns the previous waker, to be dropped outside of the lock.
    #[must_use]
    pub(super) fn register(&mut self, task: &Waker) -> Option<Waker> {
        match &self.task {
            Some(known) if known.will_wake(task) => None,
            _ => self.task.replace(task.clone()),
        }
    }

    pub(super) fn unread_messages(&self) -> usize {
        self.unread
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.inbound.is_empty()
    }

    fn stirred_task(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.stirred) {
            self.task.take()
        } else {
            None
        }
    }
}

impl State {
    pub(super) fn at(&mut self, end: WireEnd) -> &mut Half {
        match end {
            WireEnd::A => &mut self.a,
            WireEnd::Z => &mut self.z,
        }
    }

    /// Returns `true` if an end has room for another message.
    pub(super) fn has_room(&mut self, at: WireEnd) -> bool {
        let capacity = self.capacity;
        self.at(at).unread < capacity
    }

    /// Delivers an item to an end, unless the association has closed.
    pub(super) fn push(&mut self, to: WireEnd, item: Item) {
        let half = self.at(to);
        if half.end.is_some() {
            return;
        }
        half.unread += usize::from(matches!(item, Item::Message(_)));
        half.inbound.push_back(item);
        half.stirred = true;
    }

    /// Reads the next item at an end.
    pub(super) fn pop(&mut self, at: WireEnd) -> Option<Item> {
        let was_full = !self.has_room(at);
        let half = self.at(at);
        let item = half.inbound.pop_front()?;
        half.unread -= usize::from(matches!(item, Item::Message(_)));
        self.at(at.other()).stirred |= was_full;
        Some(item)
    }

    /// Reads the next message at an end, skipping other items.
    pub(super) fn pop_message(&mut self, at: WireEnd) -> Option<Message> {
        loop {
            if let Item::Message(message) = self.pop(at)? {
                return Some(message);
            }
        }
    }

    /// Discards the state of an end, as after a crash.
    pub(super) fn forget(&mut self, at: WireEnd) {
        while self.pop(at).is_some() {}
        self.shutting_down = None;
        for end in [at, at.other()] {
            let half = self.at(end);
            half.shut_down = false;
            half.announced = false;
        }
    }

    /// Begins an orderly shutdown.
    pub(super) fn shut_down(&mut self, by: WireEnd) {
        if self.at(by).end.is_none() {
            self.at(by).shut_down = true;
            self.shutting_down.get_or_insert(by);
        }
        self.settle();
    }

    /// Continues an orderly shutdown that waited for acknowledgements: SHUTDOWN is sent when the
    /// other end has acknowledged everything, and the association closes when both ends have.
    pub(super) fn settle(&mut self) {
        for by in [WireEnd::A, WireEnd::Z] {
            let to = by.other();
            let may = self.at(by).shut_down && !self.at(to).holds_acks;
            if may && !self.at(by).announced {
                self.at(by).announced = true;
                let assoc = self.at(to).assoc;
                self.push(to, Item::Notification(Notification::Shutdown { assoc }));
            }
        }
        if let Some(by) = self.shutting_down
            && !self.a.holds_acks
            && !self.z.holds_acks
        {
            let (near, far) = (Side::Local, Side::Peer);
            self.finish(by, End::Shutdown { by: near }, End::Shutdown { by: far });
        }
    }

    /// Aborts the association. The other end receives these causes.
    pub(super) fn abort(&mut self, by: WireEnd, causes: ErrorCauses) {
        let here = End::Aborted {
            by: Side::Local,
            causes: ErrorCauses::default(),
        };
        let there = End::Aborted {
            by: Side::Peer,
            causes,
        };
        self.finish(by, here, there);
    }

    /// Closes the association as for a closed socket: with an orderly shutdown, or with an abort if
    /// messages are unread.
    pub(super) fn close(&mut self, by: WireEnd) {
        if self.at(by).unread > 0 {
            self.abort(by, causes(&AbortReason::default()));
        } else {
            self.shut_down(by);
        }
    }

    /// Closes the association once, with the end that each side sees.
    pub(super) fn finish(&mut self, at: WireEnd, here: End, there: End) {
        if self.at(at).end.is_some() {
            return;
        }
        for (at, end) in [(at, here), (at.other(), there)] {
            let half = self.at(at);
            half.end = Some(end);
            half.stirred = true;
        }
    }
}

/// Encodes the error causes of an ABORT with a reason.
pub(super) fn causes(reason: &AbortReason) -> ErrorCauses {
    let reason = reason.as_bytes();
    let mut causes = BytesMut::with_capacity(4 + reason.len());
    causes.put_u16(ErrorCause::USER_INITIATED_ABORT);
    // A reason is at most `AbortReason::MAX_LEN` bytes long, so this never saturates.
    causes.put_u16(u16::try_from(4 + reason.len()).unwrap_or(u16::MAX));
    causes.put_slice(reason);
    ErrorCauses::new(Bytes::from(causes))
}
