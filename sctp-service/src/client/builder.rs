//! Configuration and setup of a client.

use std::{fmt, io, sync::Arc};

use sctp_tokio::ConnectError;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    Client, ClientConfig, ClientEvent, ClientHook, Connect, connect_within,
    current::{Handle, Phase, Status},
    known_addrs,
    reconnect::{Closed, Decision, Reconnect},
    serving::Serving,
    supervisor::{Mode, PreviousSession, Sessions, Supervisor},
};
use crate::{
    AssociationHandle, ByStream, Correlation, Executor, Inbox, MakeService, Transport,
    drain_hook::DrainHook, event::EventHook, executor::Spawner, inbox::InboxMaker,
    log_limit::LogLimiter, session::CallNumbers,
};

/// Sets up a [`Client`].
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_service::client::{Client, ClientConfig, Remote};
/// use std::{net::SocketAddr, time::Duration};
///
/// let server: SocketAddr = "192.0.2.1:9877".parse()?;
/// let client = Client::builder()
///     .with_config(ClientConfig::new().with_call_timeout(Duration::from_secs(5)))
///     .connect(Remote::new(server))
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct ClientBuilder {
    config: ClientConfig,
    correlation: Correlation,
    serving: Serving,
    drain_hook: Option<DrainHook>,
    reconnect: Decision,
    hook: ClientHook,
    spawner: Spawner,
    /// Executor of the pool that the client belongs to.
    #[cfg(feature = "pool")]
    pool_hook: ClientHook,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientBuilder {
    /// Creates a builder with the default settings.
    pub fn new() -> Self {
        Self {
            config: ClientConfig::default(),
            correlation: ByStream::default().into(),
            serving: Serving::default(),
            drain_hook: None,
            reconnect: Decision::default(),
            hook: ClientHook::default(),
            spawner: Spawner::default(),
            #[cfg(feature = "pool")]
            pool_hook: ClientHook::default(),
        }
    }

    /// Sets limits and timeouts.
    pub fn with_config(mut self, config: ClientConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the correlation of replies with calls.
    ///
    /// Defaults to [`ByStream::new`]: each call uses a stream of its own.
    pub fn with_correlation(mut self, correlation: impl Into<Correlation>) -> Self {
        self.correlation = correlation.into();
        self
    }

    /// Serves requests and notices of the peer.
    ///
    /// The make-service is called for each association, and again when the peer restarts. No call
    /// is sent before the service is made. If the make-service refuses the association, that counts
    /// as a failed connection attempt. Ordering, backpressure, layers and handlers work as with
    /// [`serve`](crate::serve()), with one more allocation per request. [`ClientConfig::serving`]
    /// has the limits.
    ///
    /// By default there is no service: unsolicited messages are discarded, counted, logged, and
    /// reported as [`ClientEvent::Unsolicited`]. The last call of this method or
    /// [`with_inbox`](Self::with_inbox) takes effect.
    ///
    /// A service must not hold a clone of its own [`Client`], because the client would never be
    /// dropped. Use [`Request::association`](crate::Request::association) to reach the peer of a
    /// request.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use sctp_service::{Payload, client::{Client, Remote}};
    /// use std::net::SocketAddr;
    ///
    /// async fn answer(Payload(request): Payload) -> Payload {
    ///     Payload(request)
    /// }
    ///
    /// let server: SocketAddr = "192.0.2.1:9877".parse()?;
    /// let client = Client::builder().serving(answer).connect(Remote::new(server)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn serving<M: MakeService<K>, K>(mut self, make_service: M) -> Self {
        self.serving = Serving::by(make_service);
        self
    }

    /// Puts unsolicited messages of the peer into an inbox with this capacity, at least 1, and
    /// returns the inbox.
    ///
    /// While the inbox is full, the association is not read, as with a busy service. All clients
    /// created with a clone of this builder share the inbox.
    pub fn with_inbox(self, messages: usize) -> (Self, Inbox) {
        let (fill, inbox) = InboxMaker::new(messages);
        (self.serving(fill), inbox)
    }

    /// Sets a function that decides if and when to reconnect.
    ///
    /// The function is called when an association has closed and when an attempt has failed. Its
    /// argument has the reason, such as that of an ABORT. By default the client reconnects after
    /// the pause of [`ClientConfig::backoff`].
    ///
    /// The function runs in the client's task: it should be quick, and must not block. It is not
    /// called when the client was shut down, for a client of [one association](Self::over), or by
    /// [`connect`](Self::connect) when the first attempt fails or its service is not made.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use sctp_service::client::{Client, Reconnect, Remote};
    /// use std::net::SocketAddr;
    ///
    /// let server: SocketAddr = "192.0.2.1:9877".parse()?;
    /// let client = Client::builder()
    ///     .with_reconnect(|closed| {
    ///         let reason = closed.end.and_then(|end| end.reason());
    ///         match reason.as_deref() {
    ///             Some(b"do not want to talk to you") => Reconnect::Never,
    ///             _ => Reconnect::After(closed.pause),
    ///         }
    ///     })
    ///     .connect(Remote::new(server))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_reconnect(
        mut self,
        decide: impl Fn(&Closed<'_>) -> Reconnect + Send + Sync + 'static,
    ) -> Self {
        self.reconnect = Decision::new(decide);
        self
    }

    /// Adds a hook that is called with each event of the client's associations. See [`ClientEvent`].
    ///
    /// Several hooks are called in the order in which they were added. They run in the tasks of the
    /// client, or in the task that calls [`connect`](Self::connect) for its first attempt. They
    /// should be quick, and must not block.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use sctp_service::client::{Client, ClientEvent, Remote};
    /// use std::net::SocketAddr;
    ///
    /// let server: SocketAddr = "192.0.2.1:9877".parse()?;
    /// let client = Client::builder()
    ///     .on_event(|event| match event {
    ///         ClientEvent::Up { connect_info, .. } => println!("{connect_info} is up"),
    ///         ClientEvent::Closed { connect_info, end, lasted, counts, .. } => {
    ///             println!("{connect_info}: {end} after {lasted:?}, {} calls lost", counts.lost_calls);
    ///         }
    ///         ClientEvent::ConnectFailed { addrs, error, next, .. } => {
    ///             println!("{addrs:?}: {error}; next attempt in {next:?}");
    ///         }
    ///         _ => {}
    ///     })
    ///     .connect(Remote::new(server))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_event(mut self, hook: impl Fn(&ClientEvent<'_>) + Send + Sync + 'static) -> Self {
        self.hook = self.hook.and(ClientHook::new(hook));
        self
    }

    /// Sets a function that runs when an association begins to drain, for example to send a last
    /// message.
    ///
    /// An association drains when the client or its [association](Client::association) is shut down
    /// gracefully. The SHUTDOWN waits for the future, for up to [`ClientConfig::drain_timeout`].
    /// See [`Serve::on_drain`](crate::Serve::on_drain).
    pub fn on_drain<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(AssociationHandle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.drain_hook = Some(DrainHook::new(hook));
        self
    }

    /// Spawns all tasks of the client with an [`Executor`].
    ///
    /// Defaults to [`tokio::spawn`], or to the executor of the client's pool.
    pub fn with_executor(mut self, executor: impl Executor) -> Self {
        self.spawner = Spawner::new(executor);
        self
    }

    /// Returns the [limits and timeouts](Self::with_config).
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Reports events to a pool as well, and uses its executor unless the client has one.
    #[cfg(feature = "pool")]
    pub(super) fn of_pool(mut self, hook: ClientHook, spawner: Spawner) -> Self {
        self.pool_hook = hook;
        self.spawner = self.spawner.or(spawner);
        self
    }

    /// The user's hook, and the pool's.
    fn hook(&self) -> ClientHook {
        let hook = self.hook.clone();
        #[cfg(feature = "pool")]
        let hook = hook.and(self.pool_hook.clone());
        hook
    }

    /// Connects, and reconnects whenever the association closes. With a [service](Self::serving),
    /// returns once the service is made and the association is open.
    ///
    /// # Errors
    ///
    /// Returns the error of the first attempt. If the service was not made, this is
    /// [`ConnectError::Io`] with the [`Cause`](crate::Cause) as its inner error. When later
    /// attempts fail, calls fail with [`Cause::NotConnected`](crate::Cause::NotConnected).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the attempt.
    pub async fn connect(self, mut connect: impl Connect) -> Result<Client, ConnectError> {
        let first = connect_within(&mut connect, self.config.connect_timeout)
            .await
            .inspect_err(|error| {
                self.hook().emit(&ClientEvent::ConnectFailed {
                    addrs: known_addrs(&connect),
                    error,
                    failures: 1,
                    next: None,
                });
            })?;
        let is_served = matches!(self.serving, Serving::By(_));
        let client = self.spawn(connect, Some(first), Mode::Eager, is_served);
        if is_served && let Err(cause) = client.opened().await {
            return Err(io::Error::other(cause).into());
        }
        Ok(client)
    }

    /// Creates a client that connects in the background.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn connect_in_background(self, connect: impl Connect) -> Client {
        self.spawn(connect, None, Mode::Eager, false)
    }

    /// Creates a client that connects on the first call, and reconnects on the first call after the
    /// association has closed.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn connect_lazily(self, connect: impl Connect) -> Client {
        self.spawn(connect, None, Mode::Lazy, false)
    }

    /// Creates a client of one association. The client ends when the association closes.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn over<T: Transport>(self, transport: T) -> Client {
        let never = || std::future::pending::<Result<T, ConnectError>>();
        self.spawn(never, Some(transport), Mode::Once, false)
    }

    #[track_caller]
    fn spawn<C: Connect>(
        self,
        connect: C,
        first: Option<C::Transport>,
        mode: Mode,
        must_open: bool,
    ) -> Client {
        let max_in_flight = self
            .config
            .max_in_flight
            .clamp(1, Semaphore::MAX_PERMITS / 2);
        let span = span(&connect, first.as_ref(), mode);
        let stop = CancellationToken::new();
        let hook = self.hook();
        let sessions = Sessions {
            config: Arc::new(self.config.session()),
            correlation: self.correlation,
            serving: self.serving,
            events: EventHook::of_client(hook.clone()),
            drain_hook: self.drain_hook,
            stop: stop.clone(),
            call_numbers: CallNumbers::default(),
        };
        let first = first.map(|transport| sessions.up(transport));
        let phase = match (&first, &sessions.serving) {
            (Some((_, state)), Serving::Nothing) => Phase::Open(Arc::clone(state)),
            (None, _) if mode == Mode::Lazy => Phase::Idle,
            _ => Phase::Opening,
        };
        let mut initial = Status::new(phase);
        initial.association = first.as_ref().map(|(_, state)| Arc::clone(state));
        let (set_status, status) = watch::channel(initial);
        let handle = Handle {
            permits: Arc::new(Semaphore::new(max_in_flight)),
            max_in_flight,
            status,
            stop: stop.clone(),
            wanted: Arc::new(Notify::new()),
            wait_for_connection: self.config.wait_for_connection,
        };
        let supervisor = Supervisor {
            connect,
            mode,
            status: set_status,
            stop,
            wanted: Arc::clone(&handle.wanted),
            sessions,
            hook,
            reconnect: self.reconnect,
            previous: PreviousSession::default(),
            spawner: self.spawner.clone(),
            associations: 0,
            must_open,
            connect_failed: LogLimiter::new(),
            config: self.config,
        };
        self.spawner.spawn(supervisor.run(first).instrument(span));
        Client::new(Arc::new(handle))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("config", &self.config)
            .field("correlation", &self.correlation)
            .field("serving", &self.serving)
            .field("events", &self.hook)
            .finish_non_exhaustive()
    }
}

/// Creates the span of a client. It has no parent, because a client created for a request outlives
/// that request.
fn span<C: Connect>(connect: &C, first: Option<&C::Transport>, mode: Mode) -> Span {
    let info = first
        .filter(|_| mode == Mode::Once)
        .map(Transport::connect_info);
    let server = info
        .as_ref()
        .map_or(connect.addrs(), |info| info.peer_addrs());
    tracing::info_span!(parent: None, "client", ?server)
}
