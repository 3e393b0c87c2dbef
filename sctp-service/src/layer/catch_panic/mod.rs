//! Middleware that turns panics of the inner service into replies.

mod future;
mod layer;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use tower_service::Service;

pub use future::CatchPanicFuture;
pub use layer::CatchPanicLayer;
use layer::Replies;

use crate::{IntoReply, Reply, Request};

/// Replies for an inner service that panics; see [`CatchPanicLayer`].
pub struct CatchPanic<S> {
    inner: S,
    replies: Replies,
    /// Reply to a panic of `poll_ready`, for the next call.
    panicked: Option<Reply>,
}

impl<S> CatchPanic<S> {
    fn new(inner: S, replies: Replies) -> Self {
        Self {
            inner,
            replies,
            panicked: None,
        }
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S> Service<Request> for CatchPanic<S>
where
    S: Service<Request, Response: IntoReply>,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = CatchPanicFuture<S::Future>;

    /// Ready even if the inner service panicked: the next call then replies to the panic.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if self.panicked.is_some() {
            return Poll::Ready(Ok(()));
        }
        match catch_unwind(AssertUnwindSafe(|| self.inner.poll_ready(cx))) {
            Ok(polled) => polled,
            Err(panic) => {
                self.panicked = Some(self.replies.reply(&*panic));
                Poll::Ready(Ok(()))
            }
        }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(reply) = self.panicked.take() {
            return CatchPanicFuture::panicked(reply);
        }
        match catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Ok(future) => CatchPanicFuture::new(future, self.replies.clone()),
            Err(panic) => CatchPanicFuture::panicked(self.replies.reply(&*panic)),
        }
    }
}

/// Clones the inner service without its panic.
impl<S: Clone> Clone for CatchPanic<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.replies.clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for CatchPanic<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchPanic")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
