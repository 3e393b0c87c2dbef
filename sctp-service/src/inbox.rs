//! Requests that are taken by hand.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::PollSender;
use tower_service::Service;

use crate::{Request, log_limit::LogLimiter};

/// The requests and notices that the peers of a client or pool send unasked, in the order in which
/// they arrived on each association. Made by
/// [`ClientBuilder::with_inbox`](crate::client::ClientBuilder::with_inbox).
///
/// While the inbox is full, nothing more is read from the associations that have something for it,
/// but replies to calls that are waited for. So the peers' SCTP holds back, and no message is lost
/// while the client is up. What arrives once it has begun to end the association is discarded, and
/// counted in [`Counts::discarded_requests`](crate::Counts::discarded_requests).
///
/// [`Request::association`] is the association of a message: what is sent there answers the peer that
/// asked, and no other. [`Request::connect_info`] names the peer.
///
/// An inbox does not keep its client. What arrives after the inbox was dropped is discarded and
/// logged.
pub struct Inbox(mpsc::Receiver<Request>);

impl Inbox {
    /// Receives the next message. Returns `None` when the client or pool has ended, and every builder
    /// that it was made with is dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: no message is lost.
    pub async fn recv(&mut self) -> Option<Request> {
        self.0.recv().await
    }
}

impl Stream for Inbox {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        self.0.poll_recv(cx)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("waiting", &self.0.len())
            .finish()
    }
}

/// The service that puts requests into an inbox, and answers none.
#[derive(Clone)]
pub(crate) struct FillInbox {
    queue: PollSender<Request>,
    discarded: Arc<LogLimiter>,
}

impl FillInbox {
    /// Makes an inbox for so many messages, at least 1.
    pub(crate) fn new(messages: usize) -> (Self, Inbox) {
        let (queue, requests) = mpsc::channel(messages.clamp(1, Semaphore::MAX_PERMITS));
        let this = Self {
            queue: PollSender::new(queue),
            discarded: Arc::default(),
        };
        (this, Inbox(requests))
    }
}

impl Service<Request> for FillInbox {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // An error means that the inbox was dropped, which `call` finds again.
        self.queue.poll_reserve(cx).map(|_| Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if self.queue.send_item(request).is_err()
            && let Some(occurrences) = self.discarded.record()
        {
            tracing::warn!(occurrences, "discarding message, the inbox was dropped");
        }
        ready(Ok(()))
    }
}
