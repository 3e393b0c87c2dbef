//! Middleware that is an async function.

mod future;
mod layer;
mod next;

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    task::{Context, Poll},
};

use tower_service::Service;

pub use future::FromFnFuture;
pub use layer::{FromFnLayer, from_fn};
pub use next::Next;

use crate::{IntoReply, Reply, Request};

/// Calls an async function with each request and the service behind it; see [`from_fn`].
#[derive(Clone)]
pub struct FromFn<F, S> {
    inner: S,
    function: F,
}

impl<F, S> FromFn<F, S> {
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

impl<F, Fut, S> Service<Request> for FromFn<F, S>
where
    F: Fn(Request, Next) -> Fut,
    Fut: Future<Output: IntoReply>,
    S: Service<Request, Response: IntoReply, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = FromFnFuture<Fut>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The function gets the one that is ready, with whatever that has reserved.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        FromFnFuture::new((self.function)(request, Next::new(ready)))
    }
}

impl<F, S: fmt::Debug> fmt::Debug for FromFn<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn")
            .field("function", &std::any::type_name::<F>())
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
