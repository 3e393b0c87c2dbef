//! The sending half of an association.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_core::{AbortReason, SendInfo, Socket};
use tokio::time::timeout;

use crate::{
    End, Message, SendError,
    recv_half::is_gone,
    send::{attempt_run, check, check_slices, length, send_one, try_send_run},
    shared::Shared,
    sink::Outgoing,
    waiters::Waiter,
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
    pub(crate) shared: Arc<Shared>,
    pub(crate) waiter: Waiter,
    pub(crate) outgoing: Outgoing,
}

impl SendHalf {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            waiter: Waiter::default(),
            outgoing: Outgoing::default(),
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
        let len = length(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(io) = self.shared.io() else {
            return Err(self.ended());
        };
        let send = |socket: &Socket| send_one(&self.shared, socket, info, payload);
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
        let len = length(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(socket) = self.shared.socket() else {
            return Err(self.ended());
        };
        send_one(&self.shared, socket, info, payload)
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
        let len = length(payload);
        check(info, len, self.shared.outbound_streams())?;
        check_slices(payload)?;
        let Some(io) = self.shared.io() else {
            return Poll::Ready(Err(self.ended()));
        };
        let send = |socket: &Socket| send_one(&self.shared, socket, info, payload);
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
            io.write(|socket| attempt_run(&self.shared, socket, queue))
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
            try_send_run(&self.shared, socket, queue)?;
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
            let attempt = |socket: &Socket| attempt_run(&self.shared, socket, queue);
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

    pub(crate) fn ended(&self) -> SendError {
        SendError::Ended(self.shared.end().cloned().unwrap_or(End::Unread))
    }
}
