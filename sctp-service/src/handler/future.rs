//! Futures of replies.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::BoxReply;
use crate::{IntoReply, Reply};

pin_project! {
    /// Future of a [`Handler`](super::Handler) that is a function.
    #[must_use = "futures do nothing unless polled"]
    pub struct HandlerFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Running {
            #[pin]
            future: F,
        },
        // Boxed, since it is rare, and the future of a handler is kept for each request.
        Rejected { reply: Option<Box<Reply>> },
    }
}

impl<F> HandlerFuture<F> {
    #[inline]
    pub(crate) fn running(future: F) -> Self {
        Self {
            state: State::Running { future },
        }
    }

    #[cold]
    pub(crate) fn rejected(reply: Box<Reply>) -> Self {
        Self {
            state: State::Rejected { reply: Some(reply) },
        }
    }
}

impl<F: Future<Output: IntoReply>> Future for HandlerFuture<F> {
    type Output = Reply;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        match self.project().state.project() {
            StateProjection::Running { future } => future.poll(cx).map(IntoReply::into_reply),
            StateProjection::Rejected { reply } => match reply.take() {
                Some(reply) => Poll::Ready(*reply),
                None => Poll::Pending,
            },
        }
    }
}

impl<F> fmt::Debug for HandlerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// Future of a service that cannot fail, such as a handler, a route or a router.
    #[must_use = "futures do nothing unless polled"]
    pub struct ReplyFuture<F = BoxReply> {
        #[pin]
        reply: F,
    }
}

impl<F> ReplyFuture<F> {
    #[inline]
    pub(crate) fn new(reply: F) -> Self {
        Self { reply }
    }
}

impl<F: Future<Output = Reply>> Future for ReplyFuture<F> {
    type Output = Result<Reply, Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().reply.poll(cx).map(Ok)
    }
}

impl<F> fmt::Debug for ReplyFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyFuture").finish_non_exhaustive()
    }
}
