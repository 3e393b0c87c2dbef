//! Watching for silence of a peer.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::state::HandleState;
use crate::timer::later;

/// When a peer was last heard of, while somebody watches.
#[derive(Debug)]
pub(super) struct Silence {
    pub(super) watchers: usize,
    pub(super) last_heard: Instant,
    pub(super) is_reading: bool,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            watchers: 0,
            last_heard: Instant::now(),
            is_reading: true,
        }
    }
}

/// One that watches, until it is dropped.
pub(super) struct SilenceWatch<'a> {
    state: &'a Arc<HandleState>,
    begun: Instant,
}

impl<'a> SilenceWatch<'a> {
    pub(super) fn new(state: &'a Arc<HandleState>) -> Self {
        state.watch();
        let begun = Instant::now();
        Self { state, begun }
    }

    /// Returns the time at which there will have been silence for this long, as far as is known.
    pub(super) fn due(&self, time: Duration) -> Instant {
        let heard = self.state.last_heard().unwrap_or(self.begun);
        later(heard.max(self.begun), time)
    }
}

impl Drop for SilenceWatch<'_> {
    fn drop(&mut self) {
        self.state.unwatch();
    }
}
