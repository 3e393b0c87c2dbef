//! Middleware that gives each request a span, and does nothing to the association.

mod future;
mod layer;

use std::{
    fmt,
    task::{Context, Poll},
};

use tower_service::Service;
use tracing::Level;

pub use future::TraceFuture;
pub use layer::TraceLayer;

use crate::{IntoReply, Reply, Request};

/// Gives each request a span; see [`TraceLayer`].
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
    level: Level,
}

impl<S> Trace<S> {
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

    /// Takes the inner service out.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S> Service<Request> for Trace<S>
where
    S: Service<Request, Response: IntoReply, Error: fmt::Display + 'static>,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = TraceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let span = layer::span(self.level, &request);
        let future = span.in_scope(|| self.inner.call(request));
        TraceFuture::new(future, span)
    }
}
