//! Middleware that limits the rate of requests per peer address.

mod future;
mod layer;
mod limiter;
mod turns;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

pub use future::PeerRateLimitFuture;
pub use layer::PeerRateLimitLayer;
use limiter::{Limiter, Verdict};

use crate::{IntoReply, Reply, Request};

/// Limits the rate of requests for each address; see [`PeerRateLimitLayer`].
pub struct PeerRateLimit<S> {
    inner: S,
    limiter: Arc<Limiter>,
    /// Delays readiness until the last request has its token. If the service is cloned for each
    /// request, the gate has no effect, and requests wait for their turns instead.
    gate: Option<Pin<Box<Sleep>>>,
}

impl<S> PeerRateLimit<S> {
    fn new(inner: S, limiter: Arc<Limiter>) -> Self {
        Self {
            inner,
            limiter,
            gate: None,
        }
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S> Service<Request> for PeerRateLimit<S>
where
    S: Service<Request, Response: IntoReply> + Clone,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = PeerRateLimitFuture<S>;

    /// Not ready while a request of this association waits for its token.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if let Some(gate) = &mut self.gate {
            ready!(gate.as_mut().poll(cx));
            self.gate = None;
        }
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let association = request.association().id();
        let turns = &self.limiter.turns;
        let token_at = if turns.is_waiting(association) {
            None
        } else {
            match self.limiter.take(request.connect_info()) {
                Verdict::Now => return PeerRateLimitFuture::calling(self.inner.call(request)),
                Verdict::Later(at) => Some(at),
                Verdict::Refused => {
                    self.inner = self.inner.clone();
                    let reply = self.limiter.refuse(request.connect_info());
                    return PeerRateLimitFuture::refused(reply);
                }
            }
        };
        // A request with the default handle, which no server created, waits for no other.
        let turn = (association != 0).then(|| turns.enter(association));
        // A clone has no reservation, so the permits of this service are released.
        self.inner = self.inner.clone();
        self.gate = token_at.map(|at| Box::pin(sleep_until(at)));
        let admission = Arc::clone(&self.limiter).admit(request, turn, token_at);
        PeerRateLimitFuture::waiting(Box::pin(admission), self.inner.clone())
    }
}

/// Clones without the gate: the clone is not limited yet.
impl<S: Clone> Clone for PeerRateLimit<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.limiter))
    }
}

impl<S: fmt::Debug> fmt::Debug for PeerRateLimit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerRateLimit")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
