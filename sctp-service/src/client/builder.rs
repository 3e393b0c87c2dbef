//! Configuration and setup of a client.

use std::{
    fmt,
    sync::{Arc, Mutex, atomic::AtomicU64},
};

use sctp_tokio::{ConnectError, Received};
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

#[cfg(feature = "pool")]
use super::push::MakeSink;
use super::{
    Client, ClientConfig, ClientEvent, Connect,
    abandoned::Abandoned,
    driver::{Driver, Mode},
    event::ClientHook,
    handle::{Handle, Phase, Status},
    push::{PushQueue, Sink},
};
use crate::{ByStream, Correlation, Transport};

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
    hook: ClientHook,
    /// That of the pool that the client belongs to.
    #[cfg(feature = "pool")]
    pool_hook: ClientHook,
    /// The destination of pushes, as that pool has it.
    #[cfg(feature = "pool")]
    sink: Option<MakeSink>,
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
            hook: ClientHook::default(),
            #[cfg(feature = "pool")]
            pool_hook: ClientHook::default(),
            #[cfg(feature = "pool")]
            sink: None,
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

    /// Has a hook hear of what happens to the client's associations; the last one set holds. It runs
    /// in the client's task: it should be quick, and must not block. See [`ClientEvent`].
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
        self.hook = ClientHook::new(hook);
        self
    }

    /// Has a pool hear of everything too, and get the pushes.
    #[cfg(feature = "pool")]
    pub(super) fn of_pool(mut self, hook: ClientHook, sink: MakeSink) -> Self {
        self.pool_hook = hook;
        self.sink = Some(sink);
        self
    }

    /// The user's hook, and the pool's.
    fn hook(&self) -> ClientHook {
        let hook = self.hook.clone();
        #[cfg(feature = "pool")]
        let hook = hook.and(self.pool_hook.clone());
        hook
    }

    /// Connects, and sets up another association whenever one has ended.
    ///
    /// # Errors
    ///
    /// That of the first attempt. Later ones fail calls, with
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
        let first = timeout(self.config.connect_timeout, connect.connect())
            .await
            .unwrap_or(Err(ConnectError::TimedOut { peer: Vec::new() }))
            .inspect_err(|error| {
                self.hook().emit(&ClientEvent::ConnectFailed {
                    addrs: connect.addrs(),
                    error,
                    failures: 1,
                    next: None,
                });
            })?;
        Ok(self.spawn(connect, Some(first), Mode::Eager))
    }

    /// Makes a client that begins to connect at once, without waiting for it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn connect_in_background(self, connect: impl Connect) -> Client {
        self.spawn(connect, None, Mode::Eager)
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
        self.spawn(connect, None, Mode::Lazy)
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
        self.spawn(never, Some(transport), Mode::Once)
    }

    #[track_caller]
    fn spawn<C: Connect>(self, connect: C, first: Option<C::Transport>, mode: Mode) -> Client {
        let max_in_flight = self
            .config
            .max_in_flight
            .clamp(1, Semaphore::MAX_PERMITS / 2);
        let (commands, inbox) = mpsc::channel(max_in_flight);
        let (sink, pushed) = self.sink();
        let span = span(&connect, first.as_ref(), mode);
        let phase = match &first {
            Some(transport) => Phase::Open(transport.connect_info()),
            None if mode == Mode::Lazy => Phase::Idle,
            None => Phase::Between,
        };
        let (set_status, status) = watch::channel(Status {
            phase,
            last_end: None,
            last_error: None,
        });
        let handle = Handle {
            commands,
            permits: Arc::new(Semaphore::new(max_in_flight)),
            max_in_flight,
            status,
            stop: CancellationToken::new(),
            wanted: Arc::new(Notify::new()),
            abandoned: Arc::new(Abandoned::default()),
            pushes: Mutex::new(pushed),
            lost_pushes: Arc::new(AtomicU64::new(0)),
            wait_for_connection: self.config.wait_for_connection,
        };
        let driver = Driver {
            connect,
            mode,
            inbox,
            status: set_status,
            stop: handle.stop.clone(),
            wanted: Arc::clone(&handle.wanted),
            abandoned: Arc::clone(&handle.abandoned),
            pushes: PushQueue::new(sink, Arc::clone(&handle.lost_pushes)),
            hook: self.hook(),
            correlation: self.correlation,
            last_call: 0,
            config: self.config,
        };
        tokio::spawn(driver.run(first).instrument(span));
        Client::new(Arc::new(handle))
    }

    /// Destination of pushes; with it a receiver, unless that is a pool's.
    fn sink(&self) -> (Sink, Option<mpsc::Receiver<Received>>) {
        let room = self.config.push_queue.max(1);
        #[cfg(feature = "pool")]
        if let Some(make) = &self.sink {
            return (make(room), None);
        }
        let (queue, pushed) = mpsc::channel(room);
        let sink = Arc::new(move |_: &_, received| queue.try_send(received).is_ok());
        (sink, Some(pushed))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("config", &self.config)
            .field("correlation", &self.correlation)
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
