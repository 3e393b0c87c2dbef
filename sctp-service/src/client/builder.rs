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
    supervisor::{Leaving, Mode, Sessions, Supervisor},
};
use crate::{
    AssociationHandle, ByStream, Correlation, Executor, Inbox, MakeService, Transport,
    event::EventHook, executor::Spawner, goodbye::Goodbye, inbox::InboxMaker,
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
    goodbye: Option<Goodbye>,
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
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self {
            config: ClientConfig::default(),
            correlation: ByStream::default().into(),
            serving: Serving::default(),
            goodbye: None,
            reconnect: Decision::default(),
            hook: ClientHook::default(),
            spawner: Spawner::default(),
            #[cfg(feature = "pool")]
            pool_hook: ClientHook::default(),
        }
    }

    /// Sets limits and times.
    pub fn with_config(mut self, config: ClientConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the way in which replies find their calls.
    ///
    /// Defaults to [`ByStream::new`]: each call has a stream to itself.
    pub fn with_correlation(mut self, correlation: impl Into<Correlation>) -> Self {
        self.correlation = correlation.into();
        self
    }

    /// Serves what the peer sends unasked: requests, and notices.
    ///
    /// The make-service is called for each association, and again when the peer restarts. No call
    /// goes out before it has made the service; a refusal is a failed attempt to connect. Order,
    /// backpressure, layers and handlers are as with [`serve`](crate::serve()), and each request costs
    /// an allocation more. [`ClientConfig::serving`] has the limits.
    ///
    /// By default there is no service: what the peer sends unasked is discarded, counted, logged, and
    /// reported as [`ClientEvent::Unsolicited`]. The last call of this method or
    /// [`with_inbox`](Self::with_inbox) holds.
    ///
    /// A service must not hold a [`Client`] of its own, which would never end. The association of a
    /// request is [`Request::association`](crate::Request::association).
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

    /// Puts what the peer sends unasked into an inbox for so many messages, at least 1, from which it
    /// is taken by hand.
    ///
    /// While the inbox is full, reading stops, as for a busy service. All clients that are made with a
    /// clone of this builder share the inbox.
    pub fn with_inbox(self, messages: usize) -> (Self, Inbox) {
        let (fill, inbox) = InboxMaker::new(messages);
        (self.serving(fill), inbox)
    }

    /// Decides, after each end of an association and each failed attempt, when to connect again, or
    /// whether to: the server may have said why it ended the association. By default the client
    /// connects again after the pause of [`ClientConfig::backoff`].
    ///
    /// The function runs in the client's task: it should be quick, and must not block. It is not
    /// asked when the client was shut down, by a client of [one association](Self::over), nor by
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
    /// client, and that of a first attempt that fails in [`connect`](Self::connect): they should be
    /// quick, and must not block.
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

    /// Says goodbye on an association that begins to drain: the client shuts down, or its
    /// [association](Client::association) is to. SHUTDOWN waits for the future, for
    /// [`ClientConfig::drain_timeout`] at most. See [`Serve::on_drain`](crate::Serve::on_drain).
    pub fn on_drain<F, Fut>(mut self, goodbye: F) -> Self
    where
        F: Fn(AssociationHandle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.goodbye = Some(Goodbye::new(goodbye));
        self
    }

    /// Spawns all tasks of the client with an [`Executor`].
    ///
    /// Defaults to [`tokio::spawn`], or the executor of the client's pool.
    pub fn with_executor(mut self, executor: impl Executor) -> Self {
        self.spawner = Spawner::new(executor);
        self
    }

    /// Returns the [limits and times](Self::with_config).
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Reports to a pool as well, and spawns with its executor unless it has one of its own.
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

    /// Connects, and sets up another association whenever one has ended. With a
    /// [service](Self::serving), it returns when the service is made and the association is open.
    ///
    /// # Errors
    ///
    /// The error of the first attempt; with a service that was not made, [`ConnectError::Io`] with the
    /// [`Cause`](crate::Cause) in it. Later attempts that fail have calls fail, with
    /// [`Cause::NotConnected`](crate::Cause::NotConnected).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the call ends the attempt.
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

    /// Makes a client that begins to connect at once, without waiting for it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn connect_in_background(self, connect: impl Connect) -> Client {
        self.spawn(connect, None, Mode::Eager, false)
    }

    /// Makes a client that connects when there is a call, and again when there is one after the
    /// association has ended.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn connect_lazily(self, connect: impl Connect) -> Client {
        self.spawn(connect, None, Mode::Lazy, false)
    }

    /// Makes a client of one association, which ends with it.
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
            goodbye: self.goodbye,
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
            leaving: Leaving::default(),
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

/// Makes the span that all of a client's life is in. It has no parent: a client that is made for a
/// request outlives it.
fn span<C: Connect>(connect: &C, first: Option<&C::Transport>, mode: Mode) -> Span {
    let info = first
        .filter(|_| mode == Mode::Once)
        .map(Transport::connect_info);
    let server = info
        .as_ref()
        .map_or(connect.addrs(), |info| info.peer_addrs());
    tracing::info_span!(parent: None, "client", ?server)
}
