//! The run over time, in pieces of equal length.

use hdrhistogram::CreationError;

use crate::load::{
    control::Phases,
    result::Point,
    stats::{Latencies, Stats, latencies},
};

/// Makes a point of each piece of the run.
#[derive(Debug)]
pub(crate) struct Series {
    interval: u64,
    points: Vec<Point>,
    /// Time and counts at the end of the last piece.
    last: u64,
    answered: u64,
    failed: u64,
    recent: Latencies,
}

impl Series {
    pub(crate) fn new(interval: u64) -> Result<Self, CreationError> {
        Ok(Self {
            interval,
            points: Vec::new(),
            last: 0,
            answered: 0,
            failed: 0,
            recent: latencies()?,
        })
    }

    /// Returns the end of the current piece.
    pub(crate) fn next(&self) -> u64 {
        self.last.saturating_add(self.interval)
    }

    /// Ends a piece now.
    pub(crate) fn take(&mut self, now: u64, stats: &Stats, phases: &Phases) -> &Point {
        let counts = stats.counts();
        self.recent.reset();
        stats.take_recent(&mut self.recent);
        let (answered, failed) = (counts.all.answered, counts.all.failed);
        let value = |quantile| self.recent.value_at_quantile(quantile);
        let middle = now - (now - self.last) / 2;
        let point = Point {
            at: now as f64 / 1e9,
            seconds: (now - self.last) as f64 / 1e9,
            measured: (phases.measure..phases.end).contains(&middle),
            answered: answered - self.answered,
            failed: failed - self.failed,
            up: stats.associations().up,
            p50: value(0.5),
            p90: value(0.9),
            p99: value(0.99),
            p999: value(0.999),
            max: self.recent.max(),
        };
        (self.last, self.answered, self.failed) = (now, answered, failed);
        self.points.push(point);
        &self.points[self.points.len() - 1]
    }

    /// Ends the last piece, if it is worth a point.
    pub(crate) fn finish(&mut self, now: u64, stats: &Stats, phases: &Phases) {
        let counts = stats.counts();
        let news = counts.all.answered > self.answered || counts.all.failed > self.failed;
        if news || self.points.is_empty() {
            self.take(now, stats, phases);
        }
    }

    pub(crate) fn latest(&self) -> Option<&Point> {
        self.points.last()
    }

    pub(crate) fn into_points(self) -> Vec<Point> {
        self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::stats::{Batch, Sample};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn each_point_covers_its_piece_alone() {
        let stats = Stats::new(1).unwrap();
        let phases = Phases {
            go: 0,
            measure: SECOND,
            end: 2 * SECOND,
            ..Phases::UNKNOWN
        };
        let mut series = Series::new(SECOND).unwrap();
        for piece in 1..=3 {
            assert_eq!(series.next(), piece * SECOND);
            let mut batch = Batch::default();
            batch.counts.all.answered = piece;
            batch.samples.push(Sample {
                latency: piece * 1000,
                response: 0,
                measured: true,
            });
            stats.take(0, &mut batch);
            series.take(piece * SECOND, &stats, &phases);
        }
        series.finish(3 * SECOND + 5, &stats, &phases);
        let points = series.into_points();
        let answered: Vec<u64> = points.iter().map(|point| point.answered).collect();
        assert_eq!(answered, [1, 2, 3]);
        let measured: Vec<bool> = points.iter().map(|point| point.measured).collect();
        assert_eq!(measured, [false, true, false]);
        assert!((1998..=2001).contains(&points[1].p50));
        assert_eq!(points[1].per_second(), 2.0);
    }
}
