//! The sending half of an association.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sctp_core::AbortReason;
use tokio::time::timeout;

use crate::{
    End, Message, SendError,
    recv_half::is_gone,
    send::{check, poll_send_queue, send_error, send_one},
    shared::Shared,
};

/// How often a waiting [`SendHalf::closed`] looks for itself.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// The sending half of an [`Association`](crate::Association), made by
/// [`split`](crate::Association::split) and [`sender`](crate::Association::sender). Cheap to
/// clone; sends from several clones do not mix.
#[derive(Clone, Debug)]
pub struct SendHalf {
    pub(crate) shared: Arc<Shared>,
}

impl SendHalf {
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
        match self.try_send(&message) {
            Err(SendError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        let Some(io) = self.shared.io() else {
            return Err(self.ended());
        };
        let result = io
            .write(|socket| send_one(&self.shared, socket, &message))
            .await;
        result.map_err(|error| self.refused(error, &message))
    }

    /// Sends one message if there is room now.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when the send buffer is
    /// full, and as [`SendHalf::send`].
    pub fn try_send(&self, message: &Message) -> Result<(), SendError> {
        check(message, self.shared.outbound_streams())?;
        let Some(socket) = self.shared.socket() else {
            return Err(self.ended());
        };
        send_one(&self.shared, socket, message).map_err(|error| self.refused(error, message))
    }

    /// Polls to send one message; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send`].
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), SendError>> {
        match self.try_send(message) {
            Err(SendError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
        let Some(io) = self.shared.io() else {
            return Poll::Ready(Err(self.ended()));
        };
        io.poll_write(cx, |socket| send_one(&self.shared, socket, message))
            .map_err(|error| self.refused(error, message))
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
        poll_fn(|cx| self.poll_send_queue(cx, queue)).await
    }

    /// Polls to send the messages of a queue; `Pending` when the send buffer is full. The waker
    /// of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_queue`].
    pub fn poll_send_queue(
        &self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        match self.shared.io() {
            Some(io) => poll_send_queue(&self.shared, io, cx, queue),
            None => match queue.pop_front() {
                Some(_) => Poll::Ready(Err(self.ended())),
                None => Poll::Ready(Ok(())),
            },
        }
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
            let Some(socket) = self.shared.socket() else {
                return End::Unread;
            };
            if timeout(STATUS_INTERVAL, ended).await.is_err() && is_gone(socket, self.shared.id) {
                return self.shared.end().cloned().unwrap_or(End::Unread);
            }
        }
    }

    /// Returns how the association ended, if that is known.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.shared.end()
    }

    fn refused(&self, error: io::Error, message: &Message) -> SendError {
        send_error(
            error,
            message,
            self.shared.outbound_streams(),
            self.shared.end(),
        )
    }

    fn ended(&self) -> SendError {
        SendError::Ended(self.shared.end().cloned().unwrap_or(End::Unread))
    }
}
