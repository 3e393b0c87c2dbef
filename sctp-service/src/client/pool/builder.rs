//! How a pool is set up.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use sctp_tokio::SocketBuilder;
use tokio::sync::watch;
use tower::{BoxError, ServiceExt as _, balance::p2c::Balance, buffer::Buffer, retry::Retry};

use super::{
    Pool, RetryPolicy, Target, call_error, members::Members, patience::Patience, resolve,
    retry::WhileOpen, roll::Roll,
};
use crate::client::{CallError, Client, ClientBuilder, ClientConfig, Remote};

/// Sets up a [`Pool`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is told where the servers are"]
pub struct PoolBuilder {
    client: ClientBuilder,
    socket: SocketBuilder,
    patience: Duration,
    queue: usize,
    retry: RetryPolicy,
}

impl Default for PoolBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl PoolBuilder {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self {
            client: ClientBuilder::new()
                .with_config(ClientConfig::new().with_wait_for_connection(true)),
            socket: SocketBuilder::new(),
            patience: Duration::from_secs(10),
            queue: 1024,
            retry: RetryPolicy::default(),
        }
    }

    /// Sets what each server's client is set up with. Have it [wait for its
    /// connection](ClientConfig::wait_for_connection): a client that fails calls at once while it
    /// has none attracts them.
    pub fn with_client(mut self, client: ClientBuilder) -> Self {
        self.client = client;
        self
    }

    /// Sets what each association's socket is set up with.
    pub fn with_socket(mut self, socket: SocketBuilder) -> Self {
        self.socket = socket;
        self
    }

    /// Sets how long calls wait while no server is ready; then they fail with
    /// [`Cause::Unavailable`](crate::client::Cause::Unavailable), and further ones at once until a server is ready. Default: 10
    /// seconds.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how many calls wait for a server at once. Default: 1,024.
    pub fn with_queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// Sets which calls are repeated.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Makes a pool of these servers.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn fixed(self, servers: impl IntoIterator<Item = impl Into<Target>>) -> Pool {
        let servers = servers.into_iter().map(Into::into).collect();
        self.watch(watch::channel(servers).1)
    }

    /// Makes a pool of the servers that a channel lists. When its sender is dropped, the last
    /// list holds. An empty list means what it says: calls wait for a server until they lose
    /// [patience](Self::with_patience).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn watch(self, servers: watch::Receiver<Vec<Target>>) -> Pool {
        let (client, socket) = (self.client.clone(), self.socket.clone());
        self.watch_with(servers, move |target| {
            let remote = Remote::multi_homed(target.addrs().iter().copied());
            client
                .clone()
                .connect_in_background(remote.with_socket(socket.clone()))
        })
    }

    /// As [`watch`](Self::watch), with clients of your own making: of other transports, or, in
    /// tests, of servers in memory.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn watch_with(
        self,
        servers: watch::Receiver<Vec<Target>>,
        make: impl FnMut(&Target) -> Client + Send + 'static,
    ) -> Pool {
        let roll = Roll::default();
        let balance = Balance::new(Members::new(servers, Box::new(make), roll.clone()));
        let patience = Patience::new(balance, self.patience, roll.clone());
        let buffer = Buffer::new(patience, self.queue.max(1));
        let typed = buffer.map_err(call_error as fn(BoxError) -> CallError);
        let policy = WhileOpen {
            policy: self.retry,
            roll: roll.clone(),
        };
        Pool {
            calls: Retry::new(policy, typed),
            roll,
        }
    }

    /// Makes a pool of the servers that a name stands for, `host:port`, each of its addresses a
    /// server of its own. The name is looked up again at this interval, through the system
    /// (`getaddrinfo`), which knows `/etc/hosts` and the cluster's search domains as well as DNS,
    /// and no time to live: hence the interval.
    ///
    /// When a lookup fails, or finds no address at all, the last list holds: the associations tell
    /// by themselves which servers live. It is logged, once in 10 seconds at most.
    ///
    /// # Errors
    ///
    /// That of the first lookup; `NotFound` when it finds no address.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it returns, there is no pool.
    pub async fn dns(self, name: impl Into<String>, interval: Duration) -> io::Result<Pool> {
        let name = name.into();
        let lookup = move || resolve::system(name.clone());
        self.resolve(lookup, interval).await
    }

    /// As [`dns`](Self::dns), with a lookup of your own: another resolver, a registry's API.
    /// Each lookup may take as long as the interval, or it has failed. To say that there is no
    /// server any more, use [`watch`](Self::watch).
    ///
    /// # Errors
    ///
    /// That of the first lookup; `NotFound` when it finds no address.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it returns, there is no pool.
    pub async fn resolve<F, Fut>(self, lookup: F, interval: Duration) -> io::Result<Pool>
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send,
    {
        let servers = resolve::watch(lookup, interval).await?;
        Ok(self.watch(servers))
    }
}
