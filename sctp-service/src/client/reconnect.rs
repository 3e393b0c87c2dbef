//! Decision about reconnecting.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use sctp_tokio::End;

use crate::{Cause, panics::panic_message};

/// End of an association of a client, or failure of a connection attempt. Argument of
/// [`ClientBuilder::with_reconnect`](super::ClientBuilder::with_reconnect).
#[derive(Debug)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// Cause with which calls fail.
    pub cause: &'a Cause,
    /// The end of the association. `None` if the attempt to connect failed.
    pub end: Option<&'a End>,
    /// Number of consecutive failures, including this one and associations that closed early: see
    /// [`Backoff`](super::Backoff).
    pub failures: u32,
    /// Pause according to [`ClientConfig::backoff`](super::ClientConfig::backoff).
    pub pause: Duration,
}

/// Result of the function of
/// [`ClientBuilder::with_reconnect`](super::ClientBuilder::with_reconnect).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconnect {
    /// Reconnects after this time.
    After(Duration),
    /// Does not reconnect: the client has ended, and calls fail with the cause.
    Never,
}

type Decide = dyn Fn(&Closed<'_>) -> Reconnect + Send + Sync;

/// The user's decision, if there is one.
#[derive(Clone, Default)]
pub(super) struct Decision(Option<Arc<Decide>>);

impl Decision {
    pub(super) fn new(decide: impl Fn(&Closed<'_>) -> Reconnect + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(decide)))
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the pause before the next attempt, or `None` if there is to be none. A function that
    /// panics decides as if there were none.
    pub(super) fn pause(&self, closed: &Closed<'_>) -> Option<Duration> {
        let Some(decide) = &self.0 else {
            return Some(closed.pause);
        };
        match catch_unwind(AssertUnwindSafe(|| decide(closed))) {
            Ok(Reconnect::After(pause)) => Some(pause),
            Ok(Reconnect::Never) => None,
            Err(panic) => {
                let panic = panic_message(&*panic);
                tracing::error!(panic, "reconnect function panicked");
                Some(closed.pause)
            }
        }
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "unset" })
    }
}
