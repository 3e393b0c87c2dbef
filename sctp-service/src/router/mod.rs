//! Choose a handler by payload protocol identifier, by stream, or by anything else.

mod endpoint;
mod matching;
mod route;
mod table;

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use endpoint::{FromHandler, FromService, IntoRoute, Layered, Resolved};
pub use matching::Match;
pub use route::Route;
use table::Table;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    IntoReply, Request, Shutdown,
    handler::{Handler, ReplyFuture},
};

/// Chooses a handler for each request: by predicate, by payload protocol identifier, by stream.
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
/// association with a reason that says which PPID was not known: a peer that speaks another
/// protocol is better told than ignored.
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
    table: Table<Arc<dyn IntoRoute<S>>>,
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

    /// Hands all requests that match to another router: `nest(Ppid::NGAP, by_stream)`. What that
    /// one does not know goes to its own fallback.
    ///
    /// # Panics
    ///
    /// When there is a route for the same PPID or stream already.
    #[track_caller]
    #[must_use]
    pub fn nest(self, matching: impl Into<Match>, router: Self) -> Self {
        self.add(matching.into(), Arc::new(router))
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
    /// Default: abort with the reason `no handler for PPID 4711 on stream 3`.
    #[must_use]
    pub fn fallback<H, T>(self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let mut table = self.into_table();
        table.fallback = Some(Arc::new(FromHandler::new(handler)));
        Self::from_table(table)
    }

    /// Puts a layer around every route that is there now, and around the fallback if one was
    /// set. Each route has a service of the layer's of its own; all associations share it.
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
        let resolve = |endpoint: &Arc<dyn IntoRoute<S>>| -> Arc<dyn IntoRoute<S2>> {
            Arc::new(Resolved(endpoint.to_route(&state)))
        };
        Router::from_table(self.inner.table.map(resolve, resolve))
    }

    fn wrap<L>(self, layer: L, fallback_too: bool) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoReply,
        <L::Service as Service<Request>>::Future: Send,
    {
        let wrap = |inner: &Arc<dyn IntoRoute<S>>| -> Arc<dyn IntoRoute<S>> {
            Arc::new(Layered {
                inner: Arc::clone(inner),
                layer: layer.clone(),
            })
        };
        let fallback = |inner: &Arc<dyn IntoRoute<S>>| {
            if fallback_too {
                wrap(inner)
            } else {
                Arc::clone(inner)
            }
        };
        Self::from_table(self.inner.table.map(wrap, fallback))
    }

    #[track_caller]
    fn add(self, matching: Match, endpoint: Arc<dyn IntoRoute<S>>) -> Self {
        let mut table = self.into_table();
        table.add(matching, endpoint);
        Self::from_table(table)
    }

    /// To change it. Not by a closure: that would hide from a panic who called.
    fn into_table(self) -> Table<Arc<dyn IntoRoute<S>>> {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => inner.table,
            Err(shared) => shared.table.clone(),
        }
    }

    /// Applies the state and the layers.
    fn resolve(&self, state: &S) -> Table<Route> {
        self.inner
            .table
            .map(|route| route.to_route(state), |route| route.to_route(state))
    }
}

impl<S> Router<S> {
    fn from_table(table: Table<Arc<dyn IntoRoute<S>>>) -> Self {
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
        Route::from_table(self.resolve(state))
    }
}

impl Service<Request> for Router<()> {
    type Response = crate::Reply;
    type Error = Infallible;
    type Future = ReplyFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> ReplyFuture {
        ReplyFuture(
            self.inner
                .resolved
                .get_or_init(|| self.resolve(&()))
                .call(request),
        )
    }
}

/// What the default fallback answers.
fn unknown(request: &Request) -> Shutdown {
    let (ppid, stream) = (request.ppid(), request.stream());
    Shutdown::abort(format!("no handler for PPID {ppid} on stream {stream}"))
}

impl<S: Clone + Send + Sync + 'static> Default for Router<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&self.inner.table).finish()
    }
}
