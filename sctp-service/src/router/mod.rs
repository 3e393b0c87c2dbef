//! Routers, which choose a handler for each request.

mod endpoint;
mod fallback;
mod key_table;
mod keyed;
mod matching;
mod route;
mod service;
mod table;

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};

pub use endpoint::NestedRouter;
use endpoint::{Endpoint, FromHandler, FromService, IntoRoute, layered, resolved};
use fallback::Fallback;
pub use keyed::KeyRouter;
pub use matching::Match;
pub use route::Route;
use table::Table;
use tower_layer::Layer;
use tower_service::Service;

use crate::{IntoReply, Request, handler::Handler};

/// Chooses a handler for each request by predicate, payload protocol identifier or stream.
///
/// A [`KeyRouter`] chooses by a key in the payload.
///
/// ```
/// use sctp_service::{Match, Payload, Ppid, Router, State, StreamId};
///
/// async fn ngap(State(name): State<&'static str>, Payload(payload): Payload) -> String {
///     format!("{name}: {} bytes of NGAP", payload.len())
/// }
/// async fn control() -> &'static str {
///     "on stream 0"
/// }
/// async fn ping() -> &'static str {
///     "pong"
/// }
///
/// let router: Router = Router::new()
///     .route(Ppid::NGAP, ngap)
///     .route(StreamId::new(0), control)
///     .route(Match::when(|request| &request.payload()[..] == b"ping"), ping)
///     .with_state("amf-1");
/// ```
///
/// # Precedence
///
/// Predicates come first, in the order in which they were added; then the PPID, then the stream,
/// then the [fallback](Self::fallback). Without a fallback, a request that no route matches aborts
/// its association with a reason that names the unmatched PPID or stream.
///
/// # Backpressure
///
/// A router is always ready: the route of a request is not known before the request has arrived.
/// Waiting for a limit of a route, such as a `concurrency_limit` in [`layer`](Self::layer), is part
/// of the call, which is in flight meanwhile. To slow the peer down, put the limit *around* the
/// router with a `ServiceBuilder`.
///
/// `S` is the state that is still missing. [`with_state`](Self::with_state) provides it, and only
/// a `Router<()>` is a service.
pub struct Router<S = ()> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    table: Table<Endpoint<S>>,
    /// The table with its state and layers, made at the first request and shared by all clones: a
    /// layer around a route is applied once, and its limit holds for all associations together.
    resolved: OnceLock<Table<Route>>,
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// Creates a router without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::from_table(Table::default())
    }

    /// Adds a handler for a [`Ppid`](crate::Ppid), a [`StreamId`](crate::StreamId) or a
    /// [`Match`].
    ///
    /// # Panics
    ///
    /// Panics if there is a route for the same PPID or stream already.
    #[track_caller]
    #[must_use]
    pub fn route<H, T>(self, matching: impl Into<Match>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.add(matching.into(), Arc::new(FromHandler::new(handler)))
    }

    /// Adds a service for a PPID, a stream or a [`Match`].
    ///
    /// # Panics
    ///
    /// Panics if there is a route for the same PPID or stream already.
    #[track_caller]
    #[must_use]
    pub fn route_service<Svc>(self, matching: impl Into<Match>, service: Svc) -> Self
    where
        Svc: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        Svc::Response: IntoReply,
        Svc::Future: Send,
    {
        self.add(matching.into(), Arc::new(FromService(service)))
    }

    /// Passes all requests that match to another router, or to a [`KeyRouter`]:
    /// `nest(Ppid::NGAP, by_stream)`. Requests that the inner router does not know go to its own
    /// fallback.
    ///
    /// # Panics
    ///
    /// Panics if there is a route for the same PPID or stream already.
    #[track_caller]
    #[must_use]
    pub fn nest(self, matching: impl Into<Match>, router: impl Into<NestedRouter<S>>) -> Self {
        self.add(matching.into(), router.into().0)
    }

    /// Adds all routes of another router. Its predicates come after those of this one.
    ///
    /// # Panics
    ///
    /// Panics if both have a route for the same PPID or stream, or if both have a fallback.
    #[track_caller]
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let mut table = self.into_table();
        table.merge(&other.inner.table);
        Self::from_table(table)
    }

    /// Sets the handler for requests that no route matches. Replaces an earlier one.
    ///
    /// By default these requests abort the association with the reason
    /// `no handler for PPID 4711 on stream 3`. For a router with only streams the reason is
    /// `no handler for stream 3 (PPID 60)`, since an outer router may know the PPID. For one with
    /// only predicates it is `no handler for this message (PPID 60, stream 3)`.
    #[must_use]
    pub fn fallback<H, T>(self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let mut table = self.into_table();
        table.fallback = Fallback::Set(Arc::new(FromHandler::new(handler)));
        Self::from_table(table)
    }

    /// Sets the service for requests that no route matches. Replaces an earlier fallback.
    #[must_use]
    pub fn fallback_service<Svc>(self, service: Svc) -> Self
    where
        Svc: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        Svc::Response: IntoReply,
        Svc::Future: Send,
    {
        let mut table = self.into_table();
        table.fallback = Fallback::Set(Arc::new(FromService(service)));
        Self::from_table(table)
    }

    /// Restores the default fallback, without the layers around it.
    ///
    /// Useful before [`merge`](Self::merge) if both routers have a fallback.
    #[must_use]
    pub fn reset_fallback(self) -> Self {
        let mut table = self.into_table();
        table.fallback = Fallback::default();
        Self::from_table(table)
    }

    /// Puts a layer around all routes added so far, and around the fallback.
    ///
    /// The default fallback is included, so that the layer sees requests that no route matches. Each
    /// route has its own service of the layer, which all associations share.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoReply,
        <L::Service as Service<Request>>::Future: Send,
    {
        self.wrap(layer, true)
    }

    /// Puts a layer around all routes added so far, but not around the fallback.
    ///
    /// For middleware that only known requests should pass, such as authorisation.
    ///
    /// # Panics
    ///
    /// Panics if there is no route: the layer would have no effect.
    #[track_caller]
    #[must_use]
    pub fn route_layer<L>(self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoReply,
        <L::Service as Service<Request>>::Future: Send,
    {
        assert!(
            self.has_routes(),
            "a route layer has no effect before there is a route"
        );
        self.wrap(layer, false)
    }

    /// Provides the state. The resulting router has another state type, or none.
    #[must_use]
    pub fn with_state<S2>(self, state: S) -> Router<S2> {
        let resolve = |endpoint: &Endpoint<S>| resolved(endpoint, &state);
        Router::from_table(self.inner.table.map(resolve, |inner| inner.map(resolve)))
    }

    fn wrap<L>(self, layer: L, fallback_too: bool) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoReply,
        <L::Service as Service<Request>>::Future: Send,
    {
        let wrap = |inner: &Endpoint<S>| layered(inner, &layer);
        let fallback = |inner: &Fallback<Endpoint<S>>| match fallback_too {
            true => inner.layered(&layer),
            false => inner.clone(),
        };
        Self::from_table(self.inner.table.map(wrap, fallback))
    }

    #[track_caller]
    fn add(self, matching: Match, endpoint: Endpoint<S>) -> Self {
        let mut table = self.into_table();
        table.add(matching, endpoint);
        Self::from_table(table)
    }

    /// Returns the table, for modification. A closure would hide the caller's location from panics.
    fn into_table(self) -> Table<Endpoint<S>> {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => inner.table,
            Err(shared) => shared.table.clone(),
        }
    }

    /// Applies the state and the layers.
    fn resolve(&self, state: &S) -> Table<Route> {
        let resolve = |endpoint: &Endpoint<S>| endpoint.to_route(state);
        self.inner.table.map(resolve, |inner| inner.map(resolve))
    }
}

impl<S> Router<S> {
    /// Returns `true` if there is a route. A fallback does not count.
    #[must_use]
    pub fn has_routes(&self) -> bool {
        self.inner.table.has_routes()
    }

    fn from_table(table: Table<Endpoint<S>>) -> Self {
        Self {
            inner: Arc::new(Inner {
                table,
                resolved: OnceLock::new(),
            }),
        }
    }
}

impl<S: Clone + Send + Sync + 'static> IntoRoute<S> for Router<S> {
    fn to_route(&self, state: &S) -> Route {
        let table = self.resolve(state);
        Route::from_fn(move |request| table.call(request))
    }
}

impl<S: Clone + Send + Sync + 'static> From<Router<S>> for NestedRouter<S> {
    fn from(router: Router<S>) -> Self {
        Self(Arc::new(router))
    }
}
