use std::{any::Any, fmt, sync::Arc};

use tower_layer::Layer;

use super::CatchPanic;
use crate::{
    IntoReply, Reply, abort_reasons::INTERNAL_ERROR, log_limit::LogLimiter, panics::panic_message,
};

/// Turns a panic of the inner service into a reply; by default, an abort with the reason
/// `internal error`.
///
/// Without this layer the [server](crate::serve()) catches panics: it aborts the association, logs
/// the panic, and reports [`ServerEvent::Panicked`](crate::ServerEvent::Panicked). Use the layer to
/// reply with an error message of the protocol, to shut down gracefully, or to make the panic
/// visible to outer layers as a reply. A panic that this layer catches is logged, but not reported
/// as an event.
///
/// ```
/// use sctp_service::layer::CatchPanicLayer;
///
/// // The association lives on: only this request is answered with an error.
/// let layer = CatchPanicLayer::map(|_message| "ERROR 500");
/// # let _ = layer;
/// ```
///
/// The association and the service can continue after a panic, so make sure that a panic cannot
/// leave the service's state inconsistent (a locked `Mutex` is poisoned). The layer catches panics
/// in `poll_ready`, in `call` and in the future, also when the future is dropped after a panic.
/// Panics in a reply stream are left to the server.
#[derive(Clone)]
pub struct CatchPanicLayer {
    replies: Replies,
}

impl CatchPanicLayer {
    /// Aborts with the reason `internal error`.
    #[must_use]
    pub fn new() -> Self {
        Self::map(|_| INTERNAL_ERROR.clone())
    }

    /// Replies with the result of a function of the panic message. Do not send panic messages to
    /// peers, since they may disclose internals.
    pub fn map<F, R>(reply: F) -> Self
    where
        F: Fn(&str) -> R + Send + Sync + 'static,
        R: IntoReply,
    {
        Self {
            replies: Replies(Arc::new(Shared {
                panics: LogLimiter::default(),
                reply: move |message: &str| reply(message).into_reply(),
            })),
        }
    }
}

impl Default for CatchPanicLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic::new(inner, self.replies.clone())
    }
}

impl fmt::Debug for CatchPanicLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchPanicLayer").finish_non_exhaustive()
    }
}

/// Maps a panic to a reply.
#[derive(Clone)]
pub(super) struct Replies(Arc<Shared<MakeReply>>);

type MakeReply = dyn Fn(&str) -> Reply + Send + Sync;

/// State that all services of a layer share.
struct Shared<F: ?Sized> {
    panics: LogLimiter,
    reply: F,
}

impl Replies {
    /// Logs a panic, and returns the reply.
    pub(super) fn reply(&self, panic: &(dyn Any + Send)) -> Reply {
        let message = panic_message(panic);
        if let Some(occurrences) = self.0.panics.record() {
            tracing::error!(panic = message, occurrences, "the service panicked");
        }
        (self.0.reply)(message)
    }
}
