//! Rate limiting for log messages.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The minimum time between two log lines, or bursts of lines, of one [`LogLimiter`].
const INTERVAL: Duration = Duration::from_secs(10);

/// Limits how often one kind of event is logged.
///
/// For events that a peer can trigger at will, or that repeat for as long as a failure lasts.
#[derive(Debug)]
pub(crate) struct LogLimiter {
    /// The number of lines within [`INTERVAL`].
    burst: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The time of the first line of the current interval.
    begin: Option<Instant>,
    /// Lines since `begin`.
    logged: u32,
    /// Events since the last line, the current one included.
    suppressed: u64,
}

impl LogLimiter {
    /// Allows one line in 10 seconds.
    pub(crate) const fn new() -> Self {
        Self::with_burst(1)
    }

    /// Allows a number of lines in 10 seconds: for events that each matter, such as the end of an
    /// association.
    pub(crate) const fn with_burst(lines: u32) -> Self {
        Self {
            burst: lines,
            state: Mutex::new(State {
                begin: None,
                logged: 0,
                suppressed: 0,
            }),
        }
    }

    /// Records an event.
    ///
    /// Returns the number of events since the last log line if it is time to log another, or `None`
    /// if this one should be suppressed.
    pub(crate) fn record(&self) -> Option<u64> {
        // A panic cannot leave the counters inconsistent, so poisoning is ignored.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.suppressed += 1;
        let now = Instant::now();
        if state.begin.is_none_or(|begin| now >= begin + INTERVAL) {
            state.begin = Some(now);
            state.logged = 0;
        } else if state.logged >= self.burst {
            return None;
        }
        state.logged += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

impl Default for LogLimiter {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns a number of events for a log line that stands for several, and `None` for one that
/// stands for itself.
pub(crate) fn several(events: u64) -> Option<u64> {
    (events > 1).then_some(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn events_within_the_interval_are_suppressed_and_counted() {
        let limiter = LogLimiter::default();
        assert_eq!(limiter.record(), Some(1));
        for _ in 0..100 {
            assert_eq!(limiter.record(), None);
        }
        tokio::time::advance(INTERVAL).await;
        assert_eq!(limiter.record(), Some(101));
    }

    #[tokio::test(start_paused = true)]
    async fn burst_is_logged_line_by_line() {
        let limiter = LogLimiter::with_burst(3);
        let logged = [(); 5].map(|()| limiter.record());
        assert_eq!(logged, [Some(1), Some(1), Some(1), None, None]);
        tokio::time::advance(INTERVAL).await;
        assert_eq!([(); 2].map(|()| limiter.record()), [Some(3), Some(1)]);
    }
}
