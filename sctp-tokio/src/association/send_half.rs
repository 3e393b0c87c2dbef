//! The sending half of an association.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_sink::Sink;
use sctp_core::{AbortReason, AssocId, SendInfo, Socket};
use tokio::{task::coop, time::timeout};

use super::{end::End, shared::AssociationShared};
use crate::{
    error::SendError,
    framed::sink::SinkBuffer,
    io::wakers::Waiter,
    message::{Message, check, check_slices, payload_len},
};

/// How often a waiting [`SendHalf::closed`] looks for itself.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// The sending half of an [`Association`](crate::Association), made by
/// [`split`](crate::Association::split) and [`sender`](crate::Association::sender). Cheap to
/// clone; sends from several clones do not mix.
///
/// Each handle keeps one waker for its `poll_` functions: a task that polls needs a clone of its
/// own. The asynchronous functions can wait in any number of tasks at once.
///
/// As a `Sink` it holds up to [`Socket::MAX_BATCH`] messages until
/// it is flushed; a clone begins with none.
#[derive(Clone)]
pub struct SendHalf {
    pub(super) shared: Arc<AssociationShared>,
    waiter: Waiter,
    buffer: SinkBuffer,
}

impl SendHalf {
    pub(crate) fn new(shared: Arc<AssociationShared>) -> Self {
        Self {
            shared,
            waiter: Waiter::default(),
            buffer: SinkBuffer::default(),
        }
    }

    /// Sends one message; all of it or nothing. Waits for room in the send buffer.
    ///
    /// # Errors
    ///
    /// See [`SendError`]: nothing of the message went out.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing. A call that has returned has handed the
    /// message to the kernel, which is not yet the peer's acknowledgement.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        self.send_vectored(&message.info, &[IoSlice::new(&message.payload)])
            .await
    }

    /// Sends one message if there is room now.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when the send buffer is
    /// full, and as [`SendHalf::send`].
    pub fn try_send(&self, message: &Message) -> Result<(), SendError> {
        self.try_send_vectored(&message.info, &[IoSlice::new(&message.payload)])
    }

    /// Polls to send one message; the waker of the last task to ask through this handle is kept.
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send`].
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), SendError>> {
        self.poll_send_vectored(cx, &message.info, &[IoSlice::new(&message.payload)])
    }

    /// Sends one message whose payload lies in several places: the kernel joins them, and nothing
    /// is copied before that. At most 1,024 slices (`IOV_MAX`).
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send`]; [`SendError::TooManySlices`] for more.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing.
    pub async fn send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        let len = payload_len(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(io) = self.shared.io() else {
            return Err(self.ended());
        };
        let send = |socket: &Socket| self.shared.send(socket, info, payload);
        let result = io.write(send).await;
        result.map_err(|error| self.shared.refused(error, info, len))
    }

    /// Sends one message from several places if there is room now.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when the send buffer is
    /// full, and as [`SendHalf::send_vectored`].
    pub fn try_send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        let len = payload_len(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(socket) = self.shared.socket() else {
            return Err(self.ended());
        };
        self.shared
            .send(socket, info, payload)
            .map_err(|error| self.shared.refused(error, info, len))
    }

    /// Polls to send one message from several places; the waker of the last task to ask through
    /// this handle is kept.
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_vectored`].
    pub fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Poll<Result<(), SendError>> {
        let len = payload_len(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(io) = self.shared.io() else {
            return Poll::Ready(Err(self.ended()));
        };
        let send = |socket: &Socket| self.shared.send(socket, info, payload);
        io.poll_write(cx, &self.waiter, send)
            .map_err(|error| self.shared.refused(error, info, len))
    }

    /// Sends the messages of a queue in order, many with one system call, and lets short ones
    /// share packets. Each one that was sent has left the queue.
    ///
    /// # Errors
    ///
    /// Why the front message was refused; it has left the queue, the ones behind it are still
    /// there. Call again to go on.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent those that have left the queue, and no others.
    pub async fn send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        let Some(io) = self.shared.io() else {
            return queue.pop_front().map_or(Ok(()), |_| Err(self.ended()));
        };
        // Each run takes part in cooperative scheduling.
        while !queue.is_empty() {
            // In a waiter of its own: other tasks may use the same handle.
            io.write(|socket| self.shared.attempt_bundle(socket, queue))
                .await
                .unwrap_or_else(|error| Err(SendError::Io(error)))?;
        }
        Ok(())
    }

    /// Sends the messages of a queue as long as there is room now. Each one that was sent has left
    /// the queue.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when the send buffer is
    /// full; otherwise as [`SendHalf::send_queue`].
    pub fn try_send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        let Some(socket) = self.shared.socket() else {
            return queue.pop_front().map_or(Ok(()), |_| Err(self.ended()));
        };
        while !queue.is_empty() {
            self.shared.try_send_bundle(socket, queue)?;
        }
        Ok(())
    }

    /// Polls to send the messages of a queue; `Pending` when the send buffer is full. The waker
    /// of the last task to ask through this handle is kept.
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_queue`].
    pub fn poll_send_queue(
        &self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        let Some(io) = self.shared.io() else {
            return Poll::Ready(queue.pop_front().map_or(Ok(()), |_| Err(self.ended())));
        };
        // Each run takes part in cooperative scheduling.
        while !queue.is_empty() {
            let attempt = |socket: &Socket| self.shared.attempt_bundle(socket, queue);
            ready!(io.poll_write(cx, &self.waiter, attempt))
                .unwrap_or_else(|error| Err(SendError::Io(error)))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Begins the orderly end: whatever was sent is delivered and acknowledged, then SHUTDOWN
    /// goes out. Never waits. The end itself is told by receiving.
    ///
    /// # Errors
    ///
    /// What the kernel says; an association that has ended is no error.
    pub fn start_shutdown(&self) -> io::Result<()> {
        self.shared.start_shutdown()
    }

    /// Ends the association at once: an ABORT with the reason goes out, and what is unsent is
    /// discarded. Never waits.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) on a one-to-one socket, where Linux can send
    /// no reason. An association that has ended is no error.
    pub fn abort(&self, reason: &AbortReason) -> io::Result<()> {
        self.shared.abort(reason)
    }

    /// Waits until the association has ended, and says how.
    ///
    /// The end is queued behind the messages, so somebody must be receiving for it to be told in
    /// full. While nobody does, it is noticed within a second, as [`End::Unread`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closed(&self) -> End {
        loop {
            let ended = self.shared.ended.notified();
            if let Some(end) = self.shared.end() {
                return end.clone();
            }
            if self.shared.socket().is_none() {
                return End::Unread;
            }
            if timeout(STATUS_INTERVAL, ended).await.is_err() && !self.shared.is_present() {
                return self.shared.end().cloned().unwrap_or(End::Unread);
            }
        }
    }

    /// Returns how the association ended, if that is known.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.shared.end()
    }

    pub(crate) fn ended(&self) -> SendError {
        SendError::Ended(self.shared.end().cloned().unwrap_or(End::Unread))
    }

    /// Returns the identifier that the kernel gave the association.
    #[must_use]
    pub fn id(&self) -> AssocId {
        self.shared.id
    }

    /// Lends the socket; see [`Association::socket`].
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        self.shared.socket()
    }

    /// Returns how many streams can be sent on.
    #[must_use]
    pub fn outbound_streams(&self) -> u16 {
        self.shared.outbound_streams()
    }

    /// Waits until the peer's SCTP has acknowledged everything that was sent on the association,
    /// by any handle; messages that were given up (partial reliability) count as done. Messages
    /// sent meanwhile prolong it. Whether the peer's *application* has read them only it can say.
    ///
    /// Nobody needs to receive meanwhile, and no notification is needed: the kernel's account of
    /// unacknowledged data (`SO_MEMINFO`) is looked at whenever an acknowledgement frees some.
    ///
    /// # Errors
    ///
    /// [`SendError::Ended`] when the association ended other than in order, or when nobody has
    /// received yet how it ended: then it is not known what has arrived.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has changed nothing.
    pub async fn flushed(&self) -> Result<(), SendError> {
        let Some(io) = self.shared.io() else {
            return Err(self.ended());
        };
        // Every acknowledgement that frees a message raises the edge of writability anew
        // (`sctp_wfree`), after the account has been changed.
        let unacknowledged = |socket: &Socket| match socket.send_buffer_used() {
            Ok(0) => Ok(()),
            Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        };
        io.write(unacknowledged).await.map_err(SendError::Io)?;
        match self.shared.end() {
            Some(End::Shutdown { .. }) => Ok(()),
            Some(_) => Err(self.ended()),
            None if !self.shared.is_present() => Err(self.ended()),
            None => Ok(()),
        }
    }

    pub(super) fn shared(&self) -> &AssociationShared {
        &self.shared
    }

    /// Returns the number of messages that the sink has accepted and not sent yet.
    pub(super) fn unflushed(&self) -> usize {
        self.buffer.len()
    }

    fn poll_buffer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let mut queue = std::mem::take(&mut self.buffer.queue);
        let result = self.poll_send_queue(cx, &mut queue);
        self.buffer.queue = queue;
        result
    }

    /// Returns `true` if nothing waits to be flushed.
    pub(super) fn is_idle(&self) -> bool {
        self.buffer.is_empty()
    }
}

