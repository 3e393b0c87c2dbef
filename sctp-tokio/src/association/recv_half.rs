//! Receiving half of an association.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use futures_core::stream::{FusedStream, Stream};
use sctp_core::{
    AbortReason, AssocChange, AssocChangeState, AssocId, Notification, Part, RecvInfo,
};
use tokio::{
    task::coop,
    time::{Instant, Sleep, sleep},
};

use super::{
    control::Control,
    end::{End, Side, end_of},
    eof::{EofState, Step},
    shared::AssociationShared,
};
use crate::{
    error::RecvError,
    event::Event,
    io::{
        reassembly::{Reassembled, Reassembler},
        recv_batch::{abort_on_close, has_message, is_network_error, receive, release_queue},
    },
    message::Received,
};

/// Interval between checks of the association's state while nothing is received.
///
/// The notification of the end is queued behind unread messages, and nothing else on a peeled-off
/// socket reports the end.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Abort reason for a peer that exceeds the message limit.
const TOO_LARGE: AbortReason = AbortReason::from_static("message too large");

/// Receiving half of an [`Association`](crate::Association), created by
/// [`split`](crate::Association::split).
///
/// Dropping this half does not close the association. Once the receive buffer is full, flow control
/// stops the peer, and the end of the association is not detected. If messages were unread, the
/// association is aborted when the last [`SendHalf`](crate::SendHalf) is dropped.
pub struct RecvHalf {
    pub(super) shared: Arc<AssociationShared>,
    reassembler: Reassembler,
    parts: VecDeque<Part>,
    /// End that has been received, returned after the reports of failed sends that are queued
    /// behind it.
    pending_end: Option<End>,
    /// Error of the socket for which no notification has been received yet.
    pending_error: Option<io::Error>,
    status_timer: Option<Pin<Box<Sleep>>>,
    eof: EofState,
    /// Set once the `Stream` has returned its last item.
    stream_ended: bool,
    /// Set while the user of a byte stream has not read the last message to its end.
    pub(crate) half_read: bool,
}

/// Event whose payload is still in the receive buffer.
#[derive(Debug)]
pub(crate) enum RecvEvent {
    Message(BytesMut, RecvInfo),
    /// Anything but a message.
    Event(Event),
}

impl From<RecvEvent> for Event {
    fn from(event: RecvEvent) -> Self {
        match event {
            RecvEvent::Message(payload, info) => Self::Message(Received::new(payload, info)),
            RecvEvent::Event(event) => event,
        }
    }
}

impl RecvHalf {
    pub(crate) fn new(
        shared: Arc<AssociationShared>,
        reassembler: Reassembler,
        parts: VecDeque<Part>,
    ) -> Self {
        Self {
            shared,
            reassembler,
            parts,
            pending_end: None,
            pending_error: None,
            status_timer: None,
            eof: EofState::default(),
            stream_ended: false,
            half_read: false,
        }
    }

