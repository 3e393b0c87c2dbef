//! Sending half of an association.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_core::{AbortReason, AssocId, SendInfo, Socket};
use tokio::time::timeout;

use super::{control::Control, end::End, shared::AssociationShared};
use crate::{
    error::SendError,
    io::wakers::Waiter,
    message::{Message, check, check_slices, payload_len},
};

/// Interval between checks of the association's state in [`SendHalf::closed`].
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Sending half of an [`Association`](crate::Association), created by
/// [`split`](crate::Association::split) and [`sender`](crate::Association::sender).
///
/// Handles are cheap to clone, and messages sent through different clones are not interleaved. The
/// async methods can be used by any number of tasks at once. A handle keeps one waker for its
/// `poll_` methods, which therefore take `&mut self`: a task that polls needs its own clone.
///
/// [`into_sink`](Self::into_sink) converts a handle into a `Sink`.
#[derive(Clone)]
pub struct SendHalf {
    pub(super) shared: Arc<AssociationShared>,
    waiter: Waiter,
}

impl SendHalf {
    pub(crate) fn new(shared: Arc<AssociationShared>) -> Self {
        Self {
            shared,
            waiter: Waiter::default(),
        }
    }

    /// Sends a message, waiting for space in the send buffer. Messages are sent whole or not at all.
    ///
    /// Completes when the kernel has accepted the message, which is before the peer acknowledges
    /// it.
    ///
    /// # Errors
    ///
    /// Returns a [`SendError`] if the message was rejected. No part of it was sent.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future before completion sends nothing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        self.send_vectored(&message.info, &[IoSlice::new(&message.payload)])
            .await
    }

    /// Sends a message if the send buffer has space.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Full`] if the send buffer is full, and the errors of
    /// [`send`](Self::send).
    pub fn try_send(&self, message: &Message) -> Result<(), SendError> {
        self.try_send_vectored(&message.info, &[IoSlice::new(&message.payload)])
    }

    /// Polls to send a message. Only the waker of the most recent call on this handle is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](Self::send).
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), SendError>> {
        self.poll_send_vectored(cx, &message.info, &[IoSlice::new(&message.payload)])
    }

    /// Sends a message whose payload is in several buffers, at most 1,024 (`IOV_MAX`). The kernel
    /// joins them.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](Self::send), and [`SendError::TooManySlices`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future before completion sends nothing.
    pub async fn send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        let len = payload_len(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(io) = self.shared.io() else {
            return Err(self.closed_error());
        };
        let send = |socket: &Socket| self.shared.send(socket, info, payload);
        let result = io.write(send).await;
        result.map_err(|error| self.shared.send_error(error, info, len))
    }

    /// Sends a message from several buffers if the send buffer has space.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Full`] if the send buffer is full, and the errors of
    /// [`send_vectored`](Self::send_vectored).
    pub fn try_send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        let len = payload_len(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(socket) = self.shared.socket() else {
            return Err(self.closed_error());
        };
        self.shared
            .send(socket, info, payload)
            .map_err(|error| self.shared.send_error(error, info, len))
    }

    /// Polls to send a message from several buffers. Only the waker of the most recent call on this
    /// handle is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`send_vectored`](Self::send_vectored).
    pub fn poll_send_vectored(
        &mut self,
        cx: &mut Context<'_>,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Poll<Result<(), SendError>> {
        let len = payload_len(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(io) = self.shared.io() else {
            return Poll::Ready(Err(self.closed_error()));
        };
        let send = |socket: &Socket| self.shared.send(socket, info, payload);
        io.poll_write(cx, &self.waiter, send)
            .map_err(|error| self.shared.send_error(error, info, len))
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
    pub async fn send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        let Some(io) = self.shared.io() else {
            return queue
                .pop_front()
                .map_or(Ok(()), |_| Err(self.closed_error()));
        };
        // Each bundle consumes tokio's cooperative budget.
        while !queue.is_empty() {
            // With its own waiter: other tasks may use the same handle.
            io.write(|socket| self.shared.attempt_bundle(socket, queue))
                .await
                .unwrap_or_else(|error| Err(SendError::Io(error)))?;
        }
        Ok(())
    }

    /// Sends messages of a queue while the send buffer has space. Messages leave the queue when
    /// they are sent.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Full`] if the send buffer is full, and the errors of
    /// [`send_queue`](Self::send_queue).
    pub fn try_send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        let Some(socket) = self.shared.socket() else {
            return queue
                .pop_front()
                .map_or(Ok(()), |_| Err(self.closed_error()));
        };
        while !queue.is_empty() {
            self.shared.try_send_bundle(socket, queue)?;
        }
        Ok(())
    }

    /// Polls to send all messages of a queue. Pending while the send buffer is full. Only the waker
    /// of the most recent call on this handle is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`send_queue`](Self::send_queue).
    pub fn poll_send_queue(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        let Some(io) = self.shared.io() else {
            return Poll::Ready(
                queue
                    .pop_front()
                    .map_or(Ok(()), |_| Err(self.closed_error())),
            );
        };
        // Each bundle consumes tokio's cooperative budget.
        while !queue.is_empty() {
            let attempt = |socket: &Socket| self.shared.attempt_bundle(socket, queue);
            ready!(io.poll_write(cx, &self.waiter, attempt))
                .unwrap_or_else(|error| Err(SendError::Io(error)))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Starts the shutdown without waiting: everything that was sent is delivered and acknowledged,
    /// then SHUTDOWN is sent. [`Event::Closed`](crate::Event::Closed) reports completion.
    ///
    /// # Errors
    ///
    /// Returns errors of the system calls. A closed association is not an error.
    pub fn start_shutdown(&self) -> io::Result<()> {
        self.shared.start_shutdown()
    }

    /// Aborts the association without waiting: an ABORT with the reason is sent, and unsent
    /// messages are discarded.
    ///
    /// # Errors
    ///
    /// Returns [`Unsupported`](io::ErrorKind::Unsupported) on a one-to-one socket, on which Linux
    /// cannot send a reason. A closed association is not an error.
    pub fn abort(&self, reason: &AbortReason) -> io::Result<()> {
        self.shared.abort(reason)
    }

    /// Waits until the association is closed, and returns its end.
    ///
    /// The notification of the end is queued behind unread messages, so the exact end is known only
    /// if another task receives. Otherwise the end is detected within a second, as [`End::Unread`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
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

    /// Returns the end of the association, or `None` while it is not closed.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.shared.end()
    }

    fn closed_error(&self) -> SendError {
        SendError::Closed(self.shared.end().cloned().unwrap_or(End::Unread))
    }

    /// Returns the association's identifier on its socket.
    #[must_use]
    pub fn id(&self) -> AssocId {
        self.shared.id
    }

    /// Returns a handle for options, addresses and statistics, which does not keep the socket open.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(&self.shared)
    }

    /// Returns the socket; see [`Association::socket`](crate::Association::socket).
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        self.shared.socket()
    }

    /// Returns the number of outbound streams.
    #[must_use]
    pub fn outbound_streams(&self) -> u16 {
        self.shared.outbound_streams()
    }

    /// Waits until the peer's SCTP has acknowledged everything that was sent on the association, by
    /// any handle. Messages sent meanwhile prolong the wait. Abandoned messages (partial
    /// reliability) count as acknowledged.
    ///
    /// An acknowledgement does not mean that the peer's application has read the message. The
    /// receiving half does not have to be polled meanwhile.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Closed`] if the association was aborted or lost, or if its end has not been
    /// received yet. It is then unknown which messages have arrived.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flushed(&self) -> Result<(), SendError> {
        let Some(io) = self.shared.io() else {
            return Err(self.closed_error());
        };
        io.write(has_no_unacknowledged)
            .await
            .map_err(SendError::Io)?;
        self.acknowledged()
    }

    /// Polls [`flushed`](Self::flushed). Only the waker of the most recent call is kept.
    pub(super) fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Some(io) = self.shared.io() else {
            return Poll::Ready(Err(self.closed_error()));
        };
        ready!(io.poll_write(cx, &self.waiter, has_no_unacknowledged)).map_err(SendError::Io)?;
        Poll::Ready(self.acknowledged())
    }

    /// Returns an error if no data is outstanding only because the association was closed.
    fn acknowledged(&self) -> Result<(), SendError> {
        match self.shared.end() {
            Some(End::Shutdown { .. }) => Ok(()),
            Some(_) => Err(self.closed_error()),
            None if !self.shared.is_present() => Err(self.closed_error()),
            None => Ok(()),
        }
    }

    /// Returns an error for a message that cannot be sent on this association.
    pub(crate) fn check(&self, message: &Message) -> Result<(), SendError> {
        let streams = self.shared.outbound_streams();
        check(&message.info, message.payload.len(), streams)
    }

    pub(crate) fn shared(&self) -> &AssociationShared {
        &self.shared
    }
}

impl fmt::Debug for SendHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.debug(f, "SendHalf").finish()
    }
}

/// Returns `WouldBlock` while any data is unacknowledged.
///
/// Every acknowledgement that frees a message raises a new edge of writability (`sctp_wfree`), after
/// the kernel's count of unacknowledged data has changed.
fn has_no_unacknowledged(socket: &Socket) -> io::Result<()> {
    match socket.send_buffer_used() {
        Ok(0) => Ok(()),
        Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}
