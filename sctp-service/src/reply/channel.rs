//! Replies that a task pushes.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::mpsc;

use super::ReplyMessage;
use crate::Shutdown;

/// Pushes the messages of a reply; made by [`Reply::channel`](crate::Reply::channel).
///
/// Clones push into the same reply. It ends when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct ReplySender(mpsc::Sender<Result<ReplyMessage, Shutdown>>);

impl ReplySender {
    /// Pushes a message, and waits for room: the channel fills when the peer does not read.
    ///
    /// # Errors
    ///
    /// [`ReplyClosed`] when the association has ended, or the reply was dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before it completes, nothing was pushed.
    pub async fn send(&self, message: impl Into<ReplyMessage>) -> Result<(), ReplyClosed> {
        self.0
            .send(Ok(message.into()))
            .await
            .map_err(|_| ReplyClosed(()))
    }

    /// Ends the reply and the association. Messages that were pushed before go out first, unless
    /// it is [`Shutdown::Abort`], which discards what is unsent.
    ///
    /// # Errors
    ///
    /// [`ReplyClosed`] when the association has ended, or the reply was dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before it completes, the association lives on.
    pub async fn shutdown(self, shutdown: Shutdown) -> Result<(), ReplyClosed> {
        self.0
            .send(Err(shutdown))
            .await
            .map_err(|_| ReplyClosed(()))
    }

    /// Resolves when nobody listens any more: the association has ended, or the reply was
    /// dropped.
    ///
    /// # Cancel safety
    ///
    /// It can be cancelled and called again.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// The association has ended, or the reply was dropped, so nothing more can be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyClosed(());

impl fmt::Display for ReplyClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the association has ended, or the reply was dropped")
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
