//! Notification of a graceful shutdown.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::handle::HandleState;

/// Tells a service that its server is [shutting down](crate::Serve::with_graceful_shutdown), or its
/// association [alone](crate::AssociationHandle::graceful_shutdown): an argument of a handler, and
/// part of every [`Request`](crate::Request).
///
/// Calls in flight may finish, for up to [`Config::drain_timeout`](crate::Config::drain_timeout).
/// One that never would, since it sends messages for as long as there are any, ends itself
/// when it hears of the drain; its association is then shut down in order and not aborted when
/// the time is up.
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
/// The default is of no server, and never starts.
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

    /// Returns `true` if the server is shutting down.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.token().is_some_and(CancellationToken::is_cancelled)
    }

    /// Resolves when the server begins to shut down.
    ///
    /// # Cancel safety
    ///
    /// It can be cancelled and called again.
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

    /// Makes a token that is cancelled when the server begins to shut down, for code that takes
    /// one. Cancelling it concerns nobody else.
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
