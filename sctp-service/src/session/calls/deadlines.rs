//! Deadlines of calls, on one timer.

use std::{
    collections::{BTreeSet, VecDeque},
    task::Context,
};

use tokio::time::Instant;

use crate::{correlate::CallId, timer::Timer};

/// The kind of a deadline, which decides where it is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The configured timeout of a call.
    Timeout,
    /// A timeout of this call alone.
    Within,
    /// Deadline for the late reply to a cancelled call.
    Overdue,
}

/// The deadlines of all calls.
///
/// Deadlines of one configured duration expire in the order in which they were set, so a queue
/// suffices. Entries of finished calls stay in the queue until they reach its front or outnumber
/// the others: `is_current` of the methods tells them apart.
#[derive(Default)]
pub(super) struct Deadlines {
    timeout: VecDeque<(Instant, CallId)>,
    overdue: VecDeque<(Instant, CallId)>,
    within: BTreeSet<(Instant, CallId)>,
    timer: Timer,
    timer_due: Option<Instant>,
}

impl Deadlines {
    pub(super) fn set(&mut self, kind: Kind, due: Instant, call: CallId) {
        match kind {
            Kind::Timeout => self.timeout.push_back((due, call)),
            Kind::Overdue => self.overdue.push_back((due, call)),
            Kind::Within => {
                self.within.insert((due, call));
            }
        }
    }

    /// Removes the deadline of a call. Queued ones are removed lazily.
    pub(super) fn unset(&mut self, kind: Kind, due: Instant, call: CallId) {
        if kind == Kind::Within {
            self.within.remove(&(due, call));
        }
    }

    /// Keeps the queues no longer than about twice the number of calls.
    pub(super) fn prune(&mut self, calls: usize, is_current: impl Fn(Instant, CallId) -> bool) {
        for queue in [&mut self.timeout, &mut self.overdue] {
            if queue.len() > 2 * calls + 64 {
                queue.retain(|&(due, call)| is_current(due, call));
            }
        }
    }

    /// Returns the next call whose deadline has passed, and removes the deadline.
    pub(super) fn poll_expired(
        &mut self,
        cx: &mut Context<'_>,
        is_current: impl Fn(Instant, CallId) -> bool,
    ) -> Option<CallId> {
        loop {
            let (kind, due, call) = self.first(&is_current)?;
            // The timer is not moved with every call: it fires for an earlier one, and is set
            // again for the next.
            let is_covered = self.timer_due.is_some_and(|timer_due| timer_due <= due);
            if self.timer.is_set() && is_covered {
                if !self.timer.poll_elapsed(cx) {
                    return None;
                }
                continue;
            }
            if due <= Instant::now() {
                self.remove_first(kind, due, call);
                return Some(call);
            }
            self.timer.set(due);
            self.timer_due = Some(due);
        }
    }

    /// Returns the earliest deadline.
    fn first(
        &mut self,
        is_current: impl Fn(Instant, CallId) -> bool,
    ) -> Option<(Kind, Instant, CallId)> {
        for queue in [&mut self.timeout, &mut self.overdue] {
            while let Some(&(due, call)) = queue.front()
                && !is_current(due, call)
            {
                queue.pop_front();
            }
        }
        let timeout = self.timeout.front().map(|first| (Kind::Timeout, *first));
        let overdue = self.overdue.front().map(|first| (Kind::Overdue, *first));
        let within = self.within.first().map(|first| (Kind::Within, *first));
        [timeout, overdue, within]
            .into_iter()
            .flatten()
            .min_by_key(|(_, first)| *first)
            .map(|(kind, (due, call))| (kind, due, call))
    }

    fn remove_first(&mut self, kind: Kind, due: Instant, call: CallId) {
        match kind {
            Kind::Timeout => drop(self.timeout.pop_front()),
            Kind::Overdue => drop(self.overdue.pop_front()),
            Kind::Within => drop(self.within.remove(&(due, call))),
        }
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.timeout.len() + self.overdue.len() + self.within.len()
    }
}
