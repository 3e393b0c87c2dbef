//! The receiving half of an association.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_core::{
    AbortReason, AssocChange, AssocId, AssocState, Notification, Part, Socket, StreamChange,
};
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    End, Event, Received, RecvError, Side,
    assembly::{Assembled, Assembler},
    end::ending,
    receive::{More, receive},
    shared::Shared,
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
/// send nothing more, and the end of the association goes unheard.
#[derive(Debug)]
pub struct RecvHalf {
    pub(crate) shared: Arc<Shared>,
    assembler: Assembler,
    parts: VecDeque<Part>,
    /// The end has been read, and is told once everything queued behind it has been: reports of
    /// failed sends come after it.
    pending_end: Option<End>,
    /// An error of the socket that the queue has not explained yet.
    pending_error: Option<io::Error>,
    status_timer: Option<Pin<Box<Sleep>>>,
}

impl RecvHalf {
    pub(crate) fn new(shared: Arc<Shared>, assembler: Assembler, parts: VecDeque<Part>) -> Self {
        Self {
            shared,
            assembler,
            parts,
            pending_end: None,
            pending_error: None,
            status_timer: None,
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
        loop {
            return Poll::Ready(match ready!(self.poll_event(cx))? {
                Event::Message(message) => Ok(Some(message)),
                Event::Notification(_) => continue,
                Event::Ended(end) if end.is_orderly() => Ok(None),
                Event::Ended(end) => Err(RecvError::Ended(end)),
            });
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
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Polls for the next thing that happens; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::next_event`].
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        loop {
            if let Some(event) = self.next_queued() {
                return Poll::Ready(event);
            }
            if let Some(end) = self.shared.end() {
                return Poll::Ready(Ok(Event::Ended(end.clone())));
            }
            let shared = Arc::clone(&self.shared);
            let Some(io) = shared.io() else {
                return Poll::Ready(Ok(self.reached_end()));
            };
            let parts = &mut self.parts;
            // Over, or failing: what is still queued is read without waiting, for nothing more
            // will ever wake this task.
            let result = if self.pending_end.is_some() || self.pending_error.is_some() {
                receive(io.socket(), parts)
            } else {
                ready!(io.poll_read(cx, |socket| receive(socket, parts)))
            };
            if let Some(event) = self.after_receive(result) {
                return Poll::Ready(event);
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
                return event;
            }
            if let Some(end) = self.shared.end() {
                return Ok(Event::Ended(end.clone()));
            }
            let shared = Arc::clone(&self.shared);
            let Some(socket) = shared.socket() else {
                return Ok(self.reached_end());
            };
            let settled = self.pending_end.is_none() && self.pending_error.is_none();
            match receive(socket, &mut self.parts) {
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
    fn after_receive(&mut self, result: io::Result<More>) -> Option<Result<Event, RecvError>> {
        match result {
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Ok(self.reached_end())),
            Err(error) if is_end_of_association(&error) => {
                // Reported before what is still queued, and only once: remember it, and read on.
                if self.pending_error.replace(error).is_some() {
                    return Some(Ok(self.reached_end()));
                }
                None
            }
            Err(error) => Some(Err(RecvError::Io(error))),
        }
    }

    /// Decodes queued parts up to the next thing worth telling.
    fn next_queued(&mut self) -> Option<Result<Event, RecvError>> {
        while let Some(part) = self.parts.pop_front() {
            if let Some(event) = self.interpret(part) {
                return Some(event);
            }
        }
        if self.parts.capacity() > IDLE_PARTS {
            // An idle association keeps no more than this.
            self.parts.shrink_to(IDLE_PARTS);
        }
        None
    }

    fn interpret(&mut self, part: Part) -> Option<Result<Event, RecvError>> {
        match self.assembler.push(part) {
            Assembled::Incomplete => None,
            Assembled::Message(message) => Some(Ok(Event::Message(message))),
            Assembled::Notification(notification) => self.observe(notification).map(Ok),
            Assembled::TooLarge(_) => {
                // If even the abort fails, the next receive says why.
                let _ = self.shared.abort(&TOO_LARGE);
                Some(Err(RecvError::TooLarge {
                    limit: self.assembler.limit(),
                }))
            }
            Assembled::EndOfStream => {
                let by = self.shared.marks.shut_down_by();
                self.pending_end.get_or_insert(End::Shutdown { by });
                None
            }
            Assembled::Malformed(what) => Some(Err(RecvError::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                what,
            )))),
        }
    }

    /// Takes note of what a notification means for the association. What remains is told.
    fn observe(&mut self, notification: Notification) -> Option<Event> {
        match notification {
            Notification::AssocChange(change) => return self.observe_change(change),
            Notification::Shutdown { .. } => self.shared.marks.note_peer_shutdown(),
            Notification::PartialDelivery(ref event) => self.assembler.forget_partial(event),
            Notification::StreamChange(StreamChange {
                outbound_streams,
                inbound_streams,
                ..
            }) => {
                self.shared.set_streams(outbound_streams, inbound_streams);
            }
            _ => {}
        }
        Some(Event::Notification(notification))
    }

    fn observe_change(&mut self, change: AssocChange) -> Option<Event> {
        match change.state {
            AssocState::CommUp => return None,
            AssocState::Restart => {
                self.assembler.forget(change.assoc);
                self.shared
                    .set_streams(change.outbound_streams, change.inbound_streams);
                return Some(Event::Notification(Notification::AssocChange(change)));
            }
            AssocState::ShutdownComplete | AssocState::CommLost | AssocState::CantStart => {
                let shared = &self.shared;
                let pending = self.pending_error.take();
                let socket_error =
                    || pending.or_else(|| shared.socket()?.take_error().ok().flatten());
                self.pending_end = Some(ending(&change, &shared.marks, socket_error));
            }
            _ => return Some(Event::Notification(Notification::AssocChange(change))),
        }
        self.assembler.forget(change.assoc);
        None
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

    /// Polls for the end while messages are *not* received: for a server that has all it can do,
    /// and still must not work for a peer that has gone. Finds out within a second. What is
    /// queued stays queued; when it hides how the association ended, the answer is
    /// [`End::Unread`].
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Some(end) = self.shared.end() {
                return Poll::Ready(end.clone());
            }
            let gone = match self.shared.socket() {
                Some(socket) => is_gone(socket, self.shared.id),
                None => true,
            };
            if gone {
                return Poll::Ready(End::Unread);
            }
            let timer = self
                .status_timer
                .get_or_insert_with(|| Box::pin(sleep(STATUS_INTERVAL)));
            ready!(timer.as_mut().poll(cx));
            timer.as_mut().reset(Instant::now() + STATUS_INTERVAL);
        }
    }
}

/// How many parts an idle association keeps room for.
const IDLE_PARTS: usize = 4;

/// Whether the kernel has no such association any more.
pub(crate) fn is_gone(socket: &Socket, assoc: AssocId) -> bool {
    const EINVAL: i32 = 22;
    matches!(socket.status(assoc), Err(error) if error.raw_os_error() == Some(EINVAL))
}

/// Whether an error of a receive says that the association is over.
fn is_end_of_association(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::ConnectionRefused
            | Kind::BrokenPipe
            | Kind::NotConnected
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
    )
}
