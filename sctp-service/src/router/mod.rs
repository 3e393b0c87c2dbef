//! Choose a handler by payload protocol identifier, by stream, by a key in the payload, or by
//! anything else.

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

/// Chooses a handler for each request: by predicate, by payload protocol identifier, by stream. A
/// [`KeyRouter`] chooses by what the payload says.
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
/// then the [fallback](Self::fallback). Without one, a request that nothing matches aborts its
/// association with a reason that says what was not known: a peer that speaks another protocol is
/// better told than ignored.
///
/// # Backpressure
///
/// A router is always ready, since which route a request takes is not known before it is there.
/// A route's own limits (a `concurrency_limit` in [`layer`](Self::layer), say) are waited for in
/// the call, which counts as in flight. A limit that is to slow the peer down belongs *around*
/// the router, with a `ServiceBuilder`.
///
/// `S` is the state that is still missing; [`with_state`](Self::with_state) provides it, and only
/// a `Router<()>` is a service.
pub struct Router<S = ()> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    table: Table<Endpoint<S>>,
    /// What the table becomes when the first request comes, shared by all clones: a layer around
    /// a route is applied once, and its limit is one for all associations.
    resolved: OnceLock<Table<Route>>,
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// Begins with no routes.
    #[must_use]
    pub fn new() -> Self {
        Self::from_table(Table::default())
    }

    /// Adds a handler for a [`Ppid`](crate::Ppid), a [`StreamId`](crate::StreamId) or a
    /// [`Match`].
    ///
    /// # Panics
    ///
    /// When there is a route for the same PPID or stream already.
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
    /// When there is a route for the same PPID or stream already.
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

    /// Hands all requests that match to another router, or to a [`KeyRouter`]:
    /// `nest(Ppid::NGAP, by_stream)`. What that one does not know goes to its own fallback.
    ///
    /// # Panics
    ///
    /// When there is a route for the same PPID or stream already.
    #[track_caller]
    #[must_use]
    pub fn nest(self, matching: impl Into<Match>, router: impl Into<NestedRouter<S>>) -> Self {
        self.add(matching.into(), router.into().0)
    }

    /// Adds all routes of another router; its predicates come behind those that are there.
    ///
    /// # Panics
    ///
    /// When both have a route for the same PPID or stream, or both have a fallback.
    #[track_caller]
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let mut table = self.into_table();
        table.merge(&other.inner.table);
        Self::from_table(table)
    }

    /// Sets the handler for what nothing else matches; the last one set holds.
    ///
    /// Default: abort with the reason `no handler for PPID 4711 on stream 3`; of a router that tells
    /// only streams apart, `no handler for stream 3 (PPID 60)`, since the PPID may well be known to
    /// the router around it; and of one that has only predicates, `no handler for this message (PPID
    /// 60, stream 3)`.
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

    /// Puts a layer around every route that is there now, and around the fallback, the default
    /// one too: the layer sees requests that no route matches. Each route has a service of the
    /// layer's of its own; all associations share it.
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

    /// As [`layer`](Self::layer), but not around the fallback: for what only known requests are
    /// to pass, such as counting or authorisation.
    #[must_use]
    pub fn route_layer<L>(self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoReply,
        <L::Service as Service<Request>>::Future: Send,
    {
        self.wrap(layer, false)
    }

    /// Provides the state. The router that comes of it needs another one, or none at all.
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

    /// To change it. Not by a closure: that would hide from a panic who called.
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
