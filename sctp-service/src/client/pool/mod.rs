//! Several servers as one service.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use sctp_service::client::pool::Pool;
//! use std::time::Duration;
//!
//! let pool = Pool::builder()
//!     .dns("orders.internal:9877", Duration::from_secs(10))
//!     .await?;
//! let reply = pool.request("hello").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Balancing
//!
//! For each call the pool picks two servers at random, and uses the one with fewer calls in flight
//! ([`tower::balance::p2c`]). A server takes part while its association is open and has room. A
//! server that drains or is lost gets no further calls until its next association is open.
//!
//! # Discovery
//!
//! Servers come from a [fixed](PoolBuilder::fixed) list, a [name](PoolBuilder::dns) that is
//! resolved periodically, a custom [lookup](PoolBuilder::resolve), or a [watch
//! channel](PoolBuilder::watch). The pool connects to a listed server at once, without waiting for
//! a call. A server that is removed gets no further calls; its calls in flight are finished, and
//! its association is shut down. These pools use the kernel's SCTP;
//! [`watch_with`](PoolBuilder::watch_with) supports other transports, including the in-memory
//! transport for tests.
//!
//! A lookup that fails or finds no address leaves the list unchanged. An empty list from a channel
//! removes all servers.
//!
//! # Retries
//!
//! A call whose message was certainly not sent is repeated on another server, up to three times,
//! unless it would fail there as well. A call that was sent fails if the server shuts down, aborts
//! or is lost before it replies, because the server may have acted on it.
//! [`RetryPolicy::with_after_shutdown`] also repeats calls that an orderly shutdown left
//! unanswered, so that no call is lost when a server drains.
//!
//! # Requests of servers
//!
//! [`PoolBuilder::with_inbox`] creates an inbox for requests of all servers. Each request has the
//! handle of its [association](crate::Request::association), for answering it.
//! [`ClientBuilder::serving`](super::ClientBuilder::serving) serves these requests instead.
//!
//! # Observability
//!
//! [`PoolBuilder::on_event`] adds a hook for events such as added and removed servers, their
//! associations, failed connection attempts, and outages: see [`PoolEvent`].
//! [`ClientMetrics::record_pool`](super::ClientMetrics::record_pool) records these events with the
//! `metrics` facade. [`Pool::servers`], [`Pool::client`] and the `Debug` output show the current
//! state.

mod builder;
mod clients;
mod event;
mod members;
mod ready_timeout;
mod resolve;
mod retry;

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use sctp_tokio::{End, Message, Received};
use tower::{
    BoxError, ServiceExt as _, balance::p2c::Balance, buffer::Buffer, retry::Retry, util::MapErr,
};
use tower_service::Service;

pub use self::{builder::PoolBuilder, event::PoolEvent, members::Target, retry::RetryPolicy};
use self::{
    clients::ClientSet,
    members::{Members, Watched},
    ready_timeout::{Enqueue, Queued, ReadyTimeout},
    retry::WhileOpen,
};
use super::Client;
use crate::{CallError, Cause, Fate};

type Balanced = ReadyTimeout<Balance<Members, Message>>;
type Buffered = Buffer<Queued, <Balanced as Service<Queued>>::Future>;
type Inner = Enqueue<MapErr<Buffered, fn(BoxError) -> CallError>>;
type Retried = Retry<WhileOpen, Inner>;

/// Several servers as one service. See the [module](self).
///
/// A pool is a handle that is cheap to clone. When the last clone is dropped, calls in flight are
/// finished, and every association is shut down.
#[derive(Clone)]
pub struct Pool {
    calls: Retried,
    clients: ClientSet,
    members: Watched,
}

impl Pool {
    /// Creates a builder with the default settings.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }

    /// Calls one of the servers.
    ///
    /// # Errors
    ///
    /// Returns a [`CallError`], with [`Cause::Unavailable`] if no server was ready in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call, as with [`Call`](crate::Call).
    pub async fn request(&self, message: impl Into<Message>) -> Result<Received, CallError> {
        self.clone().oneshot(message.into()).await
    }

    /// Returns the servers that are listed now.
    #[must_use]
    pub fn servers(&self) -> Vec<Target> {
        let members = self.members.borrow();
        members.iter().map(|member| member.server.clone()).collect()
    }

    /// Returns the client of a listed server, to inspect its state or to send a message to this
    /// server. The pool shares the client: if it is shut down, its server gets no further calls
    /// until it is removed and listed again.
    #[must_use]
    pub fn client(&self, server: &Target) -> Option<Client> {
        let members = self.members.borrow();
        let member = members.iter().find(|member| member.server == *server)?;
        Some(member.client.clone())
    }

    /// Accepts no further calls, finishes those in flight, shuts every association down, and waits
    /// until all have closed. Returns the end of each association, or `None` for a server without
    /// one. Affects all clones of the pool, as
    /// [`Client::graceful_shutdown`](super::Client::graceful_shutdown) does.
    ///
    /// A call is in flight once a server has been chosen for it. Calls that still wait for a
    /// server, and later calls, fail with [`Cause::Closed`], not sent. A call that fails during the
    /// shutdown is not repeated. The shutdown also waits for servers that were removed and still
    /// finish their last calls.
    ///
    /// The time is that of the slowest server: calls in flight are bounded by
    /// [`ClientConfig::call_timeout`](super::ClientConfig::call_timeout), then the SHUTDOWN
    /// handshake by [`ClientConfig::shutdown_timeout`](super::ClientConfig::shutdown_timeout), and
    /// all of it by [`ClientConfig::drain_timeout`](super::ClientConfig::drain_timeout), after
    /// which the peer is aborted.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the shutdown has begun, and dropping the future does not
    /// cancel it. This method can be called again.
    pub async fn graceful_shutdown(&self) -> Vec<(Target, Option<End>)> {
        self.clients.graceful_shutdown().await
    }
}

impl Service<Message> for Pool {
    type Response = Received;
    type Error = CallError;
    type Future = PoolCall;

    /// Waits for a place in the pool's queue.
    ///
    /// # Errors
    ///
    /// Returns an error if the pool was shut down. Every later call fails as well.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        if self.clients.is_stopped() {
            return Poll::Ready(Err(CallError::not_sent(Cause::Closed)));
        }
        self.calls.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> PoolCall {
        PoolCall {
            inner: self.calls.call(message),
        }
    }
}

/// Shows the servers and the status of their clients.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("servers", &self.clients)
            .field("stopped", &self.clients.is_stopped())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A call in flight in a pool.
    #[must_use = "futures do nothing unless polled"]
    pub struct PoolCall {
        #[pin]
        inner: tower::retry::future::ResponseFuture<WhileOpen, Inner, Message>,
    }
}

impl Future for PoolCall {
    type Output = Result<Received, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}

impl fmt::Debug for PoolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolCall").finish_non_exhaustive()
    }
}

/// Extracts the client's error from that of the queue.
fn call_error(error: BoxError) -> CallError {
    match error.downcast::<CallError>() {
        Ok(error) => *error,
        Err(error) => {
            // The queue's task is gone: the runtime stops.
            tracing::debug!(error = &*error as &dyn Error, "pool has ended");
            CallError::new(Cause::Closed, Fate::Unknown)
        }
    }
}
