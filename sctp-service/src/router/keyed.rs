//! Router by a key in the payload.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    hash::Hash,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{
    Endpoint, FromHandler, FromService, IntoRoute, NestedRouter, Route, fallback::Fallback,
    key_table::KeyTable, layered, resolved,
};
use crate::{
    IntoReply, Reply, Request,
    handler::{Handler, ReplyFuture},
};

/// Chooses a handler for each request by a key of the protocol, such as a command code, a procedure
/// code or the first byte.
///
/// A function extracts the key of the request, and a single map lookup finds the route. The router
/// is a service, and is usually [nested](crate::Router::nest) under the PPID of its protocol:
///
/// ```
/// use sctp_service::{KeyRouter, Payload, Ppid, Request, Router, State};
///
/// /// The command code of a Diameter header (RFC 6733, section 3), and whether it is a request.
/// fn command(request: &Request) -> Option<(u32, bool)> {
///     let header = request.payload().get(..20)?;
///     let code = u32::from_be_bytes([0, header[5], header[6], header[7]]);
///     Some((code, header[4] & 0x80 != 0))
/// }
///
/// async fn watchdog(State(host): State<&'static str>) -> String {
///     format!("{host} is alive")
/// }
/// async fn authentication(Payload(request): Payload) -> Payload {
///     Payload(request)
/// }
/// async fn unsupported() -> &'static str {
///     "DIAMETER_COMMAND_UNSUPPORTED"
/// }
///
/// let diameter = KeyRouter::new(command)
///     .route((280, true), watchdog)
///     .route((318, true), authentication)
///     .fallback(unsupported);
/// // Many nodes send Diameter without its PPID.
/// let router: Router = Router::new()
///     .nest(Ppid::UNSPECIFIED, diameter.clone())
///     .nest(Ppid::DIAMETER, diameter)
///     .with_state("hss-1");
/// # let _ = router;
/// ```
///
/// Requests without a key, or whose key has no route, go to the [fallback](Self::fallback). State,
/// layers and backpressure work as with a [`Router`](crate::Router). The function is called for
/// every request, before the extractors of the handler, and should be cheap.
pub struct KeyRouter<K, S = ()> {
    inner: Arc<Inner<K, S>>,
}

struct Inner<K, S> {
    table: KeyTable<K, Endpoint<S>>,
    /// The table with its state and layers, made at the first request and shared by all clones.
    resolved: OnceLock<KeyTable<K, Route>>,
}

