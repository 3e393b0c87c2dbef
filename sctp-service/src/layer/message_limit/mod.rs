//! Middleware that shuts the association down, in order, after so many requests.

mod future;
mod layer;

use std::task::{Context, Poll};

use tower_service::Service;

pub use future::MessageLimitFuture;
pub use layer::MessageLimitLayer;

use crate::{IntoReply, Reply, Request};

/// Shuts the association down after so many requests; see [`MessageLimitLayer`].
#[derive(Clone, Debug)]
pub struct MessageLimit<S> {
    inner: S,
    limit: u64,
}

impl<S> MessageLimit<S> {
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

impl<S> Service<Request> for MessageLimit<S>
where
    S: Service<Request, Response: IntoReply>,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = MessageLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let last = request.number() >= self.limit;
        MessageLimitFuture::new(self.inner.call(request), last)
    }
}
