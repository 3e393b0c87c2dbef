//! Sending on a socket that many associations share.

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

/// A handle for sending on the associations of an [`Endpoint`](crate::Endpoint), made by
/// [`sender`](crate::Endpoint::sender). Cheap to clone.
///
/// The asynchronous functions can wait in any number of tasks at once; the `poll_` functions keep
/// the waker of the last task to ask through this handle.
#[derive(Clone)]
pub struct EndpointSender {
    state: Arc<EndpointState>,
    waiting: Waiting,
}

/// A wait that a `poll_` function has begun. A clone of the handle has none.
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

    /// Sends one message on an association; all of it or nothing. Waits for room in the socket's
    /// send buffer, which all associations share.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; [`SendError::NoAssociation`] also for an association whose coming up has not
    /// been received yet, and for one that was [peeled off](crate::Endpoint::peel_off).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing.
    pub async fn send(&self, assoc: AssocId, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        coop::consume_budget().await;
        loop {
            match self.state.try_send(assoc, &message) {
                Err(full) if full.is_would_block() => {
                    self.wait_for_room().await.map_err(SendError::Io)?;
                }
                result => return result,
            }
        }
    }

    /// Polls to send one message on an association; the waker of the last task to ask through this
    /// handle is kept.
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::send`].
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
                Err(full) if full.is_would_block() => Some(ready!(self.poll_room(cx))),
                _ => None,
            };
            coop.made_progress();
            match waited {
                Some(waited) => waited.map_err(SendError::Io)?,
                None => return Poll::Ready(result),
            }
        }
    }

    /// Sends one message if there is room now.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when the send buffer is
    /// full, and as [`EndpointSender::send`].
    pub fn try_send(&self, assoc: AssocId, message: &Message) -> Result<(), SendError> {
        self.state.try_send(assoc, message)
    }

    /// Sends one message on every association that is up (`SCTP_SENDALL`, RFC 6458 section
    /// 5.3.4), with one system call. With none it succeeds and does nothing.
    ///
    /// There is no form of it that waits: the kernel stops at the first association that it cannot
    /// send on, and does not tell how many came before it. Trying again would send twice on those;
    /// to be sure, send on each association by itself.
    ///
    /// # Errors
    ///
    /// That of the first association that failed: [`SendError::Io`] with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room, with `InvalidInput` when
    /// one has no such stream.
    #[doc(alias = "SCTP_SENDALL")]
    pub fn try_send_to_all(&self, message: &Message) -> Result<(), SendError> {
        self.state.try_send_to_all(message)
    }

    /// Sends the messages of a queue in order, many with one system call, and lets short ones share
    /// packets. Each one that was sent has left the queue.
    ///
    /// # Errors
    ///
    /// Why the front message was refused; it has left the queue, the ones behind it are still
    /// there. Call again to go on.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent those that have left the queue, and no others.
    pub async fn send_queue(
        &self,
        assoc: AssocId,
        queue: &mut VecDeque<Message>,
    ) -> Result<(), SendError> {
        while !queue.is_empty() {
            coop::consume_budget().await;
            match self.state.try_send_bundle(assoc, queue) {
                Err(full) if full.is_would_block() => {
                    self.wait_for_room().await.map_err(SendError::Io)?;
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Polls to send the messages of a queue; the waker of the last task to ask through this
    /// handle is kept.
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::send_queue`].
    pub fn poll_send_queue(
        &mut self,
        cx: &mut Context<'_>,
        assoc: AssocId,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        while !queue.is_empty() {
            let coop = ready!(coop::poll_proceed(cx));
            let mut result = self.state.try_send_bundle(assoc, queue);
            if result.as_ref().is_err_and(SendError::is_would_block) {
                result = ready!(self.poll_room(cx)).map_err(SendError::Io);
            }
            coop.made_progress();
            result?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends messages from the front of a queue, many with one system call, as long as there is
    /// room now. Each one that was sent has left the queue.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when the send buffer is
    /// full; otherwise why the front message was refused, which then has left the queue too.
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

    /// Sends the messages of a queue, each on its association: in order for each association, many
    /// with one system call, whatever associations they are for, and short ones for the same
    /// association share packets. Each one that was sent has left the queue.
    ///
    /// It is the natural way to answer what came together: receive as long as there is something,
    /// then send all answers.
    ///
    /// ```no_run
    /// # use std::{collections::VecDeque, io};
    /// # use sctp_tokio::{Endpoint, EndpointSendError, Event, Message, RecvError, SendError};
    /// # async fn run(mut endpoint: Endpoint) -> Result<(), RecvError> {
    /// let sender = endpoint.sender();
    /// let mut answers = VecDeque::new();
    /// loop {
    ///     let mut event = endpoint.next_event().await?;
    ///     loop {
    ///         if let Event::Message(received) = event.event {
    ///             let info = received.info.reply();
    ///             answers.push_back((event.assoc, Message::new(received.payload).with_info(info)));
    ///         }
    ///         // Bounded, so that a fast peer cannot postpone its answers.
    ///         match (answers.len(), endpoint.try_next_event()) {
    ///             (..64, Ok(next)) => event = next,
    ///             _ => break,
    ///         }
    ///     }
    ///     while let Err(refused) = sender.send_many(&mut answers).await {
    ///         // A peer that has gone is no failure.
    ///         println!("{refused}");
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// A message that finds no room holds up all behind it, since the room is that of the socket;
    /// but where each association has its own (`net.sctp.sndbuf_policy=1` when the socket was
    /// made), only those for the same association.
    ///
    /// # Errors
    ///
    /// Why a message was refused, and whose it was; it has left the queue, the others are still
    /// there. Call again to go on.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent those that have left the queue, and no others.
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
                    let waited = self.wait_for_room().await;
                    waited.map_err(|failure| failed(error.assoc, failure))?;
                    full = FullBuffers::default();
                }
                Some(result) => return result,
            }
        }
    }

    /// Polls to send the messages of a queue, each on its association; the waker of the last task
    /// to ask through this handle is kept.
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::send_many`].
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
                let waited = ready!(self.poll_room(cx));
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

    /// Sends messages of a queue, each on its association, as long as there is room now. Each one
    /// that was sent has left the queue.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room for
    /// what is left in the queue; otherwise why a message was refused, which then has left the
    /// queue too.
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

    /// Waits until it is worth trying again after a send found no room: the socket became
    /// writable, an association ended or ran dry, or a little time has passed, since a shared
    /// socket's writability cannot be relied on.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn wait_for_room(&self) -> io::Result<()> {
        self.state.wait_for_room().await
    }

    /// Polls until it is worth trying again; see [`wait_for_room`](Self::wait_for_room).
    ///
    /// # Errors
    ///
    /// As [`wait_for_room`](Self::wait_for_room).
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waiting = self
            .waiting
            .0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let wait = waiting.get_or_insert_with(|| {
            let state = Arc::clone(&self.state);
            Box::pin(async move { state.wait_for_room().await })
        });
        let result = ready!(wait.as_mut().poll(cx));
        *waiting = None;
        Poll::Ready(result)
    }

    /// Begins the orderly end of an association (`SCTP_EOF`): whatever was sent is delivered and
    /// acknowledged, then SHUTDOWN goes out. Never waits.
    ///
    /// An association that is still being set up is aborted, without a reason, and an event tells
    /// its end as [`End::Aborted`](crate::End::Aborted) by this end.
    ///
    /// # Errors
    ///
    /// What the kernel says; an association that has ended is no error.
    pub fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        self.state.start_shutdown(assoc)
    }

    /// Ends an association at once (`SCTP_ABORT`): an ABORT with the reason goes out, and what is
    /// unsent is discarded. Never waits.
    ///
    /// # Errors
    ///
    /// What the kernel says; an association that has ended is no error.
    pub fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        self.state.abort(assoc, reason)
    }

    /// Returns how many streams the peer can send on, and how many can be sent on; `None` for an
    /// association that is not up.
    #[must_use]
    pub fn streams(&self, assoc: AssocId) -> Option<(u16, u16)> {
        let peers = self.state.peers();
        peers
            .get(&assoc)
            .map(|peer| (peer.inbound_streams, peer.outbound_streams))
    }

    /// Returns the peer's addresses.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when there is no such association (any more).
    pub fn peer_addrs(&self, assoc: AssocId) -> io::Result<Vec<SocketAddr>> {
        self.state.io.socket().peer_addrs(assoc)
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`): the length of the longest
    /// message that can be sent, on any of the associations. One system call.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.state.io.socket().send_buffer_size()
    }

    /// Lends the socket, for options and statistics.
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
