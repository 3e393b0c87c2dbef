use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{IntoReply, Reply, Request, ready::poll_ready};

pin_project! {
    /// Response future of [`PeerRateLimit`](super::PeerRateLimit).
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

/// Resolves to the request when it has its token, or to the reply that refuses it.
type Admission = Pin<Box<dyn Future<Output = Result<Request, Reply>> + Send>>;

struct Waiting<S> {
    admission: Option<Admission>,
    service: S,
    request: Option<Request>,
}

/// Outcome of the wait of a request.
enum Waited<F> {
    Called(F),
    Refused(Reply),
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

    pub(super) fn waiting(admission: Admission, service: S) -> Self {
        let waiting = Box::new(Waiting {
            admission: Some(admission),
            service,
            request: None,
        });
        Self {
            state: State::Waiting { waiting },
        }
    }
}

impl<S: Service<Request>> Waiting<S> {
    /// Waits for the token, then for the service, and calls it.
    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Result<Waited<S::Future>, S::Error>> {
        if let Some(admission) = &mut self.admission {
            let admitted = ready!(admission.as_mut().poll(cx));
            self.admission = None;
            match admitted {
                Ok(request) => self.request = Some(request),
                Err(reply) => return Poll::Ready(Ok(Waited::Refused(reply))),
            }
        }
        ready!(poll_ready(&mut self.service, cx))?;
        match self.request.take() {
            Some(request) => Poll::Ready(Ok(Waited::Called(self.service.call(request)))),
            // Polled after its end, as no future may be.
            None => Poll::Pending,
        }
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
                    Waited::Called(future) => future,
                    Waited::Refused(reply) => return Poll::Ready(Ok(reply)),
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
