use std::{error::Error, fmt, sync::Arc};

use sctp_core::AbortReason;
use tower_layer::Layer;

use super::AbortOnError;
use crate::{IntoReply, Reply, abort_reasons::INTERNAL_ERROR, log_limit::LogLimiter};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Aborts the association when the inner service fails.
///
/// Turns a service with any error type into one with `Error = Infallible`, which can be served.
///
/// The abort reason is `internal error`, and the error itself is logged, since its text may
/// disclose internals of the server. [`map`](Self::map) chooses reasons that help the peer:
///
/// ```
/// use sctp_service::{AbortReason, layer::AbortOnErrorLayer};
/// use tower::timeout::error::Elapsed;
///
/// let layer = AbortOnErrorLayer::map(|error| match error.downcast_ref::<Elapsed>() {
///     Some(_) => AbortReason::from_static("too slow"),
///     None => AbortReason::from_static("internal error"),
/// });
/// # let _ = layer;
/// ```
#[derive(Clone)]
pub struct AbortOnErrorLayer {
    reasons: Reasons,
}

impl AbortOnErrorLayer {
    /// Gives every error the reason `internal error`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_reason(INTERNAL_ERROR.clone())
    }

    /// Gives every error the same reason.
    #[must_use]
    pub fn with_reason(reason: AbortReason) -> Self {
        Self::map(move |_| reason.clone())
    }

    /// Gives each error a reason of its own.
    pub fn map<F>(reason: F) -> Self
    where
        F: Fn(&(dyn Error + Send + Sync + 'static)) -> AbortReason + Send + Sync + 'static,
    {
        Self {
            reasons: Reasons(Arc::new(Shared {
                reason,
                failures: LogLimiter::default(),
            })),
        }
    }
}

impl Default for AbortOnErrorLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for AbortOnErrorLayer {
    type Service = AbortOnError<S>;

    fn layer(&self, inner: S) -> AbortOnError<S> {
        AbortOnError::new(inner, self.reasons.clone())
    }
}

impl fmt::Debug for AbortOnErrorLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortOnErrorLayer").finish_non_exhaustive()
    }
}

type Reason = dyn Fn(&(dyn Error + Send + Sync + 'static)) -> AbortReason + Send + Sync;

/// Maps an error to an abort reason.
#[derive(Clone)]
pub(super) struct Reasons(Arc<Shared<Reason>>);

/// State that all services of a layer share.
struct Shared<F: ?Sized> {
    failures: LogLimiter,
    reason: F,
}

impl Reasons {
    /// Logs an error, and returns the reply that aborts the association.
    pub(super) fn abort(&self, error: &(dyn Error + Send + Sync + 'static)) -> Reply {
        let reason = (self.0.reason)(error);
        if let Some(occurrences) = self.0.failures.record() {
            tracing::warn!(
                error = error as &dyn Error,
                %reason,
                occurrences,
                "the service failed, aborting"
            );
        }
        reason.into_reply()
    }
}
