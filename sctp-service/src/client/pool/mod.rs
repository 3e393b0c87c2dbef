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
//! # How a server is chosen
//!
//! Of two servers at random, the one with fewer calls in flight
//! ([`tower::balance::p2c`]). A server whose association is being set up, is ending, or is full
//! is not among them: a server that drains or is lost is passed over from that moment on, and
//! comes back with its next association.
//!
//! # Where servers come from
//!
//! A [fixed](PoolBuilder::fixed) list; a [name](PoolBuilder::dns) that is looked up again and
//! again; any other [lookup](PoolBuilder::resolve); or a [watch
//! channel](PoolBuilder::watch) that anything can feed. A server that is no longer listed gets no
//! further call; its calls in flight are finished, and its association is shut down in order. A server
//! that is listed gets its association at once, without waiting for a call. All of these are reached
//! with the kernel's SCTP; [`watch_with`](PoolBuilder::watch_with) is for other transports, those in
//! memory for tests among them.
//!
//! A lookup that fails or finds nothing changes nothing; an empty list in a channel means empty.
//!
//! # What is repeated
//!
//! A call whose message was certainly not sent is given to another server, up to three times, unless it
//! would fail there as well. A
//! call that was sent fails when the server shuts down, aborts or dies before it answers: the
//! server may have acted on it. [`RetryPolicy::with_after_shutdown`] has those repeated that an
//! orderly shutdown left unanswered, so that no call is lost to a server that drains.
//!
//! # What servers send without being asked
//!
//! [`PoolBuilder::with_inbox`] makes an inbox for all servers, whatever associations and servers
//! come and go. Each message has the [association](crate::Request::association) that it came on, to
//! answer it. [`ClientBuilder::serving`](super::ClientBuilder::serving) serves them instead.
//!
//! # What is to be seen of it
//!
//! [`PoolBuilder::on_event`] has a hook hear of servers that come and go, of their associations, of
//! attempts to connect that fail, and when no server is ready: [`PoolEvent`].
//! [`ClientMetrics::record_pool`](super::ClientMetrics::record_pool) is such a hook, for the `metrics`
//! facade. What the pool is doing now is in [`Pool::servers`] and [`Pool::client`], and in the text of
//! its `Debug`.

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
/// It is a handle, cheap to clone. When the last one is dropped, the calls in flight are
/// finished, and every association is shut down in order.
#[derive(Clone)]
pub struct Pool {
    calls: Retried,
    clients: ClientSet,
    members: Watched,
}

impl Pool {
    /// Begins with the default settings.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }

    /// Calls one of the servers.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; [`Cause::Unavailable`] when no server was ready in time.
    ///
    /// # Cancel safety
    ///
    /// As of [`Call`](crate::Call): dropping it gives the call up.
    pub async fn request(&self, message: impl Into<Message>) -> Result<Received, CallError> {
        self.clone().oneshot(message.into()).await
    }

    /// Returns the servers that are listed now.
    #[must_use]
    pub fn servers(&self) -> Vec<Target> {
        let members = self.members.borrow();
        members.iter().map(|member| member.server.clone()).collect()
    }

    /// Returns the client of a server that is listed: to see what it is doing, or to send a message to
    /// this server and no other. It is in the pool's use:
    /// shut down, it gets no further call, and its server is out of the pool until it is listed anew.
    #[must_use]
    pub fn client(&self, server: &Target) -> Option<Client> {
        let members = self.members.borrow();
        let member = members.iter().find(|member| member.server == *server)?;
        Some(member.client.clone())
    }

    /// Takes no further call, finishes those in flight, shuts every association down in order, and
    /// waits for the ends, which it returns: `None` for a server with which there was no
    /// association. For all handles alike, as
    /// [`Client::graceful_shutdown`](super::Client::graceful_shutdown).
    ///
    /// In flight are the calls that a server has been chosen for. Those that still wait for one
    /// fail with [`Cause::Closed`], not sent, as do all that are made later; and a call that fails
    /// now is not repeated. Servers that were taken off the list and finish their last calls are
    /// waited for, too.
    ///
    /// It takes as long as the slowest of them: calls in flight are bounded by
    /// [`ClientConfig::call_timeout`](super::ClientConfig::call_timeout), then the SHUTDOWN handshake by
    /// [`ClientConfig::shutdown_timeout`](super::ClientConfig::shutdown_timeout), and all of it by
    /// [`ClientConfig::drain_timeout`](super::ClientConfig::drain_timeout), after which the peer is
    /// aborted.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the shutdown is under way; dropping the call does not take it back. It can
    /// be called again.
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
    /// The pool was shut down: every later call fails as well.
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

/// Shows the servers that it has clients for, and what each of these clients is doing.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("servers", &self.clients)
            .field("stopped", &self.clients.is_stopped())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A call under way in a pool.
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

/// Finds the client's error in the one that the queue passed on.
fn call_error(error: BoxError) -> CallError {
    match error.downcast::<CallError>() {
        Ok(error) => *error,
        Err(error) => {
            // The queue's task is gone: the runtime stops.
            tracing::debug!(error = &*error as &dyn Error, "the pool has ended");
            CallError::new(Cause::Closed, Fate::Unknown)
        }
    }
}