impl<K, S> KeyRouter<K, S>
where
    K: Hash + Eq + Clone + fmt::Debug + Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
{
    /// Creates a router without routes, with a function that extracts the key of a request.
    ///
    /// The function returns `None` for a request without a key, such as one that is too short.
    #[must_use]
    pub fn new(key: impl Fn(&Request) -> Option<K> + Send + Sync + 'static) -> Self {
        Self::from_table(KeyTable {
            key: Arc::new(key),
            routes: HashMap::new(),
            fallback: Fallback::default(),
        })
    }

    /// Adds a handler for a key.
    ///
    /// # Panics
    ///
    /// Panics if there is a route for the key already.
    #[track_caller]
    #[must_use]
    pub fn route<H, T>(self, key: K, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.add(key, Arc::new(FromHandler::new(handler)))
    }

    /// Adds a service for a key.
    ///
    /// # Panics
    ///
    /// Panics if there is a route for the key already.
    #[track_caller]
    #[must_use]
    pub fn route_service<Svc>(self, key: K, service: Svc) -> Self
    where
        Svc: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        Svc::Response: IntoReply,
        Svc::Future: Send,
    {
        self.add(key, Arc::new(FromService(service)))
    }

    /// Passes all requests with a key to another router, of either kind.
    ///
    /// # Panics
    ///
    /// Panics if there is a route for the key already.
    #[track_caller]
    #[must_use]
    pub fn nest(self, key: K, router: impl Into<NestedRouter<S>>) -> Self {
        self.add(key, router.into().0)
    }

    /// Sets the handler for requests without a key, or whose key has no route. Replaces an earlier
    /// one.
    ///
    /// By default these requests abort the association with the reason
    /// `no handler for key 316 (PPID 46, stream 3)`, with the `Debug` output of the key, or
    /// `no key in this message (PPID 46, stream 3)`.
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

    /// Puts a layer around every route that was added before, and around the fallback, as
    /// [`Router::layer`](crate::Router::layer) does.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoReply,
        <L::Service as Service<Request>>::Future: Send,
    {
        let wrap = |inner: &Endpoint<S>| layered(inner, &layer);
        let fallback = |inner: &Fallback<Endpoint<S>>| inner.layered(&layer);
        Self::from_table(self.inner.table.map(wrap, fallback))
    }

    /// Puts a layer around every route that was added before, and not around the fallback, as
    /// [`Router::route_layer`](crate::Router::route_layer) does.
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
        let wrap = |inner: &Endpoint<S>| layered(inner, &layer);
        Self::from_table(self.inner.table.map(wrap, Fallback::clone))
    }

    /// Adds all routes of another router.
    ///
    /// This router's function extracts the keys; that of the other router is dropped.
    ///
    /// # Panics
    ///
    /// Panics if both have a route for the same key, or if both have a fallback.
    #[track_caller]
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let mut table = self.into_table();
        table.merge(&other.inner.table);
        Self::from_table(table)
    }

    /// Returns `true` if there is a route. A fallback does not count.
    #[must_use]
    pub fn has_routes(&self) -> bool {
        !self.inner.table.routes.is_empty()
    }

    /// Provides the state. The resulting router has another state type, or none.
    #[must_use]
    pub fn with_state<S2>(self, state: S) -> KeyRouter<K, S2> {
        let resolve = |endpoint: &Endpoint<S>| resolved(endpoint, &state);
        KeyRouter {
            inner: Arc::new(Inner {
                table: self.inner.table.map(resolve, |inner| inner.map(resolve)),
                resolved: OnceLock::new(),
            }),
        }
    }

    #[track_caller]
    fn add(self, key: K, endpoint: Endpoint<S>) -> Self {
        let mut table = self.into_table();
        table.add(key, endpoint);
        Self::from_table(table)
    }

    /// Returns the table, for modification. A closure would hide the caller's location from panics.
    fn into_table(self) -> KeyTable<K, Endpoint<S>> {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => inner.table,
            Err(shared) => shared.table.map(Arc::clone, Fallback::clone),
        }
    }

    fn from_table(table: KeyTable<K, Endpoint<S>>) -> Self {
        Self {
            inner: Arc::new(Inner {
                table,
                resolved: OnceLock::new(),
            }),
        }
    }

    fn resolve(&self, state: &S) -> KeyTable<K, Route> {
        let resolve = |endpoint: &Endpoint<S>| endpoint.to_route(state);
        self.inner.table.map(resolve, |inner| inner.map(resolve))
    }
}

impl<K, S> From<KeyRouter<K, S>> for NestedRouter<S>
where
    K: Hash + Eq + Clone + fmt::Debug + Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
{
    fn from(router: KeyRouter<K, S>) -> Self {
        Self(Arc::new(router))
    }
}

impl<K, S> IntoRoute<S> for KeyRouter<K, S>
where
    K: Hash + Eq + Clone + fmt::Debug + Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
{
    fn to_route(&self, state: &S) -> Route {
        let table = self.resolve(state);
        Route::from_fn(move |request| table.call(request))
    }
}

impl<K> Service<Request> for KeyRouter<K>
where
    K: Hash + Eq + Clone + fmt::Debug + Send + Sync + 'static,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = ReplyFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> ReplyFuture {
        let table = self.inner.resolved.get_or_init(|| self.resolve(&()));
        ReplyFuture::new(table.call(request))
    }
}

impl<K, S> Clone for KeyRouter<K, S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<K: fmt::Debug, S> fmt::Debug for KeyRouter<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRouter")
            .field("keys", &self.inner.table.routes.keys())
            .field("fallback", &self.inner.table.fallback.is_set())
            .finish()
    }
}
