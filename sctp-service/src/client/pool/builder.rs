//! Configuration and setup of a pool.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use sctp_tokio::SocketBuilder;
use tokio::{runtime::Handle, sync::watch};
use tower::{BoxError, ServiceExt as _, balance::p2c::Balance, buffer::Buffer, retry::Retry};

use super::{
    Pool, PoolEvent, RetryPolicy, Target, call_error,
    clients::ClientSet,
    event::PoolHook,
    members::Membership,
    ready_timeout::{Enqueue, QueueTimes, ReadyTimeout},
    resolve,
    retry::WhileOpen,
};
use crate::{
    CallError, Executor, Inbox,
    client::{Client, ClientBuilder, ClientConfig, Remote},
    executor::Spawner,
};

/// Sets up a [`Pool`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is given its servers"]
pub struct PoolBuilder {
    client: ClientBuilder,
    socket: SocketBuilder,
    ready_timeout: Duration,
    queue: usize,
    retry: RetryPolicy,
    hook: PoolHook,
    spawner: Spawner,
}

impl Default for PoolBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl PoolBuilder {
    /// Creates a builder with the default settings.
    pub fn new() -> Self {
        Self {
            client: ClientBuilder::new()
                .with_config(ClientConfig::new().with_wait_for_connection(true)),
            socket: SocketBuilder::new(),
            ready_timeout: Duration::from_secs(10),
            queue: 1024,
            retry: RetryPolicy::default(),
            hook: PoolHook::default(),
            spawner: Spawner::default(),
        }
    }

    /// Sets the builder of the client of each server. Its configuration should [wait for the
    /// connection](ClientConfig::wait_for_connection): otherwise a client without an association
    /// fails calls at once, and so attracts more of them.
    ///
    /// A hook of this builder receives the events of all clients. The [hook of the
    /// pool](Self::on_event) also receives the server of each event.
    pub fn with_client(mut self, client: ClientBuilder) -> Self {
        self.client = client;
        self
    }

    /// Sets the options of each association's socket. Ignored by [`watch_with`](Self::watch_with),
    /// whose clients may use other transports.
    pub fn with_socket(mut self, socket: SocketBuilder) -> Self {
        self.socket = socket;
        self
    }

    /// Sets the time that calls wait while no server is ready. After this time they fail with
    /// [`Cause::Unavailable`](crate::Cause::Unavailable), and further calls fail at once until a
    /// server is ready. Defaults to 10 seconds.
    pub fn with_ready_timeout(mut self, ready_timeout: Duration) -> Self {
        self.ready_timeout = ready_timeout;
        self
    }

    /// Sets the maximum number of calls that wait for a server. Defaults to 1,024.
    pub fn with_queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// Sets the policy for repeating calls.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Puts unsolicited messages of the servers into an inbox with this capacity, at least 1, and
    /// returns the inbox. See [`ClientBuilder::with_inbox`]. Call this method after
    /// [`with_client`](Self::with_client), which replaces the inbox.
    pub fn with_inbox(mut self, messages: usize) -> (Self, Inbox) {
        let (client, inbox) = self.client.with_inbox(messages);
        self.client = client;
        (self, inbox)
    }

