//! Timer for work that no arrival triggers.

use std::task::{Context, Poll, ready};

use super::Pump;
use crate::load::{
    control::{NEVER, Phases, nanoseconds},
    schedule::Schedule,
};

impl Pump<'_> {
    pub(super) fn give_up(&self) -> u64 {
        nanoseconds(self.shared.load.give_up)
    }

    pub(super) fn gives_up(&self, now: u64) -> bool {
        let since = self.silent_since;
        since.is_some_and(|since| now.saturating_sub(since) >= self.give_up())
    }

    /// Ready when it is time to do something.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>, now: u64) -> Poll<()> {
        let next = self.next_time(now);
        if next == NEVER {
            return Poll::Pending;
        }
        // A timer that is set to an earlier time stays: in a closed loop each reply moves the
        // next timeout, and none of them is reached.
        if next < self.armed {
            self.timer.as_mut().reset(self.shared.clock.moment(next));
            self.armed = next;
        }
        ready!(self.timer.as_mut().poll(cx));
        self.armed = NEVER;
        Poll::Ready(())
    }

    fn next_time(&self, now: u64) -> u64 {
        let Phases { go, end, cut, .. } = self.phases;
        let due = self.schedule.as_ref().map_or(NEVER, Schedule::due);
        let sends = self.calls.has_room() && self.outbox.is_empty() && !self.closing && !self.spent;
        let ahead = [go, end, cut].into_iter().filter(|time| *time > now);
        let timeouts = [
            self.calls.deadline(),
            self.silent_since.map(|since| since + self.give_up()),
            (sends && due < end).then_some(due),
        ];
        let times = ahead.chain(timeouts.into_iter().flatten());
        times.min().unwrap_or(NEVER)
    }
}
