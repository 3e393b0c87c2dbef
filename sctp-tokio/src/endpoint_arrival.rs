//! What arrives on an endpoint, and what it means.

use std::io;

use sctp_core::{AbortReason, AssocChange, AssocChangeState, AssocId, Notification, Part};

use crate::{
    Endpoint, EndpointEvent, Event, Received, RecvError, Side, assembly::Assembled, end::ending,
    hub::Peer, recv_half::is_network_error,
};

/// What the peer hears when it exceeds the message limit.
const TOO_LARGE: AbortReason = AbortReason::from_static("message too large");

impl Endpoint {
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
            // An ICMP error of one of the associations, told of because of `IP_RECVERR`. How they end is
            // told by notifications.
            Err(error) if is_network_error(&error) => None,
            Err(error) => Some(Err(RecvError::Io(error))),
        }
    }

    pub(crate) fn next_queued(&mut self) -> Option<Result<EndpointEvent, RecvError>> {
        loop {
            // The kernel queues the reports of failed sends directly behind the end.
            if self.pending_end.is_some()
                && self
                    .parts
                    .front()
                    .is_some_and(|part| !is_send_failure(part))
            {
                return self.take_end().map(Ok);
            }
            let part = self.parts.pop_front()?;
            if let Some(event) = self.interpret(part) {
                return Some(event);
            }
        }
    }

    fn take_end(&mut self) -> Option<EndpointEvent> {
        let (assoc, end) = self.pending_end.take()?;
        Some(EndpointEvent {
            assoc,
            event: Event::Ended(end),
        })
    }

    fn interpret(&mut self, part: Part) -> Option<Result<EndpointEvent, RecvError>> {
        match self.assembler.push(part) {
            Assembled::Incomplete | Assembled::EndOfStream => None,
            Assembled::Message(payload, info) => Some(Ok(EndpointEvent {
                assoc: info.assoc,
                event: Event::Message(Received::new(payload, info)),
            })),
            Assembled::Notification(notification) => self.observe(notification).map(Ok),
            Assembled::TooLarge(assoc) => {
                // Its end follows as an event. If even the abort fails, the peer's next message
                // brings this here again.
                let _ = self.hub.abort(assoc, &TOO_LARGE);
                None
            }
            Assembled::Malformed(what) => Some(Err(RecvError::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                what,
            )))),
        }
    }

    fn observe(&mut self, notification: Notification) -> Option<EndpointEvent> {
        let assoc = notification.assoc().unwrap_or_default();
        match &notification {
            Notification::AssocChange(change) if self.observe_change(change) => return None,
            Notification::Shutdown { assoc } => self.hub.note_shutdown(*assoc, Side::Peer),
            Notification::PartialDelivery(event) => self.assembler.forget_partial(event),
            Notification::StreamChange(event) => self.hub.ask_streams(event.assoc),
            Notification::SenderDry { .. } => self.hub.room.notify_waiters(),
            _ => {}
        }
        Some(EndpointEvent {
            assoc,
            event: Event::Notification(notification),
        })
    }

    /// Takes note of an association's coming and going. Whether it has ended.
    fn observe_change(&mut self, change: &AssocChange) -> bool {
        match change.state {
            AssocChangeState::CommUp | AssocChangeState::Restart => {
                self.assembler.forget(change.assoc);
                let peer = Peer::new(change.outbound_streams, change.inbound_streams);
                self.hub.insert(change.assoc, peer);
                return false;
            }
            AssocChangeState::CommLost
            | AssocChangeState::ShutdownComplete
            | AssocChangeState::CantStart => {}
            _ => return false,
        }
        self.assembler.forget(change.assoc);
        let peer = self.hub.remove(change.assoc);
        self.hub.room.notify_waiters();
        self.pending_end = Some((change.assoc, ending(change, &peer.marks, || None)));
        true
    }
}

/// Whether a part begins a report of a failed send.
fn is_send_failure(part: &Part) -> bool {
    const SCTP_SEND_FAILED_EVENT: u16 = 0x800d;
    let kind = part
        .data
        .first_chunk()
        .map(|bytes| u16::from_ne_bytes(*bytes));
    part.meta.flags.is_notification() && kind == Some(SCTP_SEND_FAILED_EVENT)
}

/// The association that a received part belongs to.
pub(crate) fn part_assoc(part: &Part) -> Option<AssocId> {
    if part.meta.flags.is_notification() {
        return Notification::decode(part.data.clone().freeze())
            .ok()?
            .assoc();
    }
    part.meta.info.as_ref().map(|info| info.assoc)
}
