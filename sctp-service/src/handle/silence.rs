//! Silence of a peer.

use tokio::time::Instant;

/// The time at which a peer was last heard of, while somebody watches.
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
