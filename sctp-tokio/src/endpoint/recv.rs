//! Conversion of received data into the events of an endpoint.

use std::{collections::VecDeque, io};

use sctp_core::{AbortReason, AssocChange, AssocChangeState, AssocId, Notification, Part};

use super::state::{EndpointState, Peer};
use crate::{
    association::end::{End, Side, end_of},
    error::RecvError,
    event::{EndpointEvent, Event},
    io::{
        reassembly::{Reassembled, Reassembler},
        recv_batch::{has_message, is_network_error},
    },
    message::Received,
};

/// Abort reason for a peer that exceeds the message limit.
const TOO_LARGE: AbortReason = AbortReason::from_static("message too large");

/// Received data that has not been returned yet.
#[derive(Debug)]
pub(crate) struct RecvQueue {
    pub(crate) parts: VecDeque<Part>,
    reassembler: Reassembler,
    /// Closed association, returned after the `SCTP_SEND_FAILED_EVENT` notifications behind its
    /// end.
    pending_end: Option<(AssocId, End)>,
}

impl RecvQueue {
    pub(crate) fn new(max_message_size: usize) -> Self {
        Self {
            parts: VecDeque::new(),
            reassembler: Reassembler::for_many(max_message_size),
            pending_end: None,
        }
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.reassembler.limit()
    }

    /// Returns `true` if everything received has been returned.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.reassembler.is_empty() && self.pending_end.is_none()
    }

    /// Returns `true` if a message, or a part of one, is queued.
    pub(crate) fn has_message(&self) -> bool {
        has_message(&self.parts) || !self.reassembler.is_empty()
    }

    /// Returns `true` if an end is held back until queued `SCTP_SEND_FAILED_EVENT` notifications
    /// are returned.
    pub(crate) fn has_end(&self) -> bool {
        self.pending_end.is_some()
    }

    /// Removes and returns everything that belongs to an association.
    pub(crate) fn take(&mut self, assoc: AssocId) -> (Reassembler, VecDeque<Part>) {
        let (taken, kept) = self
            .parts
            .drain(..)
            .partition(|part| part_assoc(part) == Some(assoc));
        self.parts = kept;
        (self.reassembler.take(assoc), taken)
    }

    pub(crate) fn after_receive(
        &mut self,
        result: io::Result<()>,
    ) -> Option<Result<EndpointEvent, RecvError>> {
        match result {
            Ok(()) => None,
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock && self.pending_end.is_some() =>
            {
                self.take_end().map(Ok)
            }
            // An ICMP error of an association, reported because of `IP_RECVERR`. Notifications report
            // the ends of associations.
            Err(error) if is_network_error(&error) => None,
            Err(error) => Some(Err(RecvError::Io(error))),
        }
    }

    pub(crate) fn next(
        &mut self,
        state: &EndpointState,
    ) -> Option<Result<EndpointEvent, RecvError>> {
        loop {
            // The kernel queues `SCTP_SEND_FAILED_EVENT` notifications directly behind the end.
            if self.pending_end.is_some()
                && self
                    .parts
                    .front()
                    .is_some_and(|part| !is_send_failure(part))
            {
                return self.take_end().map(Ok);
            }
            let part = self.parts.pop_front()?;
            if let Some(event) = self.decode(part, state) {
                return Some(event);
            }
        }
    }

    fn take_end(&mut self) -> Option<EndpointEvent> {
        let (assoc, end) = self.pending_end.take()?;
        Some(EndpointEvent {
            assoc,
            event: Event::Closed(end),
        })
    }

    fn decode(
        &mut self,
        part: Part,
        state: &EndpointState,
    ) -> Option<Result<EndpointEvent, RecvError>> {
        match self.reassembler.push(part) {
            Reassembled::Incomplete | Reassembled::EndOfStream => None,
            Reassembled::Message(payload, info) => Some(Ok(EndpointEvent {
                assoc: info.assoc,
                event: Event::Message(Received::new(payload, info)),
            })),
            Reassembled::Notification(notification) => {
                self.on_notification(notification, state).map(Ok)
            }
            Reassembled::TooLarge(assoc) => {
                // Its end follows as an event. If the abort fails, it is repeated for the peer's
                // next message.
                let _ = state.abort(assoc, &TOO_LARGE);
                None
            }
            Reassembled::Malformed(what) => Some(Err(RecvError::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                what,
            )))),
        }
    }

    fn on_notification(
        &mut self,
        notification: Notification,
        state: &EndpointState,
    ) -> Option<EndpointEvent> {
        let assoc = notification.assoc().unwrap_or_default();
        match &notification {
            Notification::AssocChange(change) if self.on_change(change, state) => return None,
            Notification::Shutdown { assoc } => state.note_shutdown(*assoc, Side::Peer),
            Notification::PartialDelivery(event) => self.reassembler.forget_partial(event),
            Notification::StreamChange(event) => state.ask_streams(event.assoc),
            Notification::SenderDry { .. } => state.space_freed.notify_waiters(),
            _ => {}
        }
        Some(EndpointEvent {
            assoc,
            event: Event::Notification(notification),
        })
    }

    /// Records that an association was established or closed. Returns `true` if it was closed.
    fn on_change(&mut self, change: &AssocChange, state: &EndpointState) -> bool {
        match change.state {
            AssocChangeState::CommUp | AssocChangeState::Restart => {
                self.reassembler.forget(change.assoc);
                let peer = Peer::new(change.outbound_streams, change.inbound_streams);
                state.insert(change.assoc, peer);
                return false;
            }
            AssocChangeState::CommLost
            | AssocChangeState::ShutdownComplete
            | AssocChangeState::CantStart => {}
            _ => return false,
        }
        self.reassembler.forget(change.assoc);
        let peer = state.remove(change.assoc);
        state.space_freed.notify_waiters();
        self.pending_end = Some((change.assoc, end_of(change, &peer.tracker, || None)));
        true
    }
}

/// Returns `true` if a part is an `SCTP_SEND_FAILED_EVENT` notification, or its beginning.
fn is_send_failure(part: &Part) -> bool {
    const SCTP_SEND_FAILED_EVENT: u16 = 0x800d;
    let kind = part
        .data
        .first_chunk()
        .map(|bytes| u16::from_ne_bytes(*bytes));
    part.meta.flags.is_notification() && kind == Some(SCTP_SEND_FAILED_EVENT)
}

/// Returns the association that a part belongs to.
fn part_assoc(part: &Part) -> Option<AssocId> {
    if part.meta.flags.is_notification() {
        return Notification::decode(part.data.clone().freeze())
            .ok()?
            .assoc();
    }
    part.meta.info.as_ref().map(|info| info.assoc)
}
