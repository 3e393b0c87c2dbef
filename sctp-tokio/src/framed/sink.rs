//! Sink that sends messages in batches.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_sink::Sink;
use sctp_core::Socket;
use tokio::task::coop;

use crate::{
    association::{Association, send_half::SendHalf},
    error::SendError,
    message::Message,
};

/// Sends messages of an association in batches, as a `Sink`. Created by
/// [`Association::sink`] and [`SendHalf::into_sink`].
///
/// * `poll_ready` and `start_send` accept up to [`Socket::MAX_BATCH`] messages without sending
///   them, and reject invalid ones at once. `feed` and `send_all` fill a batch.
/// * `poll_flush` completes when the kernel has all messages, which is before the peer
///   acknowledges them. An error concerns one message, which is dropped. Flushing again continues
///   with the others.
/// * `poll_close` flushes, and then starts the shutdown *of the association*: SCTP has no half close.
///   It does not wait for the SHUTDOWN handshake.
///
/// Dropping the sink drops messages that have not been flushed. [`into_parts`](Self::into_parts)
/// returns them.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use futures::SinkExt;
/// use sctp_tokio::{Association, Message};
///
/// let association = Association::connect("127.0.0.1:9877").await?;
/// let mut sink = association.sink();
/// for line in ["one", "two", "three"] {
///     sink.feed(Message::new(line)).await?;
/// }
/// sink.flush().await?;
/// # Ok(())
/// # }
/// ```
pub struct MessageSink {
    sender: SendHalf,
    batch: Batch,
}

impl MessageSink {
    fn new(sender: SendHalf) -> Self {
        Self {
            sender,
            batch: Batch::default(),
        }
    }

    /// Returns the handle that the sink sends with. Messages sent through the handle overtake those
    /// that have not been flushed.
    pub fn get_ref(&self) -> &SendHalf {
        &self.sender
    }

    /// Returns the handle and the messages that have not been sent.
    #[must_use]
    pub fn into_parts(self) -> (SendHalf, VecDeque<Message>) {
        (self.sender, self.batch.queue)
    }
}

/// Conversion into a `Sink`.
impl SendHalf {
    /// Converts the handle into a `Sink`, which sends in batches.
    #[must_use]
    pub fn into_sink(self) -> MessageSink {
        MessageSink::new(self)
    }
}

/// Conversion into a `Sink`.
impl Association {
    /// Returns a `Sink` with its own handle for sending; see [`MessageSink`].
    ///
    /// The socket stays open while the sink exists, even if the association is closed.
    #[must_use]
    pub fn sink(&self) -> MessageSink {
        self.sender().into_sink()
    }
}

impl fmt::Debug for MessageSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.sender.shared();
        shared
            .debug(f, "MessageSink")
            .field("unflushed", &self.batch.queue.len())
            .finish()
    }
}

impl Sink<Message> for MessageSink {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let sink = self.get_mut();
        sink.batch.poll_ready(cx, &mut sink.sender)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        let sink = self.get_mut();
        sink.batch.start_send(&sink.sender, message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let sink = self.get_mut();
        sink.batch.poll_flush(cx, &mut sink.sender)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let sink = self.get_mut();
        sink.batch.poll_close(cx, &mut sink.sender)
    }
}

/// Messages that a sink has accepted and not sent yet.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) queue: VecDeque<Message>,
    closing: bool,
}

impl Batch {
    pub(super) fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        sender: &mut SendHalf,
    ) -> Poll<Result<(), SendError>> {
        if !self.is_full() {
            // Sending consumes tokio's cooperative budget once per batch.
            ready!(coop::poll_proceed(cx)).made_progress();
            return Poll::Ready(Ok(()));
        }
        let flushed = sender.poll_send_queue(cx, &mut self.queue);
        // Part of the batch may have been sent, which leaves space for more.
        if flushed.is_pending() && !self.is_full() {
            return Poll::Ready(Ok(()));
        }
        flushed
    }

    pub(super) fn start_send(
        &mut self,
        sender: &SendHalf,
        message: Message,
    ) -> Result<(), SendError> {
        sender.check(&message)?;
        self.queue.push_back(message);
        Ok(())
    }

    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        sender: &mut SendHalf,
    ) -> Poll<Result<(), SendError>> {
        sender.poll_send_queue(cx, &mut self.queue)
    }

    pub(super) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        sender: &mut SendHalf,
    ) -> Poll<Result<(), SendError>> {
        ready!(self.poll_flush(cx, sender))?;
        if !self.closing {
            sender.start_shutdown().map_err(SendError::Io)?;
            self.closing = true;
        }
        Poll::Ready(Ok(()))
    }

    fn is_full(&self) -> bool {
        self.queue.len() >= Socket::MAX_BATCH
    }
}

/// Shows the number of messages, and not their contents.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("unflushed", &self.queue.len())
            .field("closing", &self.closing)
            .finish()
    }
}
