//! Handlers as tower services.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{Handler, ReplyFuture};
use crate::{Reply, Request, sealed::Sealed};

/// Handler as a tower service, which is always ready.
///
/// `F` is the future of the handler.
pub struct HandlerService<H, S, F> {
    handler: H,
    state: S,
    /// [`Handler::call`]. Here, and not a bound of `Service`: for what is no handler the compiler
    /// would report a second time that it is no service.
    call: fn(H, Request, S) -> F,
}

impl<H, S, F> HandlerService<H, S, F> {
    pub(super) fn new<T>(handler: H, state: S) -> Self
    where
        H: Handler<T, S, Future = F>,
    {
        Self::sharing(handler.detach(Sealed(())), state)
    }

    /// Makes a service of a handler that shares what its clones share.
    pub(super) fn sharing<T>(handler: H, state: S) -> Self
    where
        H: Handler<T, S, Future = F>,
    {
        Self {
            handler,
            state,
            call: H::call,
        }
    }
}

impl<H, S, F> Service<Request> for HandlerService<H, S, F>
where
    H: Clone,
    S: Clone,
    F: Future<Output = Reply>,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = ReplyFuture<F>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        let (handler, state) = (self.handler.clone(), self.state.clone());
        ReplyFuture::new((self.call)(handler, request, state))
    }
}

impl<H: Clone, S: Clone, F> Clone for HandlerService<H, S, F> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            state: self.state.clone(),
            call: self.call,
        }
    }
}

impl<H, S, F> fmt::Debug for HandlerService<H, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerService")
            .field("handler", &std::any::type_name::<H>())
            .finish_non_exhaustive()
    }
}