    /// Receives the next message, or `None` after a shutdown.
    ///
    /// Notifications are skipped; [`next_event`](Self::next_event) returns them.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Closed`] if the association was aborted or lost, and the errors of
    /// [`next_event`](Self::next_event).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv(&mut self) -> Result<Option<Received>, RecvError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next message. Only the waker of the most recent call is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Received>, RecvError>> {
        self.poll_recv_mut(cx)
            .map_ok(|message| message.map(|(payload, info)| Received::new(payload, info)))
    }

    /// Polls for the next message, in a buffer that can be modified in place.
    pub(crate) fn poll_recv_mut(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<(BytesMut, RecvInfo)>, RecvError>> {
        loop {
            return Poll::Ready(match ready!(self.poll_recv_event(cx))? {
                RecvEvent::Message(payload, info) => Ok(Some((payload, info))),
                RecvEvent::Event(Event::Closed(end)) if end.is_orderly() => Ok(None),
                RecvEvent::Event(Event::Closed(end)) => Err(RecvError::Closed(end)),
                RecvEvent::Event(_) => continue,
            });
        }
    }

    /// Receives a message that has already arrived, or `None` after a shutdown.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Io`] of kind [`WouldBlock`](io::ErrorKind::WouldBlock) if there is
    /// none, and the errors of [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<Received>, RecvError> {
        loop {
            return match self.try_next_event()? {
                Event::Message(message) => Ok(Some(message)),
                Event::Notification(_) => continue,
                Event::Closed(end) if end.is_orderly() => Ok(None),
                Event::Closed(end) => Err(RecvError::Closed(end)),
            };
        }
    }

    /// Receives the next event. After [`Event::Closed`] every call returns that event again.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::TooLarge`] if a message exceeded the limit, after which the peer is
    /// aborted, and [`RecvError::Io`] for an unexpected error of the kernel. Further calls continue
    /// after the error.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn next_event(&mut self) -> Result<Event, RecvError> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    /// Polls for the next event. Only the waker of the most recent call is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`next_event`](Self::next_event).
    pub fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.poll_recv_event(cx).map_ok(Event::from)
    }

    fn poll_recv_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<RecvEvent, RecvError>> {
        // A receive consumes tokio's cooperative budget, but is needed only once per batch.
        if !self.parts.is_empty() || self.is_closing() || self.shared.end().is_some() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        loop {
            if let Some(event) = self.next_queued() {
                return Poll::Ready(event);
            }
            if let Some(end) = self.shared.end() {
                return Poll::Ready(Ok(RecvEvent::Event(Event::Closed(end.clone()))));
            }
            let shared = Arc::clone(&self.shared);
            let Some(io) = shared.io() else {
                return Poll::Ready(Ok(RecvEvent::Event(self.closed())));
            };
            let is_closing = self.is_closing();
            if ready!(self.eof.poll(cx, is_closing, || shared.is_present())) == Step::Closed {
                return Poll::Ready(Ok(RecvEvent::Event(self.closed_by_eof())));
            }
            // After the end or a final error, the rest of the queue is read without waiting,
            // because nothing will wake this task.
            let closing = self.is_closing();
            let parts = &mut self.parts;
            let result = if closing {
                receive(io.socket(), parts).map(drop)
            } else {
                ready!(io.poll_receive(cx, parts))
            };
            if let Some(event) = self.after_receive(result) {
                return Poll::Ready(event.map(RecvEvent::Event));
            }
        }
    }

    /// Receives an event that has already arrived.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Io`] of kind [`WouldBlock`](io::ErrorKind::WouldBlock) if there is
    /// none, and the errors of [`next_event`](Self::next_event).
    pub fn try_next_event(&mut self) -> Result<Event, RecvError> {
        loop {
            if let Some(event) = self.next_queued() {
                return event.map(Event::from);
            }
            if let Some(end) = self.shared.end() {
                return Ok(Event::Closed(end.clone()));
            }
            let shared = Arc::clone(&self.shared);
            let Some(socket) = shared.socket() else {
                return Ok(self.closed());
            };
            match self.eof.try_next(self.is_closing(), || shared.is_present()) {
                Step::Receive => {}
                Step::Wait => return Err(RecvError::Io(io::ErrorKind::WouldBlock.into())),
                Step::Closed => return Ok(self.closed_by_eof()),
            }
            let settled = !self.is_closing();
            match receive(socket, &mut self.parts).map(drop) {
                Err(error) if settled && error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(RecvError::Io(error));
                }
                result => {
                    if let Some(event) = self.after_receive(result) {
                        return event;
                    }
                }
            }
        }
    }

    /// Returns the result of a receive that returned no data, if there is one yet.
    fn after_receive(&mut self, result: io::Result<()>) -> Option<Result<Event, RecvError>> {
        match result {
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Ok(self.closed())),
            // An ICMP error, reported because of `IP_RECVERR`. The association continues until its
            // own error counter exceeds the limit (RFC 9260 section 8.1).
            Err(error) if is_network_error(&error) && self.shared.is_present() => None,
            Err(error) if is_network_error(&error) => {
                // The kernel returns the error once, ahead of the queue: store it and read the
                // rest.
                if self.pending_error.replace(error).is_some() {
                    return Some(Ok(self.closed()));
                }
                None
            }
            Err(error) => Some(Err(RecvError::Io(error))),
        }
    }

    /// Polls for the end of the association without receiving.
    ///
    /// Lets a server that applies backpressure notice that the peer is gone. The end is detected
    /// within a second. Queued events stay queued. If the end is behind unread messages, the result
    /// is [`End::Unread`].
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Some(end) = self.shared.end() {
                return Poll::Ready(end.clone());
            }
            if !self.shared.is_present() {
                return Poll::Ready(End::Unread);
            }
            let timer = self
                .status_timer
                .get_or_insert_with(|| Box::pin(sleep(STATUS_INTERVAL)));
            ready!(timer.as_mut().poll(cx));
            timer.as_mut().reset(Instant::now() + STATUS_INTERVAL);
        }
    }

    /// Decodes queued parts up to the next event.
    fn next_queued(&mut self) -> Option<Result<RecvEvent, RecvError>> {
        while let Some(part) = self.parts.pop_front() {
            if let Some(event) = self.decode(part) {
                return Some(event);
            }
        }
        release_queue(&mut self.parts);
        None
    }

    fn decode(&mut self, part: Part) -> Option<Result<RecvEvent, RecvError>> {
        match self.reassembler.push(part) {
            Reassembled::Incomplete => None,
            Reassembled::Message(payload, info) => Some(Ok(RecvEvent::Message(payload, info))),
            Reassembled::Notification(notification) => {
                let event = self.on_notification(notification)?;
                Some(Ok(RecvEvent::Event(event)))
            }
            Reassembled::TooLarge(_) => {
                // If the abort fails too, the next receive returns the reason.
                let _ = self.shared.abort(&TOO_LARGE);
                Some(Err(RecvError::TooLarge {
                    limit: self.reassembler.limit(),
                }))
            }
            Reassembled::EndOfStream => {
                self.eof.empty_read();
                None
            }
            Reassembled::Malformed(what) => Some(Err(RecvError::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                what,
            )))),
        }
    }

    /// Updates the association's state. Returns the notification if it is to be passed to the
    /// caller.
    fn on_notification(&mut self, notification: Notification) -> Option<Event> {
        match notification {
            Notification::AssocChange(change) => return self.on_change(change),
            Notification::Shutdown { .. } => self.shared.tracker.note_shutdown(Side::Peer),
            Notification::PartialDelivery(ref event) => self.reassembler.forget_partial(event),
            Notification::StreamChange(_) => self.shared.ask_streams(),
            _ => {}
        }
        Some(Event::Notification(notification))
    }

    fn on_change(&mut self, change: AssocChange) -> Option<Event> {
        match change.state {
            AssocChangeState::CommUp => return None,
            AssocChangeState::Restart => {
                self.reassembler.forget(change.assoc);
                self.shared
                    .set_streams(change.outbound_streams, change.inbound_streams);
                return Some(Event::Notification(Notification::AssocChange(change)));
            }
            AssocChangeState::ShutdownComplete
            | AssocChangeState::CommLost
            | AssocChangeState::CantStart => {
                let shared = &self.shared;
                let pending = self.pending_error.take();
                let socket_error = || {
                    pending
                        .or_else(|| shared.socket()?.take_error().ok().flatten())
                        .map(|error| error.kind())
                        .or_else(|| shared.tracker.socket_error())
                };
                self.pending_end = Some(end_of(&change, &shared.tracker, socket_error));
            }
            _ => return Some(Event::Notification(Notification::AssocChange(change))),
        }
        self.reassembler.forget(change.assoc);
        None
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

    /// Returns `true` if everything received has been returned.
    pub(super) fn is_idle(&self) -> bool {
        self.parts.is_empty() && self.reassembler.is_empty() && !self.is_closing()
    }

    /// Returns `true` if the end or a final error is known, so that nothing more arrives.
    fn is_closing(&self) -> bool {
        self.pending_end.is_some() || self.pending_error.is_some()
    }

    /// Returns the end after end-of-file: a shutdown, unless another end is known.
    fn closed_by_eof(&mut self) -> Event {
        if !self.is_closing() {
            self.pending_end = Some(End::Shutdown {
                by: self.shared.tracker.shut_down_by(),
            });
        }
        self.closed()
    }

    /// Returns the end once nothing more is queued.
    fn closed(&mut self) -> Event {
        let end = self
            .pending_end
            .take()
            .unwrap_or_else(|| match self.pending_error.take() {
                Some(error) if error.kind() == io::ErrorKind::ConnectionReset => End::Aborted {
                    by: Side::Peer,
                    causes: sctp_core::ErrorCauses::default(),
                },
                Some(error) => End::Lost {
                    error: error.kind(),
                },
                None => End::Lost {
                    error: io::ErrorKind::NotConnected,
                },
            });
        Event::Closed(self.shared.set_end(end).clone())
    }

    /// Returns the number of received parts that have not been returned yet.
    pub(super) fn unread(&self) -> usize {
        self.parts.len()
    }

    /// Returns the size of the largest message that is received, in bytes.
    pub(super) fn max_message_size(&self) -> usize {
        self.reassembler.limit()
    }
}

