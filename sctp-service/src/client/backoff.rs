//! The pauses between attempts.

use std::time::Duration;

use crate::jitter::random;

/// The pauses between attempts to set up an association: they double from `min` to `max`, and
/// each is shortened by up to a half at random, so that the clients of a server that failed do
/// not all come back at once.
///
/// An association that lived for `max` or longer begins the row anew; one that did not counts as
/// a failed attempt, so a server that accepts and aborts at once is not asked in a tight loop.
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

    /// Returns the longest pause.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// Returns the pause after this many failures in a row, of which there is at least one.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.min.saturating_mul(1 << doublings).min(self.max);
        full - full.mul_f64(random() / 2.0)
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
}
