//! How often it is logged what can happen without end.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What a peer can cause at will, or a failure that lasts, must not fill the log.
const INTERVAL: Duration = Duration::from_secs(10);

/// Counts what happens between one line of the log and the next.
#[derive(Debug, Default)]
pub(crate) struct Occasions(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    logged: Option<Instant>,
    since: u64,
}

impl Occasions {
    /// Counts one. Answers how many there were since the last line, if it is time for another.
    pub(crate) fn count(&self) -> Option<u64> {
        // No change here can be left half-done by a panic.
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.since += 1;
        let now = Instant::now();
        if counted.logged.is_some_and(|at| now < at + INTERVAL) {
            return None;
        }
        counted.logged = Some(now);
        Some(std::mem::take(&mut counted.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_for_many_occasions() {
        let occasions = Occasions::default();
        assert_eq!(occasions.count(), Some(1));
        for _ in 0..100 {
            assert_eq!(occasions.count(), None);
        }
        tokio::time::advance(INTERVAL).await;
        assert_eq!(occasions.count(), Some(101));
        assert_eq!(occasions.count(), None);
    }
}
