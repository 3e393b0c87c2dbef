//! The calls of one association.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    task::Context,
    time::Duration,
};

use sctp_core::{Reliability, StreamId};
use sctp_tokio::{Message, Received};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::Instant,
};

use crate::{
    client::{
        correlate::CallId,
        error::{CallError, Cause, Fate},
    },
    driver::timer::{Timer, later},
};

/// The calls of one association: those that somebody waits for, and those that were given up and
/// whose reply may still come.
///
/// The first are bounded by their permits. The others hold none, or a server that does not
/// answer would stop the client; they are bounded by the streams, where those correlate, or
/// only the last ones are kept, and in time by `overdue_after`.
#[derive(Default)]
pub(super) struct Calls {
    entries: HashMap<CallId, Entry>,
    /// Those that wait for a stream, the oldest first.
    waiting: VecDeque<CallId>,
    due: BTreeSet<(Instant, CallId)>,
    timer: Timer,
    timer_due: Option<Instant>,
    live: usize,
    /// Those that somebody waited for and that an end cut off: sent, and not sent.
    lost: u64,
    unsent: u64,
}

struct Entry {
    waiter: Option<Waiter>,
    /// Until it goes into the outbox.
    message: Option<Message>,
    stream: StreamId,
    expires: bool,
    /// The transport has taken it.
    sent: bool,
    /// The kernel has reported that a part of it never went out.
    unsent_part: bool,
    due: Option<Instant>,
}

struct Waiter {
    reply: oneshot::Sender<Result<Received, CallError>>,
    permit: OwnedSemaphorePermit,
}

impl Waiter {
    fn finish(self, result: Result<Received, CallError>) {
        drop(self.permit);
        // An error here means that nobody waits for it any more.
        drop(self.reply.send(result));
    }
}

/// What is known of a call whose message is not waited for any more.
pub(super) struct Left {
    pub(super) call: CallId,
    pub(super) stream: StreamId,
}

impl Entry {
    fn fate(&self) -> Fate {
        if self.sent && !self.unsent_part {
            Fate::Unknown
        } else {
            Fate::NotSent
        }
    }
}

impl Calls {
    /// Takes a call, which waits for its turn.
    pub(super) fn insert(
        &mut self,
        call: CallId,
        message: Message,
        reply: oneshot::Sender<Result<Received, CallError>>,
        permit: OwnedSemaphorePermit,
        timeout: Option<Duration>,
    ) {
        let entry = Entry {
            waiter: Some(Waiter { reply, permit }),
            stream: message.info.stream,
            expires: message.info.reliability != Reliability::Reliable,
            message: Some(message),
            sent: false,
            unsent_part: false,
            due: None,
        };
        self.entries.insert(call, entry);
        self.waiting.push_back(call);
        self.live += 1;
        self.set_due(call, timeout.map(|timeout| later(Instant::now(), timeout)));
    }

    /// How many calls, of those that somebody waited for, an end cut off: with the message sent, and
    /// not sent.
    pub(super) fn cut_off(&self) -> (u64, u64) {
        (self.lost, self.unsent)
    }

    /// How many calls somebody waits for.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Returns the call whose turn it is, and its message.
    pub(super) fn next_waiting(&mut self) -> Option<(CallId, &mut Message)> {
        let call = *self.waiting.front()?;
        let entry = self.entries.get_mut(&call)?;
        Some((call, entry.message.as_mut()?))
    }

    /// Takes the message of the call whose turn it is, to be sent.
    pub(super) fn start_next(&mut self) -> Option<(CallId, Message)> {
        let call = self.waiting.pop_front()?;
        let entry = self.entries.get_mut(&call)?;
        let message = entry.message.take()?;
        entry.stream = message.info.stream;
        Some((call, message))
    }

    pub(super) fn note_sent(&mut self, call: CallId) {
        if let Some(entry) = self.entries.get_mut(&call) {
            entry.sent = true;
        }
    }

    /// Notes what the kernel says of a message that failed. Answers whether that settles the
    /// call now: an association that ends says so itself, right after, and why.
    pub(super) fn note_failed(&mut self, call: CallId, sent: bool, last: bool) -> bool {
        let Some(entry) = self.entries.get_mut(&call) else {
            return false;
        };
        // Without one of its fragments nothing of a message is delivered.
        entry.unsent_part |= !sent;
        entry.expires && last
    }

