//! A handler as a tower service.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{BoxReply, Handler};
use crate::{Reply, Request};

/// A handler as a tower service; always ready.
pub struct HandlerService<H, S = ()> {
    handler: H,
    state: S,
    /// [`Handler::call`]. Here, and not a bound of `Service`: of what is no handler the compiler
    /// would say once more that it is no service.
    call: fn(H, Request, S) -> BoxReply,
}

impl<H, S> HandlerService<H, S> {
    pub(super) fn new<T>(handler: H, state: S) -> Self
    where
        H: Handler<T, S>,
    {
        Self {
            handler,
            state,
            call: H::call,
        }
    }
}

impl<H: Clone, S: Clone> Service<Request> for HandlerService<H, S> {
    type Response = Reply;
    type Error = Infallible;
    type Future = ReplyFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> ReplyFuture {
        ReplyFuture((self.call)(
            self.handler.clone(),
            request,
            self.state.clone(),
        ))
    }
}

impl<H: Clone, S: Clone> Clone for HandlerService<H, S> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            state: self.state.clone(),
            call: self.call,
        }
    }
}

impl<H, S> fmt::Debug for HandlerService<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerService")
            .field("handler", &std::any::type_name::<H>())
            .finish_non_exhaustive()
    }
}

/// The answer of a handler or a router.
#[must_use = "futures do nothing unless polled"]
pub struct ReplyFuture(pub(crate) BoxReply);

impl Future for ReplyFuture {
    type Output = Result<Reply, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ReplyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyFuture").finish_non_exhaustive()
    }
}
