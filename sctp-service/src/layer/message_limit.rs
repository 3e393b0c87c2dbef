//! Middleware that drains the association after a number of requests.

use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::Request;

/// Drains the association after a number of requests, as its
/// [`graceful_shutdown`](crate::AssociationHandle::graceful_shutdown) does.
///
/// The last request and all others that have arrived by then are answered. The association is then
/// shut down in order, or aborted after [`Config::drain_timeout`](crate::Config::drain_timeout). A
/// handler with a long reply stream is notified through its [`Drain`](crate::Drain).
///
/// The limit redistributes long-lived associations: a peer behind a load balancer reconnects to
/// another server. Requests that arrive later are discarded, and the peer has to send them again.
///
/// The layer uses the [number](crate::Request::number) of each request instead of a counter,
/// because each clone of the service would have its own counter.
#[derive(Clone, Copy, Debug)]
pub struct MessageLimitLayer {
    limit: u64,
}

impl MessageLimitLayer {
    /// Drains the association when the request with this number arrives. A limit of 0 is treated as
    /// 1.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for MessageLimitLayer {
    type Service = MessageLimit<S>;

    fn layer(&self, inner: S) -> MessageLimit<S> {
        MessageLimit {
            inner,
            limit: self.limit,
        }
    }
}

/// Drains the association after a number of requests; see [`MessageLimitLayer`].
#[derive(Clone, Debug)]
pub struct MessageLimit<S> {
    inner: S,
    limit: u64,
}

impl<S> MessageLimit<S> {
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

impl<S: Service<Request>> Service<Request> for MessageLimit<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        if request.number() >= self.limit {
            request.association().graceful_shutdown();
        }
        self.inner.call(request)
    }
}
