use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::layer::Replies;
use crate::{IntoReply, Reply, log_limit::LogLimiter};

pin_project! {
    /// Response future of [`CatchPanic`](super::CatchPanic).
    #[must_use = "futures do nothing unless polled"]
    pub struct CatchPanicFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Panicked { reply: Reply },
        Calling { #[pin] future: F, replies: Replies },
    }
}

impl<F> CatchPanicFuture<F> {
    pub(super) fn new(future: F, replies: Replies) -> Self {
        Self {
            state: State::Calling { future, replies },
        }
    }

    pub(super) fn panicked(reply: Reply) -> Self {
        Self {
            state: State::Panicked { reply },
        }
    }
}

impl<F, R, E> Future for CatchPanicFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoReply,
{
    type Output = Result<Reply, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let reply = match state.as_mut().project() {
            StateProj::Panicked { reply } => std::mem::take(reply),
            StateProj::Calling { future, replies } => {
                let replies = replies.clone();
                let polled = catch_unwind(AssertUnwindSafe(|| {
                    future
                        .poll(cx)
                        .map(|answer| answer.map(IntoReply::into_reply))
                }));
                match polled {
                    Ok(polled) => return polled,
                    Err(panic) => replies.reply(&*panic),
                }
            }
        };
        // What is left of the future goes here, while a further panic can be caught.
        let emptied = || {
            state.set(State::Panicked {
                reply: Reply::none(),
            })
        };
        if catch_unwind(AssertUnwindSafe(emptied)).is_err() {
            static PANICS: LogLimiter = LogLimiter::new();
            if let Some(occurrences) = PANICS.record() {
                tracing::error!(
                    occurrences,
                    "the service panicked again as its future was dropped"
                );
            }
        }
        Poll::Ready(Ok(reply))
    }
}

impl<F> fmt::Debug for CatchPanicFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchPanicFuture").finish_non_exhaustive()
    }
}
