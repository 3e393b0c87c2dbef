//! Replies that are sent by a task.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::mpsc;

use super::ReplyMessage;
use crate::Shutdown;

/// Sender of the messages of a reply, created by [`Reply::channel`](crate::Reply::channel).
///
/// Clones send into the same reply. The reply ends when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct ReplySender(mpsc::Sender<Result<ReplyMessage, Shutdown>>);

impl ReplySender {
    /// Sends a message. Waits while the channel is full, for example because the peer does not
    /// read.
    ///
    /// # Errors
    ///
    /// [`ReplyClosed`] if the association has closed, or the reply was dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: if the future is dropped before it completes, the message is not sent.
    pub async fn send(&self, message: impl Into<ReplyMessage>) -> Result<(), ReplyClosed> {
        self.0
            .send(Ok(message.into()))
            .await
            .map_err(|_| ReplyClosed(()))
    }

    /// Ends the reply and closes the association. Earlier messages are sent first, except with
    /// [`Shutdown::Abort`], which discards unsent messages.
    ///
    /// # Errors
    ///
    /// [`ReplyClosed`] if the association has closed, or the reply was dropped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the association stays open, and the sender is
    /// dropped.
    pub async fn shutdown(self, shutdown: Shutdown) -> Result<(), ReplyClosed> {
        self.0
            .send(Err(shutdown))
            .await
            .map_err(|_| ReplyClosed(()))
    }

    /// Completes when the association has closed, or the reply was dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// Error of a [`ReplySender`] whose association has closed, or whose reply was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyClosed(());

impl fmt::Display for ReplyClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("association closed or reply dropped")
    }
}

impl std::error::Error for ReplyClosed {}

pub(super) struct ReplyReceiver(mpsc::Receiver<Result<ReplyMessage, Shutdown>>);

impl Stream for ReplyReceiver {
    type Item = Result<ReplyMessage, Shutdown>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

pub(super) fn channel(capacity: usize) -> (ReplySender, ReplyReceiver) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    (ReplySender(sender), ReplyReceiver(receiver))
}
