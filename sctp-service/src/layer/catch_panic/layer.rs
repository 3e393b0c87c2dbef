use std::{any::Any, fmt, sync::Arc};

use tower_layer::Layer;

use super::CatchPanic;
use crate::{
    IntoReply, Reply, abort_reasons::INTERNAL_ERROR, log_limit::LogLimiter, panics::panic_message,
};

/// Turns a panic of the service into a reply; at first, into an abort of the association with the
/// reason `internal error`.
///
/// Without it the [server](crate::serve()) catches a panic, and does the same: aborts, logs, and
/// reports [`ServerEvent::Panicked`](crate::ServerEvent::Panicked). The layer is for those who
/// want something else: to answer with an error message of their protocol, to end in order, or
/// to have layers further out see the panic as a reply among others (to count it, say). A panic
/// that is caught here is logged, and is no event.
///
/// ```
/// use sctp_service::layer::CatchPanicLayer;
///
/// // The association lives on: only this request is answered with an error.
/// let layer = CatchPanicLayer::map(|_message| "ERROR 500");
/// # let _ = layer;
/// ```
///
/// The association can live on, and with it the service: be sure that a panic leaves nothing of
/// its state half-changed (a `Mutex` that was locked is poisoned). Panics in `poll_ready`, in
/// `call` and in the future are caught, also when the future is dropped after a panic. Those in
/// the stream of a reply are left to the server, which can no longer ask for another reply.
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

    /// Replies with what is made of the panic's message. Take care: such messages are not meant
    /// for peers.
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

/// From a panic to a reply.
#[derive(Clone)]
pub(super) struct Replies(Arc<Shared<MakeReply>>);

type MakeReply = dyn Fn(&str) -> Reply + Send + Sync;

/// State that all services of a layer share.
struct Shared<F: ?Sized> {
    panics: LogLimiter,
    reply: F,
}

impl Replies {
    /// Logs a panic, and makes the reply.
    pub(super) fn reply(&self, panic: &(dyn Any + Send)) -> Reply {
        let message = panic_message(panic);
        if let Some(occurrences) = self.0.panics.record() {
            tracing::error!(panic = message, occurrences, "the service panicked");
        }
        (self.0.reply)(message)
    }
}
