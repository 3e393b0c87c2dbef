//! Serve associations with a service.

mod accept;
mod association;
mod executor;

use std::{
    fmt,
    future::{Future, IntoFuture},
    io,
    marker::PhantomData,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use accept::Server;
use tokio::{select, sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use association::{ServeAssociation, serve_association};
pub use executor::{Executor, TokioExecutor};

use crate::{
    Config, Correlation, Listener,
    event::{EventHook, ServerEvent},
    log_limit::LogLimiter,
    make::MakeService,
};

/// Serves the associations of a listener: each in a task of its own, with a service of its own.
///
/// `make_service` is a service, a make-service or a handler; see [`MakeService`]. What is
/// returned does nothing until it is awaited.
///
/// ```no_run
/// # use sctp_service::{Listener, Payload};
/// # async fn run(listener: impl Listener) {
/// async fn echo(Payload(payload): Payload) -> Payload {
///     Payload(payload)
/// }
///
/// sctp_service::serve(listener, echo).await;
/// # }
/// ```
///
/// It accepts until the signal of [`with_graceful_shutdown`](Serve::with_graceful_shutdown)
/// comes, and resolves when every association is closed. Without a signal it never resolves: no
/// error of accepting is final, see [`Listener::accept`].
///
/// # Cancel safety
///
/// Dropping the future is a graceful shutdown that nobody waits for: the listeners are closed,
/// and the associations are shut down in order, each in its own task.
pub fn serve<L, M, K>(listener: L, make_service: M) -> Serve<L, M, K>
where
    L: Listener,
    M: MakeService<K>,
    K: 'static,
{
    Serve {
        listeners: vec![listener],
        make: make_service,
        config: Config::default(),
        correlation: None,
        events: EventHook::default(),
        executor: TokioExecutor,
        signal: None,
        run: Serve::start,
        kind: PhantomData,
    }
}

/// A server that is being set up; made by [`serve`].
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve<L, M, K, E = TokioExecutor> {
    listeners: Vec<L>,
    make: M,
    config: Config,
    correlation: Option<Correlation>,
    events: EventHook,
    executor: E,
    signal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Starts it. Here, and not in `IntoFuture`, which would need the bounds of [`serve`]:
    /// one that is not met would be reported once more, as "not a future".
    run: fn(Self) -> ServeFuture,
    kind: PhantomData<fn() -> K>,
}

impl<L, M, K, E> Serve<L, M, K, E> {
    /// Shuts the server down when the future resolves: it stops listening, answers the requests that
    /// have arrived, and shuts each association down in order. What is left after
    /// [`Config::drain_timeout`] is aborted, with the reason `server shutting down`.
    ///
    /// Each association is read until nothing has arrived for a millisecond, but no longer than half
    /// of the drain timeout. Requests that arrive later are discarded and
    /// [counted](crate::Counts::discarded_requests).
    pub fn with_graceful_shutdown<F>(mut self, signal: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.signal = Some(Box::pin(signal));
        self
    }

    /// Sets [`Config::drain_timeout`]: how long a graceful shutdown may take. Default 20 s.
    pub fn with_drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = timeout;
        self
    }

    /// Replaces all limits and times, the drain timeout among them.
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Enables calls to the peer, by [`AssociationHandle::request`](crate::AssociationHandle::request).
    ///
    /// The correlation tells replies from requests, and finds the call of each reply. By default there
    /// is none: every message is a request, and calls are refused.
    pub fn with_correlation(mut self, correlation: impl Into<Correlation>) -> Self {
        self.correlation = Some(correlation.into());
        self
    }

    /// Accepts from one more listener: the associations of all share the service and the limits,
    /// and each listener has a task of its own. Several that are bound to one port with
    /// `SO_REUSEPORT` share its load.
    pub fn with_listener(mut self, listener: L) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Has a hook hear of what happens to associations; the last one set holds. It runs in the
    /// task of the association: it should be quick, and must not block.
    pub fn on_event(mut self, hook: impl Fn(&ServerEvent<'_>) + Send + Sync + 'static) -> Self {
        self.events = EventHook::new(hook);
        self
    }

    /// Spawns the tasks of associations with something else than [`tokio::spawn`].
    pub fn with_executor<E2: Executor>(self, executor: E2) -> Serve<L, M, K, E2>
    where
        L: Listener,
        M: MakeService<K>,
        K: 'static,
    {
        let Self {
            listeners,
            make,
            config,
            correlation,
            events,
            signal,
            kind,
            ..
        } = self;
        Serve {
            listeners,
            make,
            config,
            correlation,
            events,
            executor,
            signal,
            run: Serve::start,
            kind,
        }
    }

    /// Returns the addresses of all listeners.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>>
    where
        L: Listener,
    {
        let mut addrs = Vec::new();
        for listener in &self.listeners {
            addrs.extend(listener.local_addrs()?);
        }
        Ok(addrs)
    }
}

impl<L, M, K, E> Serve<L, M, K, E>
where
    L: Listener,
    M: MakeService<K>,
    K: 'static,
    E: Executor,
{
    fn start(self) -> ServeFuture {
        ServeFuture(Box::pin(self.run()))
    }

    async fn run(self) {
        // `acquire_many` below counts with 32 bits.
        let limit = u32::try_from(self.config.max_associations).unwrap_or(u32::MAX >> 3);
        let drain = CancellationToken::new();
        let server = Arc::new(Server {
            config: Arc::new(self.config),
            correlation: self.correlation,
            events: self.events,
            executor: self.executor,
            drain: drain.clone(),
            permits: Arc::new(Semaphore::new(limit as usize)),
            refusals: LogLimiter::default(),
            losses: LogLimiter::default(),
        });
        // Both guard against this future being dropped: a `JoinSet` aborts its tasks, and the
        // associations hear that the server shuts down.
        let guard = drain.drop_guard();
        let mut loops = JoinSet::new();
        for listener in self.listeners {
            let server = Arc::clone(&server);
            let make = self.make.clone();
            loops.spawn(async move { server.accept(listener, make).await });
        }
        match self.signal {
            Some(signal) => select! {
                () = signal => {}
                () = all(&mut loops) => {}
            },
            None => all(&mut loops).await,
        }
        tracing::info!("shutting down");
        drop(guard);
        all(&mut loops).await;
        // An error means that the semaphore was closed, which nobody does.
        let _ = server.permits.acquire_many(limit).await;
    }
}

/// Waits for all accept loops to end.
async fn all(loops: &mut JoinSet<()>) {
    while let Some(ended) = loops.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "an accept loop failed");
        }
    }
}

impl<L, M, K, E> IntoFuture for Serve<L, M, K, E> {
    type Output = ();
    type IntoFuture = ServeFuture;

    fn into_future(self) -> ServeFuture {
        (self.run)(self)
    }
}

impl<L: fmt::Debug, M, K, E> fmt::Debug for Serve<L, M, K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listeners", &self.listeners)
            .field("config", &self.config)
            .field("events", &self.events)
            .field("graceful_shutdown", &self.signal.is_some())
            .finish_non_exhaustive()
    }
}

/// A running server; resolves when every association is closed.
#[must_use = "futures do nothing unless polled"]
pub struct ServeFuture(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Future for ServeFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for ServeFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeFuture").finish_non_exhaustive()
    }
}
