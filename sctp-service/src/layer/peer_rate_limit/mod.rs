//! Middleware that slows an association down, or aborts it, when the address of its peer sends
//! too much.

mod future;
mod layer;
mod limiter;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sctp_core::AbortReason;
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

pub use future::PeerRateLimitFuture;
pub use layer::PeerRateLimitLayer;
use limiter::{Limiter, Verdict};

use crate::{IntoReply, Reply, Request};

/// What a peer hears whose requests would have to wait for too long.
static RATE_LIMIT_EXCEEDED: AbortReason = AbortReason::from_static("rate limit exceeded");

/// Limits the rate of requests for each address; see [`PeerRateLimitLayer`].
pub struct PeerRateLimit<S> {
    inner: S,
    limiter: Arc<Limiter>,
    /// Until when the last request of this association waits, and no further one is taken.
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

    /// Takes the inner service out.
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
        match self.limiter.take(request.connect_info()) {
            Verdict::Now => PeerRateLimitFuture::calling(self.inner.call(request)),
            Verdict::Later(at) => {
                // A clone has reserved nothing: what this one had is free for others.
                self.inner = self.inner.clone();
                self.gate = Some(Box::pin(sleep_until(at)));
                PeerRateLimitFuture::waiting(at, self.inner.clone(), request)
            }
            Verdict::Refused => {
                let peer = request.connect_info();
                tracing::warn!(%peer, "the peer sends too fast, aborting");
                self.inner = self.inner.clone();
                PeerRateLimitFuture::refused(RATE_LIMIT_EXCEEDED.clone().into_reply())
            }
        }
    }
}

/// A clone waits for nothing, until its own first request is beyond the limit.
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
