//! Associations as streams of messages and sinks for them.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::stream::{FusedStream, Stream};
use futures_sink::Sink;
use sctp_core::Socket;
use tokio::task::coop;

use crate::{
    Association, Endpoint, EndpointEvent, Message, Received, RecvError, RecvHalf, SctpListener,
    SendError, SendHalf, send::check,
};

/// How many messages a sink holds: as many as go out with one system call.
const CAPACITY: usize = Socket::MAX_BATCH;

/// The messages that a sink has taken and not yet sent. A clone of the handle has its own.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    queue: VecDeque<Message>,
    closing: bool,
}

impl Outgoing {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

impl Clone for Outgoing {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Whole messages, and nothing after an orderly end. When the association was aborted or lost, the
/// last item is [`RecvError::Ended`]. Other errors are not the end of the stream.
///
/// Dropping the stream's `next` future has taken nothing. Notifications are passed over;
/// `futures::stream::poll_fn` makes a stream of [`poll_next_event`](Self::poll_next_event) that has them.
impl Stream for RecvHalf {
    type Item = Result<Received, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let half = self.get_mut();
        if half.stream_ended {
            return Poll::Ready(None);
        }
        let item = ready!(half.poll_recv(cx)).transpose();
        half.stream_ended = matches!(item, None | Some(Err(RecvError::Ended(_))));
        Poll::Ready(item)
    }
}

impl FusedStream for RecvHalf {
    fn is_terminated(&self) -> bool {
        self.stream_ended
    }
}

/// As for [`RecvHalf`].
impl Stream for Association {
    type Item = Result<Received, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.get_mut().receiver).poll_next(cx)
    }
}

impl FusedStream for Association {
    fn is_terminated(&self) -> bool {
        self.receiver.is_terminated()
    }
}

/// What happens on the associations of an endpoint; it never ends. An error is not the end of the
/// stream either.
impl Stream for Endpoint {
    type Item = Result<EndpointEvent, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next_event(cx).map(Some)
    }
}

/// The associations that come up; it never ends. An error is not the end of the stream, see
/// [`SctpListener::accept`].
impl Stream for SctpListener {
    type Item = io::Result<Association>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(cx).map(Some)
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
        if half.outgoing.queue.len() < CAPACITY {
            // Sending takes part in cooperative scheduling, but once for a batch.
            ready!(coop::poll_proceed(cx)).made_progress();
            return Poll::Ready(Ok(()));
        }
        let flushed = half.poll_outgoing(cx);
        // Part of the batch may have gone out: then there is room for more.
        if flushed.is_pending() && half.outgoing.queue.len() < CAPACITY {
            return Poll::Ready(Ok(()));
        }
        flushed
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        let half = self.get_mut();
        let streams = half.shared.outbound_streams();
        check(&message.info, message.payload.len(), streams)?;
        half.outgoing.queue.push_back(message);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_outgoing(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let half = self.get_mut();
        ready!(half.poll_outgoing(cx))?;
        if !half.outgoing.closing {
            half.start_shutdown().map_err(SendError::Io)?;
            half.outgoing.closing = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl SendHalf {
    /// Whether nothing waits to be flushed.
    pub(crate) fn is_idle(&self) -> bool {
        self.outgoing.queue.is_empty()
    }

    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let mut queue = std::mem::take(&mut self.outgoing.queue);
        let result = self.poll_send_queue(cx, &mut queue);
        self.outgoing.queue = queue;
        result
    }
}

/// As for [`SendHalf`].
impl Sink<Message> for Association {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().sender).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        Pin::new(&mut self.get_mut().sender).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().sender).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().sender).poll_close(cx)
    }
}