    /// Adds a hook that is called with each event of the pool and its servers. See [`PoolEvent`].
    ///
    /// Several hooks are called in the order in which they were added. They should be quick, and must
    /// not block.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use sctp_service::client::{ClientEvent, pool::{Pool, PoolEvent}};
    /// use std::time::Duration;
    ///
    /// let pool = Pool::builder()
    ///     .on_event(|event| match event {
    ///         PoolEvent::Added { server, .. } => println!("{:?}: listed", server.addrs()),
    ///         PoolEvent::Client { server, event: ClientEvent::Closed { end, .. }, .. } => {
    ///             println!("{:?}: {end}", server.addrs());
    ///         }
    ///         PoolEvent::Unavailable { .. } => println!("no server is ready"),
    ///         _ => {}
    ///     })
    ///     .dns("orders.internal:9877", Duration::from_secs(10))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_event(mut self, hook: impl Fn(&PoolEvent<'_>) + Send + Sync + 'static) -> Self {
        self.hook = self.hook.and(PoolHook::new(hook));
        self
    }

    /// Spawns all tasks of the pool with an [`Executor`], and those of its clients unless their
    /// [builder](Self::with_client) has [one of its own](ClientBuilder::with_executor).
    ///
    /// Defaults to [`tokio::spawn`].
    pub fn with_executor(mut self, executor: impl Executor) -> Self {
        self.spawner = Spawner::new(executor);
        self
    }

    /// Returns the [builder of the clients](Self::with_client).
    pub fn client(&self) -> &ClientBuilder {
        &self.client
    }

    /// Returns the [options of the sockets](Self::with_socket).
    pub fn socket(&self) -> &SocketBuilder {
        &self.socket
    }

    /// Returns the time that calls wait while [no server is ready](Self::with_ready_timeout).
    #[must_use]
    pub fn ready_timeout(&self) -> Duration {
        self.ready_timeout
    }

    /// Returns the maximum number of calls that [wait for a server](Self::with_queue).
    #[must_use]
    pub fn queue(&self) -> usize {
        self.queue
    }

    /// Returns the [policy for repeating calls](Self::with_retry).
    #[must_use]
    pub fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Creates a pool of these servers, using the kernel's SCTP.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn fixed(self, servers: impl IntoIterator<Item = impl Into<Target>>) -> Pool {
        let servers = servers.into_iter().map(Into::into).collect();
        self.watch(watch::channel(servers).1)
    }

    /// Creates a pool of the servers that a channel lists, using the kernel's SCTP. When the sender
    /// is dropped, the last list is kept. An empty list removes all servers: calls then wait for a
    /// server until they lose [ready timeout](Self::with_ready_timeout).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn watch(self, servers: watch::Receiver<Vec<Target>>) -> Pool {
        let socket = self.socket.clone();
        self.watch_with(servers, move |target, client| {
            let remote = Remote::multi_homed(target.addrs().iter().copied());
            client.connect_in_background(remote.with_socket(socket.clone()))
        })
    }

    /// Like [`watch`](Self::watch), with a function that creates the client of each server: for
    /// other transports, for lazy clients, or for in-memory servers in tests. All other pools use
    /// the kernel's SCTP.
    ///
    /// The function receives [the builder](Self::with_client) of the pool's clients, which it may
    /// change. Events of a client created with another builder are not reported to the [pool's
    /// hook](Self::on_event), and messages of its server do not reach the [pool's
    /// inbox](Self::with_inbox).
    ///
    /// ```
    /// # #[cfg(feature = "testing")]
    /// # async fn run() {
    /// use sctp_service::{client::pool::Pool, testing::ScriptedListener};
    /// use std::net::SocketAddr;
    /// use tokio::sync::watch;
    ///
    /// let (listener, network) = ScriptedListener::new();
    /// let server = SocketAddr::from(([192, 0, 2, 1], 9877));
    /// let (_list, servers) = watch::channel(vec![server.into()]);
    /// let pool = Pool::builder().watch_with(servers, move |_server, client| {
    ///     client.connect_in_background(network.connector())
    /// });
    /// # let _ = (listener, pool);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn watch_with(
        self,
        servers: watch::Receiver<Vec<Target>>,
        make: impl FnMut(&Target, ClientBuilder) -> Client + Send + 'static,
    ) -> Pool {
        // Panics here, and not later when a client is created.
        drop(Handle::current());
        let clients = ClientSet::default();
        let (hook, make) = (self.hook.clone(), Box::new(make));
        let client = self.client;
        let membership = Membership::new(
            servers,
            client,
            make,
            hook,
            clients.clone(),
            self.spawner.clone(),
        );
        let balance = Balance::new(membership.balanced());
        let members = membership.watched();
        self.spawner.spawn(membership.run());
        let times = QueueTimes::default();
        let ready_timeout = ReadyTimeout::new(
            balance,
            self.ready_timeout,
            times.clone(),
            clients.clone(),
            self.hook,
        );
        // `Buffer::new` would spawn the worker itself.
        let (buffer, worker) = Buffer::pair(ready_timeout, self.queue.max(1));
        self.spawner.spawn(worker);
        let typed = buffer.map_err(call_error as fn(BoxError) -> CallError);
        let calls = Enqueue::new(typed, times);
        let policy = WhileOpen {
            policy: self.retry,
            clients: clients.clone(),
            removed: false,
        };
        Pool {
            calls: Retry::new(policy, calls),
            clients,
            members,
        }
    }

    /// Creates a pool of the servers behind a name, `host:port`, using the kernel's SCTP. Each
    /// address of the name is a server.
    ///
    /// The name is resolved again at this interval with the system's resolver (`getaddrinfo`),
    /// which uses `/etc/hosts` and search domains as well as DNS, and does not report the time to
    /// live of records.
    ///
    /// A lookup that fails or finds no address leaves the last list in place: the associations show
    /// which servers are available. The failure is logged, at most once in 10 seconds.
    ///
    /// # Errors
    ///
    /// Returns the error of the first lookup, or `NotFound` if it finds no address.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no pool is created.
    pub async fn dns(self, name: impl Into<String>, interval: Duration) -> io::Result<Pool> {
        let name = name.into();
        let lookup = move || resolve::system(name.clone());
        self.resolve(lookup, interval).await
    }

    /// Like [`dns`](Self::dns), with a custom lookup, such as another resolver or the API of a
    /// registry. A lookup that takes longer than the interval has failed. To remove all servers,
    /// use [`watch`](Self::watch).
    ///
    /// # Errors
    ///
    /// Returns the error of the first lookup, or `NotFound` if it finds no address.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no pool is created.
    pub async fn resolve<F, Fut>(self, lookup: F, interval: Duration) -> io::Result<Pool>
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send,
    {
        let (hook, spawner) = (self.hook.clone(), &self.spawner);
        let servers = resolve::watch(lookup, interval, hook, spawner).await?;
        Ok(self.watch(servers))
    }
}