    /// Whether a call's message never reached the peer, as far as is known.
    pub(super) fn is_unsent(&self, call: CallId) -> bool {
        self.entries
            .get(&call)
            .is_some_and(|entry| entry.fate() == Fate::NotSent)
    }

    /// Whether a call waits for its turn.
    pub(super) fn is_waiting(&self, call: CallId) -> bool {
        self.entries
            .get(&call)
            .is_some_and(|entry| entry.message.is_some())
    }

    /// Returns `true` unless the transport is yet to take the message of this call.
    pub(super) fn is_sent(&self, call: CallId) -> bool {
        self.entries.get(&call).is_none_or(|entry| entry.sent)
    }

    /// Whether somebody still waits for a call.
    pub(super) fn is_live(&self, call: CallId) -> bool {
        self.entries
            .get(&call)
            .is_some_and(|entry| entry.waiter.is_some())
    }

    /// Finishes a call with its reply. Answers whether anybody waited for it.
    pub(super) fn complete(&mut self, call: CallId, reply: Received) -> bool {
        match self.remove(call).and_then(|entry| entry.waiter) {
            Some(waiter) => {
                waiter.finish(Ok(reply));
                true
            }
            None => false,
        }
    }

    /// Finishes a call of which nothing more will come.
    pub(super) fn fail(&mut self, call: CallId, error: CallError) -> Option<Left> {
        let entry = self.remove(call)?;
        let stream = entry.stream;
        if let Some(waiter) = entry.waiter {
            waiter.finish(Err(error));
        }
        Some(Left { call, stream })
    }

    /// Has nobody wait for a call any more, whose reply may still come until `due`.
    pub(super) fn give_up(&mut self, call: CallId, cause: Cause, due: Instant) {
        let Some(entry) = self.entries.get_mut(&call) else {
            return;
        };
        let fate = entry.fate();
        if let Some(waiter) = entry.waiter.take() {
            self.live -= 1;
            waiter.finish(Err(CallError::new(cause, fate)));
        }
        self.set_due(call, Some(due));
    }

    /// Fails every call that somebody waits for, except those that wait for their turn if they
    /// are to be `spared`, and forgets all the others.
    pub(super) fn fail_all(&mut self, cause: &Cause, spared: bool) {
        let waiting: Vec<CallId> = self
            .entries
            .iter()
            .filter(|(_, entry)| !(spared && entry.message.is_some()))
            .map(|(call, _)| *call)
            .collect();
        for call in waiting {
            if let Some(entry) = self.entries.get(&call) {
                let fate = entry.fate();
                self.cut(call, CallError::new(cause.clone(), fate));
            }
        }
    }

    /// Fails every call whose message the transport has not taken.
    pub(super) fn fail_unsent(&mut self, cause: &Cause) {
        let unsent: Vec<CallId> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.sent)
            .map(|(call, _)| *call)
            .collect();
        for call in unsent {
            self.cut(call, CallError::not_sent(cause.clone()));
        }
    }

    /// Fails a call that an end cuts off.
    fn cut(&mut self, call: CallId, error: CallError) {
        if self.is_live(call) {
            match error.fate() {
                Fate::Unknown => self.lost += 1,
                Fate::NotSent => self.unsent += 1,
            }
        }
        self.fail(call, error);
    }

    /// Returns the next call whose time is up.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Option<CallId> {
        loop {
            let (due, call) = *self.due.first()?;
            if due <= Instant::now() {
                self.set_due(call, None);
                return Some(call);
            }
            // It is not moved with every call: when it fires, it looks who is next.
            let early_enough = self.timer_due.is_some_and(|timer_due| timer_due <= due);
            if !(self.timer.is_set() && early_enough) {
                self.timer.set(due);
                self.timer_due = Some(due);
            }
            if !self.timer.poll_elapsed(cx) {
                return None;
            }
        }
    }

    fn set_due(&mut self, call: CallId, due: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(&call) else {
            return;
        };
        if let Some(old) = std::mem::replace(&mut entry.due, due) {
            self.due.remove(&(old, call));
        }
        if let Some(due) = due {
            self.due.insert((due, call));
        }
    }

    fn remove(&mut self, call: CallId) -> Option<Entry> {
        let entry = self.entries.remove(&call)?;
        if let Some(due) = entry.due {
            self.due.remove(&(due, call));
        }
        if entry.message.is_some() {
            self.waiting.retain(|waiting| *waiting != call);
        }
        self.live -= usize::from(entry.waiter.is_some());
        Some(entry)
    }
}
