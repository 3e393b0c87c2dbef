//! Random choices that follow from a seed.

use std::time::{Duration, SystemTime};

use rand::{Rng as _, SeedableRng, rngs::SmallRng};

/// A source of random choices.
#[derive(Debug)]
pub(crate) struct Rng(SmallRng);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// Makes a source for another task.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.seed())
    }

    pub(crate) fn seed(&mut self) -> u64 {
        self.0.random_range(0..u64::MAX)
    }

    /// A number below a bound, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    /// A number below a bound, small ones being as frequent as large ones.
    pub(crate) fn skewed(&mut self, bound: usize) -> usize {
        let bits = bound.max(2).ilog2() as usize;
        let magnitude = 1 << self.below(bits + 1);
        self.below(magnitude)
    }

    /// `true` once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub(crate) fn micros(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.0.random_range(0..bound))
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.0.random_range(from..to))
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// A seed that differs from run to run.
pub(crate) fn from_clock() -> u64 {
    SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_secs())
}
