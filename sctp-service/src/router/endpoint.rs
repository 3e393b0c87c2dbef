//! Destinations of routes whose state is still missing.

use std::{convert::Infallible, fmt, marker::PhantomData, sync::Arc};

use tower_layer::Layer;
use tower_service::Service;

use super::Route;
use crate::{IntoReply, Request, handler::Handler};

/// Becomes a route when the state is provided.
pub(super) trait IntoRoute<S>: Send + Sync {
    fn to_route(&self, state: &S) -> Route;
}

/// Destination of a route.
pub(super) type Endpoint<S> = Arc<dyn IntoRoute<S>>;

/// A [`Router`](crate::Router) or [`KeyRouter`](crate::KeyRouter) to nest in another router.
///
/// Both convert into it.
pub struct NestedRouter<S>(pub(super) Endpoint<S>);

impl<S> fmt::Debug for NestedRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NestedRouter").finish_non_exhaustive()
    }
}

/// Puts a layer around a destination whose state is still missing.
pub(super) fn layered<S, L>(inner: &Endpoint<S>, layer: &L) -> Endpoint<S>
where
    S: 'static,
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoReply,
    <L::Service as Service<Request>>::Future: Send,
{
    Arc::new(Layered {
        inner: Arc::clone(inner),
        layer: layer.clone(),
    })
}

/// Provides the state of a destination.
pub(super) fn resolved<S, S2>(endpoint: &Endpoint<S>, state: &S) -> Endpoint<S2> {
    Arc::new(Resolved(endpoint.to_route(state)))
}

/// Handler that takes the state.
pub(super) struct FromHandler<H, T> {
    handler: H,
    arguments: PhantomData<fn() -> T>,
}

impl<H, T> FromHandler<H, T> {
    pub(super) fn new(handler: H) -> Self {
        Self {
            handler,
            arguments: PhantomData,
        }
    }
}

impl<H, T, S> IntoRoute<S> for FromHandler<H, T>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    fn to_route(&self, state: &S) -> Route {
        Route::from_handler(self.handler.clone(), state.clone())
    }
}

/// Service that needs no state.
pub(super) struct FromService<Svc>(pub(super) Svc);

impl<Svc, S> IntoRoute<S> for FromService<Svc>
where
    Svc: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    Svc::Response: IntoReply,
    Svc::Future: Send,
{
    fn to_route(&self, _: &S) -> Route {
        Route::from_service(self.0.clone())
    }
}

/// Route that has its state already.
struct Resolved(Route);

impl<S> IntoRoute<S> for Resolved {
    fn to_route(&self, _: &S) -> Route {
        self.0.clone()
    }
}

/// Layer around a destination whose state is still missing.
struct Layered<S, L> {
    inner: Endpoint<S>,
    layer: L,
}

impl<S, L> IntoRoute<S> for Layered<S, L>
where
    L: Layer<Route> + Send + Sync,
    L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoReply,
    <L::Service as Service<Request>>::Future: Send,
{
    fn to_route(&self, state: &S) -> Route {
        Route::from_service(self.layer.layer(self.inner.to_route(state)))
    }
}
