//! Counts and measurements during a run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hdrhistogram::{CreationError, Histogram};

/// Maximum number of distinct causes. Later ones are counted together. A server can put
/// anything into the reason of an abort.
const MAX_CAUSES: usize = 32;
/// Latencies above this are recorded as this: an hour.
const MAX_LATENCY: u64 = 3_600_000_000_000;

/// Number of occurrences of each cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes(pub(crate) BTreeMap<String, u64>);

impl Causes {
    pub(crate) fn add(&mut self, cause: &str, count: u64) {
        if count == 0 {
            return;
        }
        if let Some(known) = self.0.get_mut(cause) {
            *known += count;
            return;
        }
        let cause = if self.0.len() < MAX_CAUSES {
            cause
        } else {
            "other causes"
        };
        *self.0.entry(cause.to_owned()).or_default() += count;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (cause, count) in &other.0 {
            self.add(cause, *count);
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Outcomes of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) begun: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    /// Failed or unanswered, and never sent.
    pub(crate) unsent: u64,
    /// Still open when the run ended.
    pub(crate) unanswered: u64,
    pub(crate) bytes_begun: u64,
    pub(crate) bytes_unsent: u64,
    pub(crate) bytes_received: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.begun += other.begun;
        self.answered += other.answered;
        self.failed += other.failed;
        self.unsent += other.unsent;
        self.unanswered += other.unanswered;
        self.bytes_begun += other.bytes_begun;
        self.bytes_unsent += other.bytes_unsent;
        self.bytes_received += other.bytes_received;
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.begun
            .saturating_sub(self.answered + self.failed + self.unanswered)
    }
}

/// Counts of one association, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls of any phase.
    pub(crate) all: Tally,
    /// Calls that were due in the measured part.
    pub(crate) measured: Tally,
    /// Answered before the measured part ended.
    pub(crate) in_time: u64,
    /// Replies to calls that had timed out.
    pub(crate) late: u64,
    /// Replies to no call.
    pub(crate) unexpected: u64,
    /// Calls that were due in the measured part and could not be sent.
    pub(crate) missed: u64,
    /// Time of the last measured reply.
    pub(crate) last_answer: u64,
    pub(crate) failures: Causes,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.all.add(&other.all);
        self.measured.add(&other.measured);
        self.in_time += other.in_time;
        self.late += other.late;
        self.unexpected += other.unexpected;
        self.missed += other.missed;
        self.last_answer = self.last_answer.max(other.last_answer);
        self.failures.merge(&other.failures);
    }
}

/// Latency of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Time since it was due.
    pub(crate) latency: u64,
    /// Time since it was sent.
    pub(crate) response: u64,
    pub(crate) measured: bool,
}

/// Statistics of one association since its last report.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) counts: Counts,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) type Latencies = Histogram<u64>;

pub(crate) fn latencies() -> Result<Latencies, CreationError> {
    Histogram::new_with_bounds(1, MAX_LATENCY, 3)
}

/// The figures of a part of the associations. Histograms of each of 10,000 associations would
/// need gigabytes; and a shard is locked once for each batch of replies, hardly ever contended.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) counts: Counts,
    /// Times since calls were due. Measured calls only, as is `response`.
    pub(crate) latency: Latencies,
    /// Times since calls were sent.
    pub(crate) response: Latencies,
    /// All calls since the last point of the series.
    pub(crate) recent: Latencies,
}

impl Figures {
    pub(crate) fn new() -> Result<Self, CreationError> {
        Ok(Self {
            counts: Counts::default(),
            latency: latencies()?,
            response: latencies()?,
            recent: latencies()?,
        })
    }
}

/// Outcomes of associations.
#[derive(Debug)]
pub(crate) struct Associations {
    /// Handshakes under way.
    pub(crate) connecting: u64,
    pub(crate) up: u64,
    pub(crate) established: u64,
    /// The fewest outbound streams that an association got, if they were fewer than asked for.
    pub(crate) fewest_streams: Option<u16>,
    /// Durations of handshakes.
    pub(crate) handshakes: Latencies,
    pub(crate) refused: Causes,
    pub(crate) lost: Causes,
}

/// All that a run measures.
#[derive(Debug)]
pub(crate) struct Stats {
    shards: Vec<Mutex<Figures>>,
    associations: Mutex<Associations>,
}

impl Stats {
    pub(crate) fn new(shards: usize) -> Result<Self, CreationError> {
        let shards = (0..shards).map(|_| Figures::new().map(Mutex::new));
        Ok(Self {
            shards: shards.collect::<Result<_, _>>()?,
            associations: Mutex::new(Associations {
                connecting: 0,
                up: 0,
                established: 0,
                fewest_streams: None,
                handshakes: latencies()?,
                refused: Causes::default(),
                lost: Causes::default(),
            }),
        })
    }

    /// Takes what association number `index` has gathered.
    pub(crate) fn take(&self, index: usize, batch: &mut Batch) {
        let mut shard = lock(&self.shards[index % self.shards.len()]);
        shard.counts.add(&batch.counts);
        for sample in batch.samples.drain(..) {
            shard.recent.saturating_record(sample.latency);
            if sample.measured {
                shard.latency.saturating_record(sample.latency);
                shard.response.saturating_record(sample.response);
            }
        }
        batch.counts = Counts::default();
    }

    pub(crate) fn associations(&self) -> MutexGuard<'_, Associations> {
        lock(&self.associations)
    }

    /// The counts of all associations.
    pub(crate) fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for shard in &self.shards {
            all.add(&lock(shard).counts);
        }
        all
    }

    /// Takes the latencies since the last time that this was asked.
    pub(crate) fn take_recent(&self, into: &mut Latencies) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            // They have the same bounds.
            let _ = into.add(&shard.recent);
            shard.recent.reset();
        }
    }

    /// The figures of all associations.
    pub(crate) fn total(&self) -> Result<Figures, CreationError> {
        let mut total = Figures::new()?;
        for shard in &self.shards {
            let shard = lock(shard);
            total.counts.add(&shard.counts);
            let _ = total.latency.add(&shard.latency);
            let _ = total.response.add(&shard.response);
        }
        Ok(total)
    }
}

/// Counts stay right even if a task that held the lock has panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_bounded_and_none_is_lost() {
        let mut causes = Causes::default();
        for number in 0..1000 {
            causes.add(&format!("reason {number}"), 2);
        }
        causes.add("reason 0", 1);
        causes.add("nothing", 0);
        assert_eq!(causes.total(), 2001);
        assert_eq!(causes.0.len(), MAX_CAUSES + 1);
        assert_eq!(causes.0["reason 0"], 3);
    }

    #[test]
    fn shards_add_up() {
        let stats = Stats::new(2).unwrap();
        let mut batch = Batch::default();
        for index in 0..4 {
            batch.counts.all.begun = 10;
            batch.counts.last_answer = index as u64;
            batch.samples.push(Sample {
                latency: 1000,
                response: 500,
                measured: index > 0,
            });
            stats.take(index, &mut batch);
            assert!(batch.samples.is_empty());
        }
        let total = stats.total().unwrap();
        assert_eq!(total.counts.all.begun, 40);
        assert_eq!(total.counts.last_answer, 3);
        assert_eq!((total.latency.len(), total.response.len()), (3, 3));
        let mut recent = latencies().unwrap();
        stats.take_recent(&mut recent);
        assert_eq!(recent.len(), 4);
        stats.take_recent(&mut recent);
        assert_eq!(recent.len(), 4);
    }
}
