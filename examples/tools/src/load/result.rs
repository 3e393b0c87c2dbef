//! The result of a run, as it is written and read.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{load::stats::Latencies, status::Failure};

/// Value of the first field of a result file.
pub(crate) const FORMAT: &str = "sctp load 1";
/// The percentiles that are reported.
const PERCENTILES: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999];

/// The result of a run. Times are in nanoseconds unless their name says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) format: String,
    pub(crate) version: String,
    /// Seconds since 1970.
    pub(crate) began_at: u64,
    pub(crate) settings: Settings,
    pub(crate) interrupted: bool,
    /// Measured time.
    pub(crate) seconds: f64,
    pub(crate) calls: Calls,
    /// Times since calls were due.
    pub(crate) latency: Summary,
    /// Times since calls were sent; of an open loop only, where they differ.
    pub(crate) response: Option<Summary>,
    pub(crate) handshake: Summary,
    pub(crate) associations: Associations,
    pub(crate) series: Vec<Point>,
}

/// Settings of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) server: Vec<String>,
    pub(crate) socket: String,
    pub(crate) associations: u32,
    pub(crate) streams: u16,
    pub(crate) in_flight: u64,
    /// Calls per second of an open loop.
    pub(crate) rate: Option<f64>,
    pub(crate) arrivals: Option<String>,
    pub(crate) size: String,
    pub(crate) ppid: u32,
    pub(crate) unordered: bool,
    pub(crate) duration_seconds: Option<f64>,
    pub(crate) count: Option<u64>,
    pub(crate) ramp_up_seconds: f64,
    pub(crate) warm_up_seconds: f64,
    pub(crate) call_timeout_seconds: f64,
    pub(crate) bind: Vec<String>,
}

/// Outcomes of the measured calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calls {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    /// Failed or unanswered, and never sent.
    pub(crate) unsent: u64,
    /// Causes of failed calls, and their numbers.
    pub(crate) failures: BTreeMap<String, u64>,
    /// Still open when the run ended.
    pub(crate) unanswered: u64,
    /// Due, but never sent: too many were open.
    pub(crate) missed: u64,
    /// Replies that came after the call's timeout, in any phase.
    pub(crate) late_replies: u64,
    /// Replies that belong to no call, in any phase.
    pub(crate) unexpected_replies: u64,
    pub(crate) per_second: f64,
    pub(crate) bytes_sent_per_second: f64,
    pub(crate) bytes_received_per_second: f64,
}

/// Outcomes of the associations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Associations {
    pub(crate) established: u64,
    /// Causes of failed setups, and their numbers.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Causes of early ends, and their numbers.
    pub(crate) lost: BTreeMap<String, u64>,
    /// If the server allowed fewer streams than were asked for.
    pub(crate) fewest_streams: Option<u16>,
}

/// A distribution of times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) min: u64,
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) max: u64,
    pub(crate) percentiles: Vec<Percentile>,
}

/// So many percent took this time at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentile {
    pub(crate) percent: f64,
    pub(crate) value: u64,
}

/// A piece of the run, of calls of any phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// End, in seconds since the start of the run.
    pub(crate) at: f64,
    /// Length.
    pub(crate) seconds: f64,
    /// Set for the measured part.
    pub(crate) measured: bool,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    /// Associations at its end.
    pub(crate) up: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

impl Point {
    pub(crate) fn per_second(&self) -> f64 {
        if self.seconds > 0.0 {
            self.answered as f64 / self.seconds
        } else {
            0.0
        }
    }
}

impl Summary {
    pub(crate) fn new(latencies: &Latencies) -> Self {
        if latencies.is_empty() {
            return Self::default();
        }
        let percentile = |percent| Percentile {
            percent,
            value: latencies.value_at_quantile(percent / 100.0),
        };
        Self {
            count: latencies.len(),
            min: latencies.min(),
            mean: latencies.mean(),
            deviation: latencies.stdev(),
            max: latencies.max(),
            percentiles: PERCENTILES.map(percentile).into(),
        }
    }

    /// One of the percentiles, if there are calls.
    pub(crate) fn percentile(&self, percent: f64) -> Option<u64> {
        let found = self.percentiles.iter().find(|one| one.percent == percent);
        found.map(|one| one.value)
    }
}

impl Outcome {
    /// Returns `true` if nothing failed. Calls may be open in an interrupted run.
    pub(crate) fn is_clean(&self) -> bool {
        let calls = &self.calls;
        let cut_off = if self.interrupted {
            0
        } else {
            calls.unanswered + calls.missed
        };
        calls.failed + cut_off == 0
            && self.associations.refused.is_empty()
            && self.associations.lost.is_empty()
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let name = path.display();
        let text =
            fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
        let outcome: Self = serde_json::from_str(&text)
            .map_err(|error| format!("{name} is not a result of sctp load: {error}"))?;
        match outcome.format.as_str() {
            FORMAT => Ok(outcome),
            other => Err(format!("{name} has the format {other:?}, not {FORMAT:?}").into()),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).map_err(|error| Failure::cannot_write(path, &error).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::stats::latencies;

    #[test]
    fn summary_tells_the_percentiles() {
        let mut times = latencies().unwrap();
        for time in 1..=1000 {
            times.record(time * 1000).unwrap();
        }
        let summary = Summary::new(&times);
        assert_eq!(summary.count, 1000);
        let median = summary.percentile(50.0).unwrap();
        assert!((499_000..=501_000).contains(&median), "{median}");
        let p999 = summary.percentile(99.9).unwrap();
        assert!((998_000..=1_001_000).contains(&p999), "{p999}");
        assert_eq!(summary.percentile(12.0), None);
        assert_eq!(Summary::new(&latencies().unwrap()), Summary::default());
    }

    #[test]
    fn open_calls_fail_an_uninterrupted_run() {
        let mut outcome = Outcome::default();
        assert!(outcome.is_clean());
        outcome.calls.unanswered = 1;
        assert!(!outcome.is_clean());
        outcome.interrupted = true;
        assert!(outcome.is_clean());
        outcome.associations.lost.insert("aborted".to_owned(), 1);
        assert!(!outcome.is_clean());
    }
}