impl fmt::Debug for SendHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared
            .debug(f, "SendHalf")
            .field("unflushed", &self.unflushed())
            .finish()
    }
}

/// Sends messages, many with one system call.
///
/// * `poll_ready` and `start_send` take up to [`Socket::MAX_BATCH`] messages without sending
///   them, and refuse at once what cannot be sent: `feed` and `send_all` fill a batch.
/// * `poll_flush` is ready when the kernel has all of them, which is not yet the peer's
///   acknowledgement; `send` does both. An error is about one message, which is dropped with it;
///   flushing again goes on with the others.
/// * `poll_close` flushes, and then begins the orderly end *of the association*: SCTP has no half
///   close. It does not wait for the end, which receiving tells.
///
/// Dropping the handle drops what has not been flushed: nothing of it has gone out.
impl Sink<Message> for SendHalf {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let half = self.get_mut();
        if !half.buffer.is_full() {
            // Sending takes part in cooperative scheduling, but once for a batch.
            ready!(coop::poll_proceed(cx)).made_progress();
            return Poll::Ready(Ok(()));
        }
        let flushed = half.poll_buffer(cx);
        // Part of the batch may have gone out: then there is room for more.
        if flushed.is_pending() && !half.buffer.is_full() {
            return Poll::Ready(Ok(()));
        }
        flushed
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        let half = self.get_mut();
        let streams = half.shared.outbound_streams();
        check(&message.info, message.payload.len(), streams)?;
        half.buffer.queue.push_back(message);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_buffer(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let half = self.get_mut();
        ready!(half.poll_buffer(cx))?;
        if !half.buffer.closing {
            half.start_shutdown().map_err(SendError::Io)?;
            half.buffer.closing = true;
        }
        Poll::Ready(Ok(()))
    }
}
