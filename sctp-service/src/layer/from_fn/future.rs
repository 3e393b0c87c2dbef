use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{IntoReply, Reply};

pin_project! {
    /// The answer of [`FromFn`](super::FromFn).
    #[must_use = "futures do nothing unless polled"]
    pub struct FromFnFuture<F> {
        #[pin]
        future: F,
    }
}

impl<F> FromFnFuture<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future<Output: IntoReply>> Future for FromFnFuture<F> {
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.project().future.poll(cx);
        answer.map(|answer| Ok(answer.into_reply()))
    }
}

impl<F> fmt::Debug for FromFnFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFnFuture").finish_non_exhaustive()
    }
}
