//! Schedule of the calls in an open loop.

use clap::ValueEnum;

use crate::load::sizes::Random;

/// Maximum number of calls that are counted one by one.
const MANY: u64 = 100_000;

/// Distribution of calls over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arrivals {
    /// At equal distances
    Even,
    /// At random distances, exponentially distributed, like those of independent callers
    Poisson,
}

/// The times at which the calls of one association are due, whether or not it keeps up. Latency
/// counts from these times, so a server that stalls is charged for every call that should have
/// been made meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    arrivals: Arrivals,
    /// Nanoseconds, as all times here. Of an even schedule the first; of a random one the last.
    begin: f64,
    gap: f64,
    /// Number of calls before the next one.
    index: u64,
    due: u64,
}

impl Schedule {
    /// `rate` is the calls per second of all associations together; this one is number `index`
    /// of `associations`, whose calls lie evenly between each other's.
    pub(crate) fn new(
        arrivals: Arrivals,
        rate: f64,
        associations: usize,
        index: usize,
        begin: u64,
        random: &mut Random,
    ) -> Self {
        let gap = 1e9 * associations as f64 / rate;
        let offset = match arrivals {
            Arrivals::Even => gap * index as f64 / associations as f64,
            Arrivals::Poisson => gap * -random.unit().ln(),
        };
        let begin = begin as f64 + offset;
        Self {
            arrivals,
            begin,
            gap,
            index: 0,
            due: whole(begin),
        }
    }

    /// Returns the time of the next call.
    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    /// Goes on to the call after it.
    pub(crate) fn advance(&mut self, random: &mut Random) {
        match self.arrivals {
            Arrivals::Even => {
                // Multiplied, not added up, so that no rounding error grows.
                self.index += 1;
                self.due = whole(self.begin + self.index as f64 * self.gap);
            }
            Arrivals::Poisson => {
                self.begin -= self.gap * random.unit().ln();
                self.due = whole(self.begin);
            }
        }
    }

    /// Advances past the calls that are due before a time, and returns their number. For a
    /// random schedule that lags far behind, the number that is to be expected.
    pub(crate) fn count_before(&mut self, time: u64, random: &mut Random) -> u64 {
        let mut count = 0;
        let expected = whole(time.saturating_sub(self.due) as f64 / self.gap);
        if expected > MANY {
            count = expected - 1;
            match self.arrivals {
                Arrivals::Even => self.index += count,
                Arrivals::Poisson => self.begin += count as f64 * self.gap,
            }
            count += 1;
            self.advance(random);
        }
        while self.due < time {
            count += 1;
            self.advance(random);
        }
        count
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are above 0, and a f64 counts nanoseconds for 104 days"
)]
fn whole(nanoseconds: f64) -> u64 {
    nanoseconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn even_schedule_is_exact() {
        let mut random = Random::new(0);
        // Three calls per second: a distance that no integer holds.
        let mut schedule = Schedule::new(Arrivals::Even, 3.0, 1, 0, SECOND, &mut random);
        assert_eq!(schedule.due(), SECOND);
        schedule.advance(&mut random);
        assert_eq!(schedule.due(), SECOND + 333_333_333);
        assert_eq!(schedule.count_before(1001 * SECOND, &mut random), 2999);
        assert_eq!(schedule.due(), 1001 * SECOND);
    }

    #[test]
    fn many_calls_are_counted_at_once() {
        for arrivals in [Arrivals::Even, Arrivals::Poisson] {
            let mut random = Random::new(0);
            let mut schedule = Schedule::new(arrivals, 1e6, 1, 0, SECOND, &mut random);
            // Billions, one by one, would take a while.
            let count = schedule.count_before(3601 * SECOND, &mut random);
            assert!(count.abs_diff(3_600_000_000) < 10, "{count}");
            assert!((3601 * SECOND..3602 * SECOND).contains(&schedule.due()));
        }
    }

    #[test]
    fn associations_share_the_rate_and_take_turns() {
        let mut random = Random::new(0);
        let mut dues = Vec::new();
        for index in 0..4 {
            let mut schedule = Schedule::new(Arrivals::Even, 8.0, 4, index, 0, &mut random);
            while schedule.due() < SECOND {
                dues.push(schedule.due());
                schedule.advance(&mut random);
            }
        }
        dues.sort_unstable();
        let expected: Vec<u64> = (0..8).map(|n| n * SECOND / 8).collect();
        assert_eq!(dues, expected);
    }

    #[test]
    fn random_schedule_keeps_the_rate_and_never_goes_back() {
        let mut random = Random::new(3);
        let mut schedule = Schedule::new(Arrivals::Poisson, 1000.0, 1, 0, 0, &mut random);
        let mut last = 0;
        let mut gaps = Vec::new();
        for _ in 0..20_000 {
            assert!(schedule.due() >= last);
            gaps.push((schedule.due() - last) as f64);
            last = schedule.due();
            schedule.advance(&mut random);
        }
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((0.97e6..1.03e6).contains(&mean), "{mean}");
        // Of an exponential distribution the standard deviation is the mean.
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>();
        let deviation = (variance / gaps.len() as f64).sqrt();
        assert!((0.95..1.05).contains(&(deviation / mean)), "{deviation}");
    }
}
