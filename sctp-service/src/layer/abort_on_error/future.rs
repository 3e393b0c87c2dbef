use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::layer::{BoxError, Reasons};
use crate::{IntoReply, Reply};

pin_project! {
    /// Response future of [`AbortOnError`](super::AbortOnError).
    #[must_use = "futures do nothing unless polled"]
    pub struct AbortOnErrorFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Failed { reply: Reply },
        Calling { #[pin] future: F, reasons: Reasons },
    }
}

impl<F> AbortOnErrorFuture<F> {
    pub(super) fn new(future: F, reasons: Reasons) -> Self {
        Self {
            state: State::Calling { future, reasons },
        }
    }

    pub(super) fn failed(reply: Reply) -> Self {
        Self {
            state: State::Failed { reply },
        }
    }
}

impl<F, R, E> Future for AbortOnErrorFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoReply,
    E: Into<BoxError>,
{
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project().state.project() {
            StateProj::Failed { reply } => std::mem::take(reply),
            StateProj::Calling { future, reasons } => match ready!(future.poll(cx)) {
                Ok(reply) => reply.into_reply(),
                Err(error) => reasons.abort(&*error.into()),
            },
        }))
    }
}

impl<F> fmt::Debug for AbortOnErrorFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortOnErrorFuture").finish_non_exhaustive()
    }
}
