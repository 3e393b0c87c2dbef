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
//! further call; its calls in flight are finished, and its association is shut down in order. The
//! list is looked at when there is a call.
//!
//! # What is repeated
//!
//! A call that failed is given to another server if that is [safe](RetryPolicy), up to three
//! times. So no call is lost to a server that drains; an ABORT, or a server that dies, fails those
//! that were in flight on it.

mod builder;
mod members;
mod patience;
mod resolve;
mod retry;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use sctp_tokio::{Message, Received};
use tower::{
    BoxError, ServiceExt as _, balance::p2c::Balance, buffer::Buffer, retry::Retry, util::MapErr,
};
use tower_service::Service;

pub use self::{builder::PoolBuilder, members::Target, retry::RetryPolicy};
use self::{members::Members, patience::Patience};
use super::{CallError, Cause, Fate};

type Balanced = Patience<Balance<Members, Message>>;
type Inner =
    MapErr<Buffer<Message, <Balanced as Service<Message>>::Future>, fn(BoxError) -> CallError>;
type Retried = Retry<RetryPolicy, Inner>;

/// Several servers as one service. See the [module](self).
///
/// It is a handle, cheap to clone. When the last one is dropped, the calls in flight are
/// finished, and every association is shut down in order.
#[derive(Clone)]
pub struct Pool(Retried);

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
    /// As of [`Call`](super::Call): dropping it gives the call up.
    pub async fn request(&self, message: impl Into<Message>) -> Result<Received, CallError> {
        self.clone().oneshot(message.into()).await
    }
}

impl Service<Message> for Pool {
    type Response = Received;
    type Error = CallError;
    type Future = PoolCall;

    /// Waits for a place in the pool's queue.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> PoolCall {
        PoolCall {
            inner: self.0.call(message),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

pin_project! {
    /// A call under way in a pool.
    #[must_use = "futures do nothing unless polled"]
    pub struct PoolCall {
        #[pin]
        inner: tower::retry::future::ResponseFuture<RetryPolicy, Inner, Message>,
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
            tracing::debug!(%error, "the pool has ended");
            CallError::new(Cause::Closed, Fate::Unknown)
        }
    }
}
