//! The last reads of an association that is being drained.

use std::{task::Context, time::Duration};

use crate::timer::Timer;

/// The silence after which the receive queue counts as empty.
///
/// A socket that was not polled for readiness yet looks empty as well. The runtime looks at its
/// sockets before it fires a timer, so after any time the answer can be relied on.
const QUIET: Duration = Duration::from_millis(1);

/// Decides when an association that is being drained is read no more.
///
/// What had arrived by then is still served: the peer's SCTP has acknowledged it.
#[derive(Debug)]
pub(super) struct Draining {
    /// Runs while nothing is found.
    quiet: Timer,
    /// Bounds reading, for a peer that never pauses.
    reading: Timer,
    is_done: bool,
}

impl Draining {
    /// Begins the drain. Half of its time is for reading, the rest for the calls that are left.
    pub(super) fn new(timeout: Duration) -> Self {
        let mut reading = Timer::default();
        reading.set_in(timeout / 2);
        Self {
            quiet: Timer::default(),
            reading,
            is_done: false,
        }
    }

    /// Begins the drain of an association whose messages need no service.
    pub(super) fn without_reading(timeout: Duration) -> Self {
        Self {
            is_done: true,
            ..Self::new(timeout)
        }
    }

    /// Returns `true` if nothing more is to be read.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Records that something was read.
    pub(super) fn found(&mut self) {
        self.quiet.clear();
    }

    /// Records that nothing was there to read.
    pub(super) fn found_nothing(&mut self, cx: &mut Context<'_>) {
        if !self.quiet.is_set() {
            self.quiet.set_in(QUIET);
        }
        self.is_done |= self.quiet.poll_elapsed(cx);
    }

    /// Polls for the end of the time for reading. Returns `true` when it has just passed.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let is_overdue = !self.is_done && self.reading.poll_elapsed(cx);
        self.is_done |= is_overdue;
        is_overdue
    }
}
