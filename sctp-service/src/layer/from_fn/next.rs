use std::{convert::Infallible, fmt};

use tower_service::Service;

use crate::{IntoReply, Reply, Request, handler::BoxReply};

/// Inner service of a [`from_fn`](super::from_fn) middleware, ready for one call.
///
/// Dropping it without a call releases what the inner services have reserved for this request, such
/// as the permit of a concurrency limit.
#[must_use = "without `run`, nothing behind this middleware sees the request"]
pub struct Next {
    call: Box<dyn FnOnce(Request) -> BoxReply + Send>,
}

impl Next {
    pub(super) fn new<S>(mut ready: S) -> Self
    where
        S: Service<Request, Response: IntoReply, Error = Infallible, Future: Send> + Send + 'static,
    {
        let call = move |request| -> BoxReply {
            Box::pin(async move {
                let Ok(answer) = ready.call(request).await;
                answer.into_reply()
            })
        };
        Self {
            call: Box::new(call),
        }
    }

    /// Calls the inner service, and returns its reply.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the inner call at its current `await`. Its reply is not sent.
    pub async fn run(self, request: Request) -> Reply {
        (self.call)(request).await
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}
