//! Backoff between connection attempts.

use std::time::Duration;

use crate::jitter::random;

/// Exponential backoff between attempts to set up an association.
///
/// The pauses double from `min` to `max`. Each is randomly shortened by up to half, so that the
/// clients of a failed server do not all reconnect at once.
///
/// An association that was open and lasted for `max` or longer resets the backoff. Any other
/// association counts as a failed attempt, so a server that accepts and then aborts is not retried
/// in a tight loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    min: Duration,
    max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }
}

impl Backoff {
    /// Sets the first pause and the longest; a `max` below `min` counts as `min`.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max: max.max(min),
        }
    }

    /// Returns the first pause.
    #[must_use]
    pub fn min(&self) -> Duration {
        self.min
    }

    /// Returns the longest pause.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// Returns the pause after this many consecutive failures, at least 1.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.min.saturating_mul(1 << doublings).min(self.max);
        full - full.mul_f64(random() / 2.0)
    }
}

/// Attempts to set up associations with one peer, and the pauses between them.
#[derive(Debug)]
pub(crate) struct Attempts {
    backoff: Backoff,
    /// Consecutive failures.
    failures: u32,
}

impl Attempts {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            failures: 0,
        }
    }

    /// Records a failed attempt. Returns the number of consecutive failures, and the pause before
    /// the next attempt.
    pub(crate) fn failed(&mut self) -> (u32, Duration) {
        self.failures = self.failures.saturating_add(1);
        (self.failures, self.backoff.pause(self.failures))
    }

    /// Records the end of an association, which may count as a failed attempt.
    pub(crate) fn ended(&mut self, has_opened: bool, lasted: Duration) -> (u32, Duration) {
        self.failures = self.failures_before(has_opened, lasted);
        self.failed()
    }

    /// Returns the pause that would follow if an association ended now.
    pub(crate) fn pause_after(&self, has_opened: bool, lasted: Duration) -> Duration {
        let failures = self.failures_before(has_opened, lasted);
        self.backoff.pause(failures.saturating_add(1))
    }

    /// Returns the number of consecutive failures before the end of an association.
    fn failures_before(&self, has_opened: bool, lasted: Duration) -> u32 {
        match has_opened && lasted >= self.backoff.max() {
            true => 0,
            false => self.failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_spread() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for (failures, full) in [
            (1, 100),
            (2, 200),
            (3, 400),
            (4, 800),
            (5, 1000),
            (99, 1000),
        ] {
            let full = Duration::from_millis(full);
            for _ in 0..100 {
                let pause = backoff.pause(failures);
                assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
            }
        }
        for failures in [1, 9] {
            let pause = Backoff::new(Duration::MAX, Duration::MAX).pause(failures);
            assert!(pause >= Duration::MAX / 2);
        }
        let first = backoff.pause(5);
        assert!((0..100).any(|_| backoff.pause(5) != first));
    }

    #[test]
    fn long_open_association_resets_the_backoff() {
        let max = Duration::from_secs(10);
        let mut attempts = Attempts::new(Backoff::new(Duration::from_millis(100), max));
        assert_eq!(attempts.failed().0, 1);
        for (has_opened, lasted, failures) in [
            (true, Duration::from_secs(9), 2),
            (false, max, 3),
            (true, max, 1),
            (false, Duration::ZERO, 2),
        ] {
            assert_eq!(attempts.ended(has_opened, lasted).0, failures);
        }
        assert!(attempts.pause_after(true, max) <= Duration::from_millis(100));
        assert!(attempts.pause_after(false, max) > Duration::from_millis(100));
    }
}
