//! Requests that are taken by hand.

use std::{
    convert::Infallible,
    fmt,
    future::{self, Future, Ready},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::PollSender;
use tower_service::Service;

use crate::{IncomingAssociation, Reply, Request, Shutdown};

/// The requests and notices that the peers of a client or pool send unasked, in the order in which
/// they arrived on each association. Made by
/// [`ClientBuilder::with_inbox`](crate::client::ClientBuilder::with_inbox).
///
/// While the inbox is full, nothing more is read from the associations that have something for it,
/// but replies to calls that are waited for. So the peers' SCTP holds back, and no message is lost
/// while the client is up. Once the association is being drained, the end does not wait for room: what
/// does not fit into the inbox then is discarded.
///
/// [`Request::association`] is the association of a message: what is sent there answers the peer that
/// asked, and no other. [`Request::connect_info`] names the peer.
///
/// An inbox does not keep its client. What arrives after the inbox was dropped is discarded.
///
/// Discarded messages are logged, counted in
/// [`Counts::discarded_requests`](crate::Counts::discarded_requests), and reported as
/// [`ClientEvent::Unsolicited`](crate::client::ClientEvent::Unsolicited).
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

/// Makes the services that put requests into an inbox.
#[derive(Clone)]
pub(crate) struct InboxMaker {
    queue: PollSender<Request>,
}

impl InboxMaker {
    /// Makes an inbox for so many messages, at least 1.
    pub(crate) fn new(messages: usize) -> (Self, Inbox) {
        let (queue, requests) = mpsc::channel(messages.clamp(1, Semaphore::MAX_PERMITS));
        let queue = PollSender::new(queue);
        (Self { queue }, Inbox(requests))
    }
}

impl Service<IncomingAssociation> for InboxMaker {
    type Response = InboxService;
    type Error = Shutdown;
    type Future = Ready<Result<InboxService, Shutdown>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Shutdown>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, incoming: IncomingAssociation) -> Self::Future {
        future::ready(Ok(InboxService {
            queue: self.queue.clone(),
            drained: Box::pin(incoming.handle().drain().clone().started_owned()),
            refusal: None,
        }))
    }
}

/// Puts the requests of one association into an inbox, and answers none.
///
/// A drain of the association does not wait for room: what does not fit then is discarded.
pub(crate) struct InboxService {
    queue: PollSender<Request>,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Reason to discard the next request.
    refusal: Option<&'static str>,
}

impl Service<Request> for InboxService {
    type Response = Reply;
    type Error = Infallible;
    type Future = Ready<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.refusal.is_some() {
            return Poll::Ready(Ok(()));
        }
        match self.queue.poll_reserve(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => self.refusal = Some("inbox dropped"),
            Poll::Pending => {
                ready!(self.drained.as_mut().poll(cx));
                self.queue.abort_send();
                // Not polled again once it is ready.
                self.drained = Box::pin(future::ready(()));
                self.refusal = Some("inbox full");
            }
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let unserved = match self.refusal.take() {
            Some(reason) => Some((request, reason)),
            None => match self.queue.send_item(request) {
                Ok(()) => None,
                Err(error) => error.into_inner().map(|request| (request, "inbox dropped")),
            },
        };
        let reply = unserved.map_or_else(Reply::none, |(request, reason)| {
            Reply::unserved(request, reason)
        });
        future::ready(Ok(reply))
    }
}
