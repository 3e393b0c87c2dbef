//! The receiving half of an association.

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
use sctp_core::{AbortReason, AssocChange, AssocChangeState, Notification, Part, RecvInfo};
use tokio::{
    task::coop,
    time::{Instant, Sleep, sleep},
};

use super::{
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

/// How often the association's state is looked at while nobody reads: the end is queued behind
/// the unread messages, and on a peeled-off socket nothing else tells.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// What the peer hears when it exceeds the message limit.
const TOO_LARGE: AbortReason = AbortReason::from_static("message too large");

/// The receiving half of an [`Association`](crate::Association), made by
/// [`split`](crate::Association::split).
///
/// Dropping it does not end the association; but once the receive buffer is full the peer can
/// send nothing more, and the end of the association goes unheard. If messages were unread, the
/// association is aborted when the last [`SendHalf`](crate::SendHalf) is dropped.
pub struct RecvHalf {
    pub(super) shared: Arc<AssociationShared>,
    reassembler: Reassembler,
    parts: VecDeque<Part>,
    /// The end has been read, and is told once everything queued behind it has been: reports of
    /// failed sends come after it.
    pending_end: Option<End>,
    /// An error of the socket that the queue has not explained yet.
    pending_error: Option<io::Error>,
    status_timer: Option<Pin<Box<Sleep>>>,
    eof: EofState,
    /// The stream of messages has ended.
    stream_ended: bool,
}

/// The next thing that happened, a message still in the buffer that it was received into.
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
        }
    }

    /// Receives the next whole message; `None` after an orderly end. Notifications are passed
    /// over; [`RecvHalf::next_event`] tells them.
    ///
    /// # Errors
    ///
    /// [`RecvError::Ended`] when the association was aborted or lost, and what
    /// [`RecvHalf::next_event`] says.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn recv(&mut self) -> Result<Option<Received>, RecvError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next whole message; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Received>, RecvError>> {
        self.poll_recv_mut(cx)
            .map_ok(|message| message.map(|(payload, info)| Received::new(payload, info)))
    }

    /// The same, with a payload that can be changed in place.
    pub(crate) fn poll_recv_mut(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<(BytesMut, RecvInfo)>, RecvError>> {
        loop {
            return Poll::Ready(match ready!(self.poll_recv_event(cx))? {
                RecvEvent::Message(payload, info) => Ok(Some((payload, info))),
                RecvEvent::Event(Event::Ended(end)) if end.is_orderly() => Ok(None),
                RecvEvent::Event(Event::Ended(end)) => Err(RecvError::Ended(end)),
                RecvEvent::Event(_) => continue,
            });
        }
    }

    /// Receives a whole message that is already there; `None` after an orderly end.
    ///
    /// # Errors
    ///
    /// `Io` with [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and as
    /// [`RecvHalf::recv`].
    pub fn try_recv(&mut self) -> Result<Option<Received>, RecvError> {
        loop {
            return match self.try_next_event()? {
                Event::Message(message) => Ok(Some(message)),
                Event::Notification(_) => continue,
                Event::Ended(end) if end.is_orderly() => Ok(None),
                Event::Ended(end) => Err(RecvError::Ended(end)),
            };
        }
    }

    /// Receives the next thing that happens. After [`Event::Ended`] it answers the same again.
    ///
    /// # Errors
    ///
    /// [`RecvError::TooLarge`] when the peer exceeded the message limit, and was aborted for it;
    /// [`RecvError::Io`] for anything unexpected that the kernel says. Asking again goes on: with
    /// the end, if the association is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn next_event(&mut self) -> Result<Event, RecvError> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    /// Polls for the next thing that happens; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::next_event`].
    pub fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.poll_recv_event(cx).map_ok(Event::from)
    }

    fn poll_recv_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<RecvEvent, RecvError>> {
        // A receive takes part in cooperative scheduling, but is needed once for a batch.
        if !self.parts.is_empty() || self.is_over() || self.shared.end().is_some() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        loop {
            if let Some(event) = self.next_queued() {
                return Poll::Ready(event);
            }
            if let Some(end) = self.shared.end() {
                return Poll::Ready(Ok(RecvEvent::Event(Event::Ended(end.clone()))));
            }
            let shared = Arc::clone(&self.shared);
            let Some(io) = shared.io() else {
                return Poll::Ready(Ok(RecvEvent::Event(self.reached_end())));
            };
            let is_over = self.is_over();
            if ready!(self.eof.poll(cx, is_over, || shared.is_present())) == Step::Closed {
                return Poll::Ready(Ok(RecvEvent::Event(self.reached_eof())));
            }
            // Over, or failing: what is still queued is read without waiting, for nothing more
            // will ever wake this task.
            let over = self.is_over();
            let parts = &mut self.parts;
            let result = if over {
                receive(io.socket(), parts).map(drop)
            } else {
                ready!(io.poll_receive(cx, parts))
            };
            if let Some(event) = self.after_receive(result) {
                return Poll::Ready(event.map(RecvEvent::Event));
            }
        }
    }

    /// Receives what is already there.
    ///
    /// # Errors
    ///
    /// `Io` with [`WouldBlock`](io::ErrorKind::WouldBlock) when there is nothing, and as
    /// [`RecvHalf::next_event`].
    pub fn try_next_event(&mut self) -> Result<Event, RecvError> {
        loop {
            if let Some(event) = self.next_queued() {
                return event.map(Event::from);
            }
            if let Some(end) = self.shared.end() {
                return Ok(Event::Ended(end.clone()));
            }
            let shared = Arc::clone(&self.shared);
            let Some(socket) = shared.socket() else {
                return Ok(self.reached_end());
            };
            match self.eof.try_next(self.is_over(), || shared.is_present()) {
                Step::Receive => {}
                Step::Wait => return Err(RecvError::Io(io::ErrorKind::WouldBlock.into())),
                Step::Closed => return Ok(self.reached_eof()),
            }
            let settled = !self.is_over();
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

    /// What to say after a receive, if anything yet.
    fn after_receive(&mut self, result: io::Result<()>) -> Option<Result<Event, RecvError>> {
        match result {
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Ok(self.reached_end())),
            // An ICMP error, told of because of `IP_RECVERR`. The association goes on, and decides by
            // its own count when to give up (RFC 9260 section 8.1).
            Err(error) if is_network_error(&error) && self.shared.is_present() => None,
            Err(error) if is_network_error(&error) => {
                // Reported before what is still queued, and only once: remember it, and read on.
                if self.pending_error.replace(error).is_some() {
                    return Some(Ok(self.reached_end()));
                }
                None
            }
            Err(error) => Some(Err(RecvError::Io(error))),
        }
    }

    /// Polls for the end while messages are *not* received: for a server that has all it can do,
    /// and still must not work for a peer that has gone. Finds out within a second. What is
    /// queued stays queued; when it hides how the association ended, the answer is
    /// [`End::Unread`].
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<End> {
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

    /// Decodes queued parts up to the next thing worth telling.
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
                // If even the abort fails, the next receive says why.
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

    /// Takes note of what a notification means for the association. What remains is told.
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

    /// Whether everything that was received has been told.
    pub(super) fn is_idle(&self) -> bool {
        self.parts.is_empty() && self.reassembler.is_empty() && !self.is_over()
    }

    /// Whether the end is known, or an error says that it is near: nothing more will come.
    fn is_over(&self) -> bool {
        self.pending_end.is_some() || self.pending_error.is_some()
    }

    /// Reads are empty for good: the end, orderly unless something else is known.
    fn reached_eof(&mut self) -> Event {
        if !self.is_over() {
            self.pending_end = Some(End::Shutdown {
                by: self.shared.tracker.shut_down_by(),
            });
        }
        self.reached_end()
    }

    /// Nothing more is queued: tells the end.
    fn reached_end(&mut self) -> Event {
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
        Event::Ended(self.shared.set_end(end).clone())
    }

    /// Returns the number of parts that were received and not returned yet.
    pub(super) fn unread(&self) -> usize {
        self.parts.len()
    }

    /// Returns the largest message that is received, in bytes.
    pub(super) fn max_message_size(&self) -> usize {
        self.reassembler.limit()
    }
}

impl Drop for RecvHalf {
    fn drop(&mut self) {
        let is_unread = has_message(&self.parts) || !self.reassembler.is_empty();
        if let (true, None, Some(socket)) = (is_unread, self.shared.end(), self.shared.socket()) {
            // The kernel takes them for read, and would let the peer believe so. Nobody could be
            // told of an error.
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

#[cfg(test)]
mod tests {
    use crate::{Association, SctpListener};

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
}
