//! Rate limiting for log messages.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The minimum time between two log lines of one [`LogLimiter`].
const INTERVAL: Duration = Duration::from_secs(10);

/// Limits how often one kind of event is logged.
///
/// For events that a peer can trigger at will, or that repeat for as long as a failure lasts.
#[derive(Debug, Default)]
pub(crate) struct LogLimiter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_logged: Option<Instant>,
    /// Events since `last_logged`, the current one included.
    suppressed: u64,
}

impl LogLimiter {
    /// Records an event.
    ///
    /// Returns the number of events since the last log line if it is time to log another, or `None`
    /// if this one should be suppressed.
    pub(crate) fn record(&self) -> Option<u64> {
        // A panic cannot leave the counters inconsistent, so poisoning is ignored.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.suppressed += 1;
        let now = Instant::now();
        if state.last_logged.is_some_and(|at| now < at + INTERVAL) {
            return None;
        }
        state.last_logged = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
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
}
