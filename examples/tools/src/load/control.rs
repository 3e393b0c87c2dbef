//! The run's clock and phases, which every association follows.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Never, as a time.
pub(crate) const NEVER: u64 = u64::MAX;

/// Tells the time in nanoseconds since the run began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> u64 {
        nanoseconds(self.0.elapsed())
    }

    /// The moment of a time, for a timer. `NEVER` is a moment in the far future.
    pub(crate) fn moment(self, time: u64) -> tokio::time::Instant {
        const YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;
        (self.0 + Duration::from_nanos(time.min(YEAR))).into()
    }
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER)
}

/// The run's phases: what is known of them so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phases {
    /// Time of the first call.
    pub(crate) go: u64,
    /// Time of the first call that counts.
    pub(crate) measure: u64,
    /// Time after which no calls are due.
    pub(crate) end: u64,
    /// Time after which replies are no longer waited for.
    pub(crate) cut: u64,
    /// Set by Ctrl-C or SIGTERM.
    pub(crate) interrupted: bool,
}

impl Phases {
    pub(crate) const UNKNOWN: Self = Self {
        go: NEVER,
        measure: NEVER,
        end: NEVER,
        cut: NEVER,
        interrupted: false,
    };
}

/// The calls of a run that counts them, which associations take from as they go.
#[derive(Debug)]
pub(crate) struct Budget(Option<AtomicU64>);

impl Budget {
    /// `None` is without limit.
    pub(crate) fn new(calls: Option<u64>) -> Self {
        Self(calls.map(AtomicU64::new))
    }

    /// Takes one call.
    pub(crate) fn take(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        self.0.as_ref().is_none_or(|left| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
        })
    }

    /// Returns `true` if all calls have been taken.
    pub(crate) fn is_spent(&self) -> bool {
        let left = self.0.as_ref();
        left.is_some_and(|left| left.load(Ordering::Relaxed) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_spent_exactly() {
        let budget = Budget::new(Some(2));
        assert!(budget.take() && !budget.is_spent());
        assert!(budget.take() && budget.is_spent());
        assert!(!budget.take() && budget.is_spent());
        let endless = Budget::new(None);
        assert!(endless.take() && !endless.is_spent());
    }

    #[test]
    fn never_is_a_moment() {
        let clock = Clock::start();
        assert!(clock.moment(NEVER) > clock.moment(clock.now()));
    }
}