impl Drop for RecvHalf {
    fn drop(&mut self) {
        let is_unread = has_message(&self.parts) || !self.reassembler.is_empty() || self.half_read;
        if let (true, None, Some(socket)) = (is_unread, self.shared.end(), self.shared.socket()) {
            // The kernel considers these messages read and would shut the association down. An
            // error cannot be returned from `drop`.
            let _ = abort_on_close(socket);
        }
    }
}

impl fmt::Debug for RecvHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared
            .debug(f, "RecvHalf")
            .field("unread", &self.parts.len())
            .finish()
    }
}

/// Yields messages, and ends after a shutdown.
///
/// If the association was aborted or lost, the last item is [`RecvError::Closed`]. Other errors do not
/// end the stream. Dropping a pending `next` future loses nothing.
///
/// Notifications are skipped. For a stream of all events, pass
/// [`poll_next_event`](Self::poll_next_event) to `futures::stream::poll_fn`.
impl Stream for RecvHalf {
    type Item = Result<Received, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let half = self.get_mut();
        if half.stream_ended {
            return Poll::Ready(None);
        }
        let item = ready!(half.poll_recv(cx)).transpose();
        half.stream_ended = matches!(item, None | Some(Err(RecvError::Closed(_))));
        Poll::Ready(item)
    }
}

