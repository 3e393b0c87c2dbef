//! Account of calls: counted as they complete, and reported from time to time.

use sctp_tokio::Received;
use sctp_tools::format::time;

use super::Pump;
use crate::load::{
    calls::{Call, Reply},
    control::nanoseconds,
    stats::{Sample, Tally},
};

impl Pump<'_> {
    pub(super) fn take_reply(&mut self, reply: &Received, now: u64) {
        let sequence = self.maker.sequence(&reply.payload);
        match self.calls.answer(reply.info.stream.get(), sequence) {
            Reply::To(call) => {
                let bytes = reply.payload.len() as u64;
                self.count(call.measured, |tally| {
                    tally.answered += 1;
                    tally.bytes_received += bytes;
                });
                let counts = &mut self.batch.counts;
                if call.measured {
                    counts.last_answer = now;
                    counts.in_time += u64::from(now < self.phases.end);
                }
                self.batch.samples.push(Sample {
                    latency: now.saturating_sub(call.due),
                    response: now.saturating_sub(call.sent),
                    measured: call.measured,
                });
            }
            Reply::Late => self.batch.counts.late += 1,
            Reply::Unexpected => self.batch.counts.unexpected += 1,
        }
        self.silent_since = (self.calls.waiting() > 0).then_some(now);
    }

    pub(super) fn count(&mut self, measured: bool, add: impl Fn(&mut Tally)) {
        add(&mut self.batch.counts.all);
        if measured {
            add(&mut self.batch.counts.measured);
        }
    }

    fn fail(&mut self, call: Call, cause: &str) {
        self.count(call.measured, |tally| tally.failed += 1);
        let counted = u64::from(call.measured);
        self.batch.counts.failures.add(cause, counted);
    }

    pub(super) fn time_out(&mut self, now: u64) {
        while let Some(call) = self.calls.time_out(now) {
            let limit = nanoseconds(self.shared.load.call_timeout);
            self.fail(call, &format!("no reply within {}", time(limit)));
        }
    }

    /// The run is over: what is open stays unanswered.
    pub(super) fn cut_off(&mut self) {
        self.count_unsent();
        for call in self.calls.drain() {
            self.count(call.measured, |tally| tally.unanswered += 1);
        }
        self.count_missed(self.phases.end);
    }

    pub(super) fn fail_all(&mut self, cause: &str) {
        self.count_unsent();
        let cause = format!("association {cause}");
        for call in self.calls.drain() {
            self.fail(call, &cause);
        }
        let now = self.shared.clock.now();
        self.count_missed(self.phases.end.min(now));
    }

    /// Counts the calls whose messages the association has not taken, and drops the messages.
    pub(super) fn count_unsent(&mut self) {
        let messages = std::mem::take(&mut self.outbox);
        // The last message is that of the last call.
        let first = self.calls.next() - messages.len() as u64;
        for (number, message) in (first..).zip(messages) {
            self.count_unsent_call(number, message.payload.len());
        }
    }

    /// Counts the call whose message the association has refused, and those behind it. The message
    /// has left the outbox.
    pub(super) fn count_refused(&mut self) {
        let number = self.calls.next() - self.outbox.len() as u64 - 1;
        self.count_unsent_call(number, self.calls.size(number));
        self.count_unsent();
    }

    fn count_unsent_call(&mut self, number: u64, size: usize) {
        self.count(number >= self.first_measured, |tally| {
            tally.unsent += 1;
            tally.bytes_unsent += size as u64;
        });
    }

    /// Counts the calls that were due before a time and have not been sent.
    fn count_missed(&mut self, time: u64) {
        if self.shared.budget.is_spent() {
            return;
        }
        if let Some(schedule) = &mut self.schedule {
            schedule.count_before(self.phases.measure.min(time), &mut self.random);
            self.batch.counts.missed += schedule.count_before(time, &mut self.random);
        }
    }

    pub(super) fn hand_over(&mut self) {
        self.shared.stats.take(self.index, &mut self.batch);
    }
}
