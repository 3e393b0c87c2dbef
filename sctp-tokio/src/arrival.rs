//! What arrives on an association, and what it means.

use std::io;

use bytes::BytesMut;
use sctp_core::{AbortReason, AssocChange, AssocChangeState, Notification, Part, RecvInfo};

use crate::{
    End, Event, Received, RecvError, RecvHalf, Side, assembly::Assembled, end::ending,
    hung_up::HungUp, receive::give_back,
};

/// What the peer hears when it exceeds the message limit.
const TOO_LARGE: AbortReason = AbortReason::from_static("message too large");

/// The next thing that happened, a message still in the buffer that it was received into.
#[derive(Debug)]
pub(crate) enum Arrival {
    Message(BytesMut, RecvInfo),
    /// Anything but a message.
    Event(Event),
}

impl From<Arrival> for Event {
    fn from(arrival: Arrival) -> Self {
        match arrival {
            Arrival::Message(payload, info) => Self::Message(Received::new(payload, info)),
            Arrival::Event(event) => event,
        }
    }
}

impl RecvHalf {
    /// Decodes queued parts up to the next thing worth telling.
    pub(crate) fn next_queued(&mut self) -> Option<Result<Arrival, RecvError>> {
        while let Some(part) = self.parts.pop_front() {
            if let Some(event) = self.interpret(part) {
                return Some(event);
            }
        }
        give_back(&mut self.parts);
        None
    }

    fn interpret(&mut self, part: Part) -> Option<Result<Arrival, RecvError>> {
        match self.assembler.push(part) {
            Assembled::Incomplete => None,
            Assembled::Message(payload, info) => Some(Ok(Arrival::Message(payload, info))),
            Assembled::Notification(notification) => {
                let event = self.observe(notification)?;
                Some(Ok(Arrival::Event(event)))
            }
            Assembled::TooLarge(_) => {
                // If even the abort fails, the next receive says why.
                let _ = self.shared.abort(&TOO_LARGE);
                Some(Err(RecvError::TooLarge {
                    limit: self.assembler.limit(),
                }))
            }
            Assembled::EndOfStream => {
                self.hung_up = HungUp::Empty;
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
            Notification::Shutdown { .. } => self.shared.marks.note_shutdown(Side::Peer),
            Notification::PartialDelivery(ref event) => self.assembler.forget_partial(event),
            Notification::StreamChange(_) => self.shared.ask_streams(),
            _ => {}
        }
        Some(Event::Notification(notification))
    }

    fn observe_change(&mut self, change: AssocChange) -> Option<Event> {
        match change.state {
            AssocChangeState::CommUp => return None,
            AssocChangeState::Restart => {
                self.assembler.forget(change.assoc);
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
                        .or_else(|| shared.marks.socket_error())
                };
                self.pending_end = Some(ending(&change, &shared.marks, socket_error));
            }
            _ => return Some(Event::Notification(Notification::AssocChange(change))),
        }
        self.assembler.forget(change.assoc);
        None
    }

    /// Whether everything that was received has been told.
    pub(crate) fn is_idle(&self) -> bool {
        self.parts.is_empty() && self.assembler.is_empty() && !self.is_over()
    }

    /// Whether the end is known, or an error says that it is near: nothing more will come.
    pub(crate) fn is_over(&self) -> bool {
        self.pending_end.is_some() || self.pending_error.is_some()
    }

    /// Nothing more is queued: tells the end.
    pub(crate) fn reached_end(&mut self) -> Event {
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
}