impl FusedStream for RecvHalf {
    fn is_terminated(&self) -> bool {
        self.stream_ended
    }
}

#[cfg(test)]
mod tests {
    use sctp_core::{AbortReason, SendInfo};

    use crate::{
        Association, SctpListener, association::shared::ignore_already_closed, error::SendError,
    };

    use super::*;

    #[tokio::test]
    async fn network_error_of_a_live_association_is_not_its_end() {
        let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addrs().unwrap()[0];
        let mut client = Association::connect(peer).await.unwrap();
        let server = listener.accept().await.unwrap();
        let error = || Err(io::ErrorKind::HostUnreachable.into());
        for _ in 0..2 {
            assert!(client.receiver.after_receive(error()).is_none());
        }
        server.send("goes on").await.unwrap();
        let message = client.recv().await.unwrap().unwrap();
        assert_eq!(message.payload, "goes on");
        assert!(client.end().is_none());
    }

    /// With `IP_RECVERR` the error of an ICMP message stays pending, and is returned instead of
    /// `EPIPE`.
    #[tokio::test]
    async fn network_error_pending_on_closed_association_is_its_end() {
        let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addrs().unwrap()[0];
        let client = Association::connect(peer).await.unwrap();
        let _server = listener.accept().await.unwrap();
        let shared = &client.receiver.shared;
        let unreachable = || io::ErrorKind::HostUnreachable.into();
        let send_error = || shared.send_error(unreachable(), &SendInfo::default(), 1);
        let ignored = || ignore_already_closed(Err(unreachable()), || shared.is_present());
        // The association is still established.
        assert!(matches!(send_error(), SendError::Io(_)));
        assert!(ignored().is_err());
        client.abort(&AbortReason::from_static("gone")).unwrap();
        assert!(matches!(send_error(), SendError::Closed(End::Unread)));
        ignored().unwrap();
    }
}
