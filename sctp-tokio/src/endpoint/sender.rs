//! Sending half of an endpoint.

use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use sctp_core::{AbortReason, AssocId, Socket};
use tokio::task::coop;

use super::state::{EndpointState, FullBuffers, failed};
use crate::{
    error::{EndpointSendError, SendError},
    message::Message,
};

/// Handle for sending on the associations of an [`Endpoint`](crate::Endpoint), created by
/// [`sender`](crate::Endpoint::sender). Cheap to clone.
///
/// The async methods can be used by any number of tasks at once. A handle keeps one waker for its
/// `poll_` methods.
#[derive(Clone)]
pub struct EndpointSender {
    state: Arc<EndpointState>,
    waiting: Waiting,
}

/// Pending wait of a `poll_` method. A clone of the handle has none.
#[derive(Default)]
struct Waiting(Mutex<Option<Wait>>);

type Wait = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl Clone for Waiting {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl EndpointSender {
    pub(crate) fn new(state: Arc<EndpointState>) -> Self {
        Self {
            state,
            waiting: Waiting::default(),
        }
    }

    /// Sends a message on an association, whole or not at all. Waits for space in the send buffer,
    /// which all associations share.
    ///
    /// # Errors
    ///
    /// Returns a [`SendError`]. [`SendError::NoAssociation`] includes an association whose
    /// establishment has not been received yet, and one that was [peeled
    /// off](crate::Endpoint::peel_off).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future before completion sends nothing.
    pub async fn send(&self, assoc: AssocId, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        coop::consume_budget().await;
        loop {
            match self.state.try_send(assoc, &message) {
                Err(SendError::Full) => {
                    self.writable().await.map_err(SendError::Io)?;
                }
                result => return result,
            }
        }
    }

    /// Polls to send a message on an association. Only the waker of the most recent call on this
    /// handle is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](Self::send).
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        assoc: AssocId,
        message: &Message,
    ) -> Poll<Result<(), SendError>> {
        loop {
            let coop = ready!(coop::poll_proceed(cx));
            let result = self.state.try_send(assoc, message);
            let waited = match &result {
                Err(SendError::Full) => Some(ready!(self.poll_writable(cx))),
                _ => None,
            };
            coop.made_progress();
            match waited {
                Some(waited) => waited.map_err(SendError::Io)?,
                None => return Poll::Ready(result),
            }
        }
    }

    /// Sends a message if the send buffer has space.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Full`] if the send buffer is full, and the errors of
    /// [`send`](Self::send).
    pub fn try_send(&self, assoc: AssocId, message: &Message) -> Result<(), SendError> {
        self.state.try_send(assoc, message)
    }

    /// Sends a message on every established association with one system call (`SCTP_SENDALL`, RFC
    /// 6458 section 5.3.4). Does nothing if there is none.
    ///
    /// There is no async variant. The kernel stops at the first association that it cannot send on,
    /// and does not report how many it has sent on before. A retry would send the message twice on
    /// those.
    ///
    /// # Errors
    ///
    /// Returns the error of the first association that failed: [`SendError::Full`] if the send
    /// buffer is full, and [`SendError::Io`] of kind `InvalidInput` if the association has no such
    /// stream.
    #[doc(alias = "SCTP_SENDALL")]
    pub fn try_send_to_all(&self, message: &Message) -> Result<(), SendError> {
        self.state.try_send_to_all(message)
    }

    /// Sends all messages of a queue in order, with two system calls for up to 32 messages. Short
    /// messages share packets. Messages leave the queue when they are sent.
    ///
    /// # Errors
    ///
    /// Returns the error of the front message, which has left the queue. The messages behind it
    /// stay; call again to continue.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Messages that were sent have left the queue.
    pub async fn send_queue(
        &self,
        assoc: AssocId,
        queue: &mut VecDeque<Message>,
    ) -> Result<(), SendError> {
        while !queue.is_empty() {
            coop::consume_budget().await;
            match self.state.try_send_bundle(assoc, queue) {
                Err(SendError::Full) => {
                    self.writable().await.map_err(SendError::Io)?;
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Polls to send all messages of a queue. Only the waker of the most recent call on this handle
    /// is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`send_queue`](Self::send_queue).
    pub fn poll_send_queue(
        &mut self,
        cx: &mut Context<'_>,
        assoc: AssocId,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        while !queue.is_empty() {
            let coop = ready!(coop::poll_proceed(cx));
            let mut result = self.state.try_send_bundle(assoc, queue);
            if matches!(result, Err(SendError::Full)) {
                result = ready!(self.poll_writable(cx)).map_err(SendError::Io);
            }
            coop.made_progress();
            result?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends messages of a queue while the send buffer has space. Messages leave the queue when
    /// they are sent.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Full`] if the send buffer is full. Otherwise returns the error of the
    /// front message, which has left the queue too.
    pub fn try_send_queue(
        &self,
        assoc: AssocId,
        queue: &mut VecDeque<Message>,
    ) -> Result<(), SendError> {
        while !queue.is_empty() {
            self.state.try_send_bundle(assoc, queue)?;
        }
        Ok(())
    }

    /// Sends all messages of a queue, each on its association, with two system calls for up to 32
    /// messages.
    ///
    /// Messages of one association stay in order, and short ones share packets. Messages leave the
    /// queue when they are sent. Use this method to reply to everything that has arrived:
    ///
    /// ```no_run
    /// # use std::{collections::VecDeque, io};
    /// # use sctp_tokio::{Endpoint, EndpointSendError, Event, Message, RecvError, SendError};
    /// # async fn run(mut endpoint: Endpoint) -> Result<(), RecvError> {
    /// let sender = endpoint.sender();
    /// let mut replies = VecDeque::new();
    /// loop {
    ///     let mut event = endpoint.next_event().await?;
    ///     loop {
    ///         if let Event::Message(received) = event.event {
    ///             let info = received.info.reply();
    ///             replies.push_back((event.assoc, Message::new(received.payload).with_info(info)));
    ///         }
    ///         // Bounded: a fast peer must not delay the replies.
    ///         match (replies.len(), endpoint.try_next_event()) {
    ///             (..64, Ok(next)) => event = next,
    ///             _ => break,
    ///         }
    ///     }
    ///     while let Err(error) = sender.send_many(&mut replies).await {
    ///         // The failure of one association does not affect the others.
    ///         println!("{error}");
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// A message for which the send buffer has no space blocks all messages behind it. If each
    /// association has its own send buffer (`net.sctp.sndbuf_policy=1` when the socket was
    /// created), it blocks only those of the same association.
    ///
    /// # Errors
    ///
    /// Returns the error of a rejected message and its association. That message has left the
    /// queue, and the others stay; call again to continue.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Messages that were sent have left the queue.
    pub async fn send_many(
        &self,
        queue: &mut VecDeque<(AssocId, Message)>,
    ) -> Result<(), EndpointSendError> {
        let mut full = FullBuffers::default();
        loop {
            coop::consume_budget().await;
            match self.state.try_send_many(queue, &mut full) {
                None => {}
                Some(Err(error)) if error.is_full() => {
                    let waited = self.writable().await;
                    waited.map_err(|failure| failed(error.assoc, failure))?;
                    full = FullBuffers::default();
                }
                Some(result) => return result,
            }
        }
    }

    /// Polls to send all messages of a queue, each on its association. Only the waker of the most
    /// recent call on this handle is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`send_many`](Self::send_many).
    pub fn poll_send_many(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<(AssocId, Message)>,
    ) -> Poll<Result<(), EndpointSendError>> {
        let mut full = FullBuffers::default();
        loop {
            let coop = ready!(coop::poll_proceed(cx));
            let mut result = self.state.try_send_many(queue, &mut full);
            if let Some(Err(error)) = &result
                && error.is_full()
            {
                let waited = ready!(self.poll_writable(cx));
                result = waited
                    .err()
                    .map(|failure| Err(failed(error.assoc, failure)));
                full = FullBuffers::default();
            }
            coop.made_progress();
            if let Some(result) = result {
                return Poll::Ready(result);
            }
        }
    }

    /// Sends messages of a queue, each on its association, while the send buffer has space.
    /// Messages leave the queue when they are sent.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Full`] if there is no space for the rest of the queue. Otherwise returns
    /// the error of a rejected message, which has left the queue too.
    pub fn try_send_many(
        &self,
        queue: &mut VecDeque<(AssocId, Message)>,
    ) -> Result<(), EndpointSendError> {
        let mut full = FullBuffers::default();
        loop {
            if let Some(result) = self.state.try_send_many(queue, &mut full) {
                return result;
            }
        }
    }

    /// Waits until a send that returned [`SendError::Full`] should be retried: the socket is
    /// writable, an association was closed or has no unacknowledged data, or 20 milliseconds have
    /// passed. On a shared socket, writability alone is not reliable.
    ///
    /// # Errors
    ///
    /// Returns an error if the runtime is shutting down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn writable(&self) -> io::Result<()> {
        self.state.writable().await
    }

    /// Polls [`writable`](Self::writable).
    ///
    /// # Errors
    ///
    /// The same as for [`writable`](Self::writable).
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waiting = self
            .waiting
            .0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let wait = waiting.get_or_insert_with(|| {
            let state = Arc::clone(&self.state);
            Box::pin(async move { state.writable().await })
        });
        let result = ready!(wait.as_mut().poll(cx));
        *waiting = None;
        Poll::Ready(result)
    }

    /// Starts the shutdown of an association without waiting (`SCTP_EOF`): everything that was sent
    /// is delivered and acknowledged, then SHUTDOWN is sent.
    ///
    /// An association that is not established yet is aborted without a reason. An event reports its
    /// end as [`End::Aborted`](crate::End::Aborted) by this end.
    ///
    /// # Errors
    ///
    /// Returns errors of the system calls. A closed association is not an error.
    pub fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        self.state.start_shutdown(assoc)
    }

    /// Aborts an association without waiting (`SCTP_ABORT`): an ABORT with the reason is sent, and
    /// unsent messages are discarded.
    ///
    /// # Errors
    ///
    /// Returns errors of the system calls. A closed association is not an error.
    pub fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        self.state.abort(assoc, reason)
    }

    /// Returns the numbers of inbound and outbound streams, or `None` if the association is not
    /// established.
    #[must_use]
    pub fn streams(&self, assoc: AssocId) -> Option<(u16, u16)> {
        let peers = self.state.peers();
        peers
            .get(&assoc)
            .map(|peer| (peer.inbound_streams, peer.outbound_streams))
    }

    /// Returns the peer's current addresses.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the association does not exist.
    pub fn peer_addrs(&self, assoc: AssocId) -> io::Result<Vec<SocketAddr>> {
        self.state.io.socket().peer_addrs(assoc)
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`) in bytes, with one system call. It is the
    /// size of the largest message that can be sent on any of the associations.
    ///
    /// # Errors
    ///
    /// Returns errors of `getsockopt(2)`.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.state.io.socket().send_buffer_size()
    }

    /// Returns the socket, for options and statistics.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.state.io.socket()
    }
}

impl fmt::Debug for EndpointSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.debug(f, "EndpointSender").finish()
    }
}
