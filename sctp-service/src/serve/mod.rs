//! Serving associations with a service.

mod accept;
mod association;
mod dial;
mod loops;

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
use dial::Dial;
use loops::Loops;
use tokio::{select, sync::Semaphore};
use tokio_util::sync::CancellationToken;

pub use association::{ServeAssociation, serve_association};

use crate::{
    AssociationHandle, Config, Correlation, Executor, Listener,
    client::Connect,
    drain_hook::DrainHook,
    event::{EventHook, ServerEvent},
    executor::Spawner,
    log_limit::LogLimiter,
    make::MakeService,
};

/// Serves the associations of a listener, each in its own task with its own service.
///
/// `make_service` is a service, a make-service or a handler: see [`MakeService`]. The returned
/// server does nothing until it is awaited.
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
/// The server accepts associations until the future of
/// [`with_graceful_shutdown`](Serve::with_graceful_shutdown) completes, and resolves when every
/// association is closed. Without such a future it never resolves, since no accept error is fatal:
/// see [`Listener::accept`].
///
/// # Cancel safety
///
/// Dropping the future starts a graceful shutdown in the background: the listeners are closed, and
/// each association is shut down in its own task.
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
        drain_timeout: None,
        correlation: None,
        events: EventHook::default(),
        drain_hook: None,
        dials: Vec::new(),
        spawner: Spawner::default(),
        signal: None,
        run: Serve::start,
        kind: PhantomData,
    }
}

/// Builder of a server, created by [`serve`].
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve<L, M, K> {
    listeners: Vec<L>,
    make: M,
    config: Config,
    /// Separate from the configuration, so that neither setter overrides the other.
    drain_timeout: Option<Duration>,
    correlation: Option<Correlation>,
    events: EventHook,
    drain_hook: Option<DrainHook>,
    dials: Vec<Dial<M>>,
    spawner: Spawner,
    signal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Starts the server. A function pointer, since an `IntoFuture` implementation with the bounds
    /// of [`serve`] would make the compiler report an unmet bound a second time, as "not a future".
    run: fn(Self) -> ServeFuture,
    kind: PhantomData<fn() -> K>,
}

impl<L, M, K> Serve<L, M, K> {
    /// Shuts the server down gracefully when the future completes.
    ///
    /// The server stops listening, answers the requests that have arrived, and shuts each
    /// association down. Associations that are still open after [`Config::drain_timeout`] are
    /// aborted with the reason `drain timed out`.
    ///
    /// Each association is read until nothing has arrived for a millisecond while no call or
    /// message of this end is in flight, but for at most half of the drain timeout. A function of
    /// [`on_drain`](Self::on_drain) extends this time. Requests that arrive later are discarded and
    /// [counted](crate::Counts::discarded_requests).
    pub fn with_graceful_shutdown<F>(mut self, signal: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.signal = Some(Box::pin(signal));
        self
    }

