//! Middleware that aborts the association when the inner service fails.

mod future;
mod layer;

use std::{
    convert::Infallible,
    fmt,
    task::{Context, Poll},
};

use tower_service::Service;

pub use future::AbortOnErrorFuture;
pub use layer::AbortOnErrorLayer;
use layer::{BoxError, Reasons};

use crate::{IntoReply, Reply, Request};

/// Aborts the association when the inner service fails; see [`AbortOnErrorLayer`].
pub struct AbortOnError<S> {
    inner: S,
    reasons: Reasons,
    /// Error of `poll_ready`, for the next call to answer.
    failed: Option<BoxError>,
}

impl<S> AbortOnError<S> {
    fn new(inner: S, reasons: Reasons) -> Self {
        Self {
            inner,
            reasons,
            failed: None,
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

impl<S> Service<Request> for AbortOnError<S>
where
    S: Service<Request, Response: IntoReply, Error: Into<BoxError>>,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = AbortOnErrorFuture<S::Future>;

    /// Ready even if the inner service failed to become ready: the next call then aborts.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.failed.is_none() {
            match self.inner.poll_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => self.failed = Some(error.into()),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.failed.take() {
            Some(error) => AbortOnErrorFuture::failed(self.reasons.abort(&*error)),
            None => AbortOnErrorFuture::new(self.inner.call(request), self.reasons.clone()),
        }
    }
}

/// Clones the inner service without its failure.
impl<S: Clone> Clone for AbortOnError<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.reasons.clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for AbortOnError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortOnError")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
