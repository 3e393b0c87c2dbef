//! Middleware that drains the association after a number of requests.

use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::Request;

/// Drains the association after a number of requests, as its
/// [`graceful_shutdown`](crate::AssociationHandle::graceful_shutdown) does.
///
/// The last request and all others that have arrived by then are answered. The association is then
/// shut down in order, or aborted after [`Config::drain_timeout`](crate::Config::drain_timeout).
/// A handler that answers for as long as there is something to say hears of it by its
/// [`Drain`](crate::Drain).
///
/// A peer that is balanced over several servers comes back to another one, where long associations
/// would stay where they are. Requests that arrive later are discarded: the peer has
/// to send them again.
///
/// The layer keeps no count of its own, since each clone of a service would have one: requests are
/// [numbered](crate::Request::number) in each association.
#[derive(Clone, Copy, Debug)]
pub struct MessageLimitLayer {
    limit: u64,
}

impl MessageLimitLayer {
    /// Drains the association when its request of this number comes. A limit of 0 is a limit of 1.
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

    /// Takes the inner service out.
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
