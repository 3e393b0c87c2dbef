use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Instant;
use tracing::{Level, Span, field::debug};

use crate::{IntoReply, Reply};

pin_project! {
    /// The answer of [`Trace`](super::Trace).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TraceFuture<F> {
        #[pin]
        future: F,
        span: Span,
        // `None` if nobody is told of it: reading the clock costs more than all else here does.
        begin: Option<Instant>,
    }
}

impl<F> TraceFuture<F> {
    pub(super) fn new(future: F, span: Span) -> Self {
        let recorded = !span.is_disabled() || tracing::enabled!(Level::DEBUG);
        Self {
            future,
            span,
            begin: recorded.then(Instant::now),
        }
    }
}

impl<F, R, E> Future for TraceFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoReply,
    E: fmt::Display,
{
    type Output = Result<Reply, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        let answer = ready!(this.future.poll(cx)).map(R::into_reply);
        let elapsed = this.begin.map(|begin| debug(begin.elapsed()));
        match &answer {
            Ok(reply) => {
                let messages = reply.messages().count();
                tracing::debug!(messages, shutdown = ?reply.shutdown(), elapsed, "answered");
            }
            Err(error) => tracing::warn!(%error, elapsed, "failed"),
        }
        Poll::Ready(answer)
    }
}
