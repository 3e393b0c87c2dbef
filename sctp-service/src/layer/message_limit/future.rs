use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{IntoReply, Reply, Shutdown};

pin_project! {
    /// The answer of [`MessageLimit`](super::MessageLimit).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct MessageLimitFuture<F> {
        #[pin]
        future: F,
        last: bool,
    }
}

impl<F> MessageLimitFuture<F> {
    pub(super) fn new(future: F, last: bool) -> Self {
        Self { future, last }
    }
}

impl<F, R, E> Future for MessageLimitFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoReply,
{
    type Output = Result<Reply, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let reply = ready!(this.future.poll(cx))?.into_reply();
        // What the service itself decided goes before.
        let end = *this.last && reply.shutdown().is_none();
        Poll::Ready(Ok(if end {
            reply.with_shutdown(Shutdown::AfterAck)
        } else {
            reply
        }))
    }
}
