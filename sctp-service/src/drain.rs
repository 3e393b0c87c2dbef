//! Notification of a graceful shutdown.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::handle::HandleState;

/// Signal that a graceful shutdown of the [server](crate::Serve::with_graceful_shutdown) or of the
/// [association](crate::AssociationHandle::graceful_shutdown) has begun.
///
/// Available as an argument of a handler, and in every [`Request`](crate::Request).
///
/// Requests in flight may finish within [`Config::drain_timeout`](crate::Config::drain_timeout). A
/// handler that sends messages indefinitely should end when the signal arrives. Its association is
/// then shut down, and not aborted after the timeout.
///
/// ```
/// use futures::StreamExt;
/// use sctp_service::{Drain, Reply};
///
/// async fn ticks(drain: Drain) -> Reply {
///     let ticks = futures::stream::repeat("tick"); // an endless stream, of an interval say
///     Reply::stream(ticks.take_until(drain.started_owned()))
/// }
/// # let _ = sctp_service::handler::handler_fn(ticks);
/// ```
///
/// The default value belongs to no server, and never starts.
#[derive(Clone, Default)]
pub struct Drain(Option<Arc<HandleState>>);

impl Drain {
    pub(crate) fn new(state: Arc<HandleState>) -> Self {
        Self(Some(state))
    }

    pub(crate) fn state(&self) -> Option<&Arc<HandleState>> {
        self.0.as_ref()
    }

    fn token(&self) -> Option<&CancellationToken> {
        self.0.as_ref().map(|state| state.drain())
    }

    /// Returns `true` if the server or the association is shutting down gracefully.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.token().is_some_and(CancellationToken::is_cancelled)
    }

    /// Waits until a graceful shutdown of the server or the association begins.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn started(&self) {
        match self.token() {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Like [`started`](Self::started), but takes `self`, for tasks and streams.
    pub async fn started_owned(self) {
        self.started().await;
    }

    /// Creates a token that is cancelled when the graceful shutdown begins, for code that takes a
    /// token. Cancelling the token has no other effect.
    #[must_use]
    pub fn child_token(&self) -> CancellationToken {
        self.token()
            .map_or_else(CancellationToken::new, CancellationToken::child_token)
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("started", &self.is_started())
            .finish()
    }
}
