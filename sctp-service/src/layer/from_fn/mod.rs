//! Middleware made from an async function.

mod arguments;
mod layer;
mod next;

use std::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    task::{Context, Poll},
};

use tower_service::Service;

pub use arguments::{Middleware, MiddlewareArguments};
pub use layer::{FromFnLayer, from_fn, from_fn_with_state};
pub use next::Next;

use crate::{IntoReply, Reply, Request, handler::ReplyFuture, sealed::Sealed};

/// Calls an async function with each request and the inner service; see [`from_fn`].
pub struct FromFn<F, Svc, S, T> {
    inner: Svc,
    function: F,
    state: S,
    arguments: PhantomData<fn(T)>,
}

impl<F, Svc, S, T> FromFn<F, Svc, S, T> {
    /// Returns the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &Svc {
        &self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut Svc {
        &mut self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn into_inner(self) -> Svc {
        self.inner
    }
}

impl<F, Svc, S, T> Service<Request> for FromFn<F, Svc, S, T>
where
    F: Middleware<T, S>,
    S: Clone,
    Svc: Service<Request, Response: IntoReply, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = ReplyFuture<F::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The function gets the service that was polled ready, with its reservations.
        let clone = self.inner.clone();
        let next = Next::new(std::mem::replace(&mut self.inner, clone));
        let (function, state) = (self.function.clone(), self.state.clone());
        ReplyFuture::new(function.call_middleware(request, next, state, Sealed(())))
    }
}

impl<F: Clone, Svc: Clone, S: Clone, T> Clone for FromFn<F, Svc, S, T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            function: self.function.clone(),
            state: self.state.clone(),
            arguments: PhantomData,
        }
    }
}

impl<F, Svc: fmt::Debug, S, T> fmt::Debug for FromFn<F, Svc, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn")
            .field("function", &std::any::type_name::<F>())
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
