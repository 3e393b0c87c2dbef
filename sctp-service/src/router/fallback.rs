//! Route of the requests that match no other.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{Endpoint, FromService, Route, layered};
use crate::{IntoReply, Reply, Request, Shutdown, handler::BoxReply};

/// Fallback of a router, generic over its destination.
#[derive(Clone)]
pub(super) enum Fallback<E> {
    /// The default fallback, which aborts; an endpoint once there is a layer around it.
    Default(Option<E>),
    /// A fallback that was set.
    Set(E),
}

impl<E> Fallback<E> {
    pub(super) fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// Takes the fallback of another router if it was set, or if this one is the default without
    /// layers.
    pub(super) fn merge(&mut self, other: &Self)
    where
        E: Clone,
    {
        let is_bare = matches!(self, Self::Default(None));
        if other.is_set() || is_bare {
            *self = other.clone();
        }
    }

    pub(super) fn map<F>(&self, map: impl Fn(&E) -> F) -> Fallback<F> {
        match self {
            Self::Default(layered) => Fallback::Default(layered.as_ref().map(map)),
            Self::Set(endpoint) => Fallback::Set(map(endpoint)),
        }
    }
}

impl<S: 'static> Fallback<Endpoint<S>> {
    /// Puts a layer around the fallback.
    pub(super) fn layered<L>(&self, layer: &L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoReply,
        <L::Service as Service<Request>>::Future: Send,
    {
        match self {
            Self::Default(None) => {
                let default: Endpoint<S> = Arc::new(FromService(AbortUnmatched));
                Self::Default(Some(layered(&default, layer)))
            }
            other => other.map(|endpoint| layered(endpoint, layer)),
        }
    }
}

impl Fallback<Route> {
    /// Replies to a request. The default fallback aborts with the reason that `unmatched` returns.
    pub(super) fn call(
        &self,
        mut request: Request,
        unmatched: impl FnOnce(&Request) -> Shutdown,
    ) -> BoxReply {
        match self {
            Self::Set(route) => route.answer(request),
            Self::Default(None) => {
                let abort = unmatched(&request);
                Box::pin(ready(abort.into_reply()))
            }
            Self::Default(Some(route)) => {
                let abort = unmatched(&request);
                request.extensions_mut().insert(Unmatched(abort));
                route.answer(request)
            }
        }
    }
}

impl<E> Default for Fallback<E> {
    fn default() -> Self {
        Self::Default(None)
    }
}

/// Carries the shutdown of an unmatched request through the layers around the default fallback.
/// Only the table, with all its routes, knows the reason.
#[derive(Clone)]
struct Unmatched(Shutdown);

/// The default fallback behind its layers.
#[derive(Clone)]
struct AbortUnmatched;

impl Service<Request> for AbortUnmatched {
    type Response = Reply;
    type Error = Infallible;
    type Future = Ready<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let reply = match request.extensions().get::<Unmatched>() {
            Some(Unmatched(shutdown)) => shutdown.clone().into_reply(),
            // A layer has replaced the request.
            None => Shutdown::abort(format!(
                "no handler for PPID {} on stream {}",
                request.ppid(),
                request.stream()
            ))
            .into_reply(),
        };
        ready(Ok(reply))
    }
}
