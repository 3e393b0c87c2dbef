use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use crate::{IntoReply, Reply, Request};

pin_project! {
    /// The answer of [`PeerRateLimit`](super::PeerRateLimit).
    #[must_use = "futures do nothing unless polled"]
    pub struct PeerRateLimitFuture<S: Service<Request>> {
        #[pin]
        state: State<S, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Refused { reply: Reply },
        Calling { #[pin] future: F },
        // Boxed: it is seldom needed, and would make every call larger.
        Waiting { waiting: Box<Waiting<S>> },
    }
}

struct Waiting<S> {
    sleep: Option<Pin<Box<Sleep>>>,
    service: S,
    request: Option<Request>,
}

impl<S: Service<Request>> PeerRateLimitFuture<S> {
    pub(super) fn refused(reply: Reply) -> Self {
        Self {
            state: State::Refused { reply },
        }
    }

    pub(super) fn calling(future: S::Future) -> Self {
        Self {
            state: State::Calling { future },
        }
    }

    pub(super) fn waiting(until: Instant, service: S, request: Request) -> Self {
        let waiting = Box::new(Waiting {
            sleep: Some(Box::pin(sleep_until(until))),
            service,
            request: Some(request),
        });
        Self {
            state: State::Waiting { waiting },
        }
    }
}

impl<S: Service<Request>> Waiting<S> {
    /// Waits for the token, then for the service, and calls it.
    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<S::Future>, S::Error>> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        ready!(self.service.poll_ready(cx))?;
        let request = self.request.take();
        Poll::Ready(Ok(request.map(|request| self.service.call(request))))
    }
}

impl<S> Future for PeerRateLimitFuture<S>
where
    S: Service<Request, Response: IntoReply>,
{
    type Output = Result<Reply, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let future = match state.as_mut().project() {
                StateProj::Refused { reply } => return Poll::Ready(Ok(std::mem::take(reply))),
                StateProj::Calling { future } => {
                    return future.poll(cx).map_ok(IntoReply::into_reply);
                }
                StateProj::Waiting { waiting } => match ready!(waiting.poll_call(cx))? {
                    Some(future) => future,
                    // Polled after its end, as no future may be.
                    None => return Poll::Pending,
                },
            };
            state.set(State::Calling { future });
        }
    }
}

impl<S: Service<Request>> fmt::Debug for PeerRateLimitFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerRateLimitFuture")
            .finish_non_exhaustive()
    }
}