    /// Sets the timeout of a graceful shutdown, overriding [`Config::drain_timeout`].
    ///
    /// Defaults to the timeout of the configuration.
    pub fn with_drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = Some(timeout);
        self
    }

    /// Replaces all limits and timeouts, except a separately set [drain
    /// timeout](Self::with_drain_timeout).
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Enables calls to the peer with
    /// [`AssociationHandle::request`](crate::AssociationHandle::request).
    ///
    /// The correlation distinguishes replies from requests, and matches each reply with its call.
    /// By default there is none: every message is a request, and calls are refused.
    pub fn with_correlation(mut self, correlation: impl Into<Correlation>) -> Self {
        self.correlation = Some(correlation.into());
        self
    }

    /// Sets a function that runs on each association that begins to drain, for example to send a
    /// last message.
    ///
    /// An association drains when the server shuts down gracefully, when [the
    /// association](AssociationHandle::graceful_shutdown) does, or when it was
    /// [idle](Config::idle_timeout) for too long. The SHUTDOWN waits for the future.
    ///
    /// Requests are read and served while the future runs, and its handle can send messages and
    /// make calls. The association is aborted after [`Config::drain_timeout`], as without this
    /// function. The function is not called on an association whose handshake has not completed,
    /// that is closed by a reply or [`shutdown`](AssociationHandle::shutdown), or whose peer was
    /// [expected](AssociationHandle::expect_shutdown) to shut down. The last function that was set
    /// is used.
    ///
    /// For example, a Diameter node disconnects from its peers (RFC 6733, section 5.4):
    ///
    /// ```
    /// # use sctp_service::{Correlation, Correlator, Identity, Message, Received, Waiting, testing::ScriptedListener};
    /// # struct Diameter;
    /// # impl Correlator for Diameter {
    /// #     type Key = u8;
    /// #     fn stamp(&mut self, _: u32, _: &mut Message) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> { Ok(0) }
    /// #     fn identify(&mut self, received: &Received, _: Waiting<'_, u8>) -> Identity<u8> {
    /// #         if received.payload == "DPA" { Identity::Reply(0) } else { Identity::Request }
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # let (listener, network) = ScriptedListener::new();
    /// # let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// let server = sctp_service::serve(listener, async || "an answer")
    ///     .with_correlation(Correlation::by_key(|_| Diameter))
    ///     .on_drain(async |association| {
    ///         // Without an answer the association is shut down all the same.
    ///         let _ = association.request("DPR").await;
    ///     })
    /// #   .with_graceful_shutdown(async { drop(stopped.await) });
    /// # ;
    /// # let serving = tokio::spawn(server.into_future());
    /// # let peer = network.connect().await.unwrap();
    /// # peer.send("a request").await;
    /// # peer.expect_message("an answer").await;
    /// # stop.send(()).unwrap();
    /// # peer.expect_message("DPR").await;
    /// # peer.send("a late request").await;
    /// # peer.expect_message("an answer").await;
    /// # peer.send("DPA").await;
    /// # peer.expect_shutdown().await;
    /// # serving.await.unwrap();
    /// # }
    /// # use std::future::IntoFuture;
    /// ```
    pub fn on_drain<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(AssociationHandle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.drain_hook = Some(DrainHook::new(hook));
        self
    }

    /// Connects to a peer, and reconnects whenever the association closes, until the server shuts
    /// down.
    ///
    /// The association has the same service, limits, correlation, events and drain as accepted
    /// ones. Call this method once for each peer to connect to.
    ///
    /// Before each attempt [`Connect::wanted`] is awaited, which can wait while the peer has
    /// connected to this server: see [`PeerTable`](crate::PeerTable). [`Config::connect_timeout`]
    /// bounds an attempt, and [`Config::backoff`] sets the pauses between attempts. An association
    /// that closed before it was open, or that lasted for less than the longest pause, counts as a
    /// failed attempt. Dialled associations count towards [`Config::max_associations`].
    ///
    /// The local port is chosen by `connect`. With [`Remote`](crate::client::Remote) it is an
    /// ephemeral port unless the socket is [bound](sctp_tokio::SocketBuilder::with_local_addrs).
    /// The kernel refuses a socket that is bound to the port of a listener (`EADDRINUSE`) unless
    /// both were bound with [`with_reuse_port`](sctp_tokio::SocketBuilder::with_reuse_port).
    pub fn with_dial<C>(mut self, connect: C) -> Self
    where
        C: Connect,
        M: MakeService<K>,
        K: 'static,
    {
        self.dials.push(Dial::new(connect));
        self
    }

    /// Like [`with_dial`](Self::with_dial), with a separate service for these associations.
    ///
    /// A server that only dials has `None` as its listener:
    ///
    /// ```
    /// # use sctp_service::testing::ScriptedListener;
    /// use sctp_service::serve;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # let (mut first_server, first) = ScriptedListener::new();
    /// # let (mut second_server, second) = ScriptedListener::new();
    /// # let connections = [first.connector(), second.connector()];
    /// let mut server = serve(None::<ScriptedListener>, async || "unused");
    /// for (name, connect) in ["first", "second"].into_iter().zip(connections) {
    ///     server = server.with_dial_service(connect, async move || name);
    /// }
    /// tokio::spawn(server.into_future());
    /// # for (server, name) in [(&mut first_server, "first"), (&mut second_server, "second")] {
    /// #     let peer = server.accept_peer().await.unwrap();
    /// #     peer.send("who is it?").await;
    /// #     peer.expect_message(name).await;
    /// # }
    /// # }
    /// # use std::future::IntoFuture;
    /// ```
    pub fn with_dial_service<C, M2, K2>(mut self, connect: C, make_service: M2) -> Self
    where
        C: Connect,
        M2: MakeService<K2>,
        K2: 'static,
    {
        self.dials.push(Dial::with_service(connect, make_service));
        self
    }

    /// Adds another listener. The associations of all listeners share the service and the limits,
    /// and each listener has its own task. Several listeners bound to one port with `SO_REUSEPORT`
    /// share its load.
    pub fn with_listener(mut self, listener: L) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds a hook that is called with each event of an association.
    ///
    /// Several hooks are called in the order in which they were added. They run in the task of the
    /// association: they should be quick, and must not block.
    pub fn on_event(mut self, hook: impl Fn(&ServerEvent<'_>) + Send + Sync + 'static) -> Self {
        self.events = self.events.with(hook);
        self
    }

    /// Spawns all tasks of the server with an [`Executor`]: those of listeners, dialled peers and
    /// associations.
    ///
    /// Defaults to [`tokio::spawn`].
    pub fn with_executor(mut self, executor: impl Executor) -> Self {
        self.spawner = Spawner::new(executor);
        self
    }

    /// Returns the addresses of all listeners.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
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

impl<L, M, K> Serve<L, M, K>
where
    L: Listener,
    M: MakeService<K>,
    K: 'static,
{
    fn start(self) -> ServeFuture {
        ServeFuture(Box::pin(self.run()))
    }

    async fn run(mut self) {
        if let Some(timeout) = self.drain_timeout {
            self.config.drain_timeout = timeout;
        }
        // `acquire_many` below counts with 32 bits.
        let limit = u32::try_from(self.config.max_associations).unwrap_or(u32::MAX >> 3);
        let drain = CancellationToken::new();
        let server = Arc::new(Server {
            config: Arc::new(self.config),
            correlation: self.correlation,
            events: self.events,
            drain_hook: self.drain_hook,
            spawner: self.spawner.clone(),
            drain: drain.clone(),
            permits: Arc::new(Semaphore::new(limit as usize)),
            refusals: LogLimiter::default(),
            losses: LogLimiter::default(),
        });
        // Both guard against this future being dropped: the loops end, and the associations begin to
        // drain.
        let guard = drain.drop_guard();
        let mut loops = Loops::new(self.spawner);
        for listener in self.listeners {
            let server = Arc::clone(&server);
            let make = self.make.clone();
            loops.spawn(async move { server.accept(listener, make).await });
        }
        for dial in self.dials {
            loops.spawn(dial.run(Arc::clone(&server), self.make.clone()));
        }
        match self.signal {
            Some(signal) => select! {
                () = signal => {}
                () = loops.ended() => {}
            },
            None => loops.ended().await,
        }
        tracing::info!("shutting down");
        drop(guard);
        loops.ended().await;
        // An error means that the semaphore was closed, which it never is.
        let _ = server.permits.acquire_many(limit).await;
    }
}

impl<L, M, K> IntoFuture for Serve<L, M, K> {
    type Output = ();
    type IntoFuture = ServeFuture;

    fn into_future(self) -> ServeFuture {
        (self.run)(self)
    }
}

impl<L: fmt::Debug, M, K> fmt::Debug for Serve<L, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listeners", &self.listeners)
            .field("config", &self.config)
            .field("events", &self.events)
            .field("graceful_shutdown", &self.signal.is_some())
            .finish_non_exhaustive()
    }
}

/// Future of a running server. Resolves when every association is closed.
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
