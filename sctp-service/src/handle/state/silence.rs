//! Detection of a silent peer.

use std::{mem, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::HandleState;
use crate::{sync::atomic::Ordering, timer::later};

/// The time of the last message of a peer, while anyone waits for its silence.
#[derive(Debug)]
pub(super) struct Silence {
    watchers: usize,
    last_message: Instant,
    is_reading: bool,
}

impl Silence {
    fn new() -> Self {
        Self {
            watchers: 0,
            last_message: Instant::now(),
            is_reading: true,
        }
    }
}

impl HandleState {
    /// Begins to watch for silence.
    fn watch(&self) {
        let mut core = self.lock();
        let silence = core.silence.get_or_insert_with(|| Box::new(Silence::new()));
        silence.watchers += 1;
        if silence.watchers == 1 {
            self.is_watched.store(true, Ordering::Relaxed);
            // An idle session reports only now whether it reads.
            self.wake(core);
        }
    }

    fn unwatch(&self) {
        let mut core = self.lock();
        let Some(silence) = &mut core.silence else {
            return;
        };
        silence.watchers -= 1;
        if silence.watchers == 0 {
            core.silence = None;
            self.is_watched.store(false, Ordering::Relaxed);
        }
    }

    /// Returns the time of the last message of the peer, or the time until which none could be read.
    fn last_message(&self) -> Option<Instant> {
        let core = self.lock();
        let silence = core.silence.as_ref()?;
        // A peer that is gone is not held back.
        let is_read = silence.is_reading || core.phase.end().is_some();
        Some(match is_read {
            true => silence.last_message,
            false => Instant::now(),
        })
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// Records that a message was received.
    pub(crate) fn note_message(&self) {
        if let Some(silence) = &mut self.lock().silence {
            silence.last_message = Instant::now();
        }
    }

    /// Records if the session reads, or holds the peer back.
    pub(crate) fn note_reading(&self, is_reading: bool) {
        if let Some(silence) = &mut self.lock().silence {
            let was_reading = mem::replace(&mut silence.is_reading, is_reading);
            if is_reading && !was_reading {
                silence.last_message = Instant::now();
            }
        }
    }
}

/// A wait for silence, until it is dropped.
pub(crate) struct SilenceWatch {
    state: Arc<HandleState>,
    begun: Instant,
}

impl SilenceWatch {
    pub(crate) fn new(state: &Arc<HandleState>) -> Self {
        state.watch();
        Self {
            state: Arc::clone(state),
            begun: Instant::now(),
        }
    }

    /// Returns the association that is watched.
    pub(crate) fn state(&self) -> &Arc<HandleState> {
        &self.state
    }

    /// Returns the time since the last message.
    pub(crate) fn silence(&self) -> Duration {
        self.due(Duration::ZERO).elapsed()
    }

    /// Returns the time at which there will have been silence for this long, as far as is known.
    pub(in crate::handle) fn due(&self, time: Duration) -> Instant {
        let last = self.state.last_message().unwrap_or(self.begun);
        later(last.max(self.begun), time)
    }
}

impl Drop for SilenceWatch {
    fn drop(&mut self) {
        self.state.unwatch();
    }
}
