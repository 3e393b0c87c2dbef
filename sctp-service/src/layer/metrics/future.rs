use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::instruments::Call;
use crate::{IntoReply, Reply};

pin_project! {
    /// The answer of [`Metrics`](super::Metrics).
    #[must_use = "futures do nothing unless polled"]
    pub struct MetricsFuture<F> {
        #[pin]
        future: F,
        call: Call,
    }
}

impl<F> MetricsFuture<F> {
    pub(super) fn new(future: F, call: Call) -> Self {
        Self { future, call }
    }
}

impl<F, R, E> Future for MetricsFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoReply,
{
    type Output = Result<Reply, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match ready!(this.future.poll(cx)) {
            Ok(reply) => Ok(this.call.answered(reply.into_reply())),
            Err(error) => {
                this.call.failed();
                Err(error)
            }
        })
    }
}

impl<F> fmt::Debug for MetricsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsFuture").finish_non_exhaustive()
    }
}
