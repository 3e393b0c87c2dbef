//! Inbox for requests of a client's peers.

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

/// Receiver of the unsolicited requests and notices of a client's or pool's peers, in order of
/// arrival per association. Created by
/// [`ClientBuilder::with_inbox`](crate::client::ClientBuilder::with_inbox).
///
/// While the inbox is full, an association with a message for it reads only replies to calls in
/// flight. The receive window closes, and no message is lost. An association that is being drained
/// does not wait for room: messages that do not fit into the inbox are then discarded.
///
/// To answer a request, send on its [`Request::association`]. [`Request::connect_info`] identifies
/// the peer.
///
/// An inbox does not keep its client alive. Messages that arrive after the inbox was dropped are
/// discarded.
///
/// Discarded messages are logged, counted in
/// [`Counts::discarded_requests`](crate::Counts::discarded_requests), and reported as
/// [`ClientEvent::Unsolicited`](crate::client::ClientEvent::Unsolicited).
pub struct Inbox(mpsc::Receiver<Request>);

impl Inbox {
    /// Receives the next message. Returns `None` when the client or pool has ended, and every
    /// builder with this inbox has been dropped.
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

/// Make-service of an inbox.
#[derive(Clone)]
pub(crate) struct InboxMaker {
    queue: PollSender<Request>,
}

impl InboxMaker {
    /// Creates an inbox with this capacity, at least 1.
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

/// Puts the requests of one association into an inbox without replying.
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
