//! Log lines and events of an association.

use std::{any::Any, error::Error, io};

use sctp_core::{AbortReason, PeerAddrChange};
use sctp_tokio::{End, Received, RecvError, SendError};
use tracing::field::display;

use super::{Exit, calling::OneWay, connection::Connection};
use crate::{
    CallError, Cause, Refusal, ServerEvent, Transport, abort_reasons, log_limit::several,
    panics::panic_message,
};

impl<T: Transport> Connection<T> {
    pub(super) fn report_up(&self) {
        if let Some(occurrences) = self.events.limits().up.record() {
            let occurrences = several(occurrences);
            tracing::info!(peers = ?self.info.peer_addrs(), occurrences, "association up");
        }
        let connect_info = &self.info;
        let association = &self.handle();
        self.events.emit(&ServerEvent::Up {
            connect_info,
            association,
        });
    }

    pub(super) fn report_open(&self) {
        tracing::debug!("association open");
        let connect_info = &self.info;
        let association = &self.handle();
        self.events.emit(&ServerEvent::Open {
            connect_info,
            association,
        });
    }

    pub(super) fn report_restart(&self) {
        if let Some(occurrences) = self.events.limits().restarted.record() {
            tracing::info!(occurrences = several(occurrences), "peer restarted");
        }
        let connect_info = &self.info;
        let association = &self.handle();
        self.events.emit(&ServerEvent::Restarted {
            connect_info,
            association,
        });
    }

    pub(super) fn report_closed(&self, end: &End, reason: Option<&AbortReason>) {
        let (connect_info, counts) = (&self.info, &self.counts);
        if let Some(occurrences) = self.events.limits().closed.record() {
            let occurrences = several(occurrences);
            let reason = reason.map(display);
            let lasted = self.association.lasted();
            tracing::info!(
                %end,
                reason,
                ?lasted,
                requests = counts.requests,
                sent = counts.sent,
                discarded_requests = counts.discarded_requests,
                discarded_replies = counts.discarded_replies,
                dropped_calls = counts.dropped_calls,
                sends = counts.sends,
                discarded_sends = counts.discarded_sends,
                calls = counts.calls,
                replies = counts.replies,
                late_replies = counts.late_replies,
                lost_calls = counts.lost_calls,
                unsent_calls = counts.unsent_calls,
                occurrences,
                "association closed"
            );
        }
        let association = &self.handle();
        let lasted = self.association.lasted();
        self.events.emit(&ServerEvent::Closed {
            connect_info,
            association,
            end,
            reason,
            lasted,
            counts,
        });
    }

    pub(super) fn path_changed(&self, change: &PeerAddrChange) {
        if let Some(occurrences) = self.events.limits().path_changed.record() {
            let occurrences = several(occurrences);
            let addr = change.addr.map(display);
            tracing::info!(addr, state = ?change.state, occurrences, "path changed");
        }
        self.events.emit(&ServerEvent::PathChanged {
            connect_info: &self.info,
            change,
        });
    }

    /// Reports a reply that the transport refused: an error in the service.
    pub(super) fn reply_refused(&self, error: &SendError) -> Exit {
        if let Some(occurrences) = self.events.limits().reply_refused.record() {
            tracing::error!(
                error = error as &dyn Error,
                occurrences,
                "cannot send reply, aborting"
            );
        }
        let connect_info = &self.info;
        self.events.emit(&ServerEvent::ReplyRefused {
            connect_info,
            error,
        });
        Exit::abort(match error {
            SendError::InvalidStream { .. } => &abort_reasons::NO_REPLY_STREAM,
            _ => &abort_reasons::INTERNAL_ERROR,
        })
    }

    /// Reports a message of a handle that the transport refused.
    pub(super) fn send_refused(&self, error: &SendError) {
        if let Some(occurrences) = self.events.limits().send_refused.record() {
            tracing::warn!(
                error = error as &dyn Error,
                occurrences,
                "discarding message that the transport refused"
            );
        }
        let connect_info = &self.info;
        self.events.emit(&ServerEvent::SendRefused {
            connect_info,
            error,
        });
    }

    /// Reports a one-way message on a stream that is used for calls.
    pub(super) fn one_way_refused(&mut self, one_way: OneWay, refusal: Refusal) {
        let len = match one_way {
            OneWay::Queued(len) => len,
            OneWay::Awaited(_) => {
                return self.discard_one_way(one_way, CallError::refused(refusal));
            }
        };
        self.counts.discarded_sends += 1;
        self.association.give_back_refused(len);
        let error = io::Error::new(io::ErrorKind::InvalidInput, refusal);
        self.send_refused(&SendError::Io(error));
    }

    /// Reports a discarded unsolicited message, with this reason.
    pub(super) fn unsolicited(&mut self, received: &Received, reason: &str) {
        self.counts.discarded_requests += 1;
        let (stream, ppid) = (received.info.stream, received.info.ppid);
        if let Some(occurrences) = self.events.limits().unsolicited.record() {
            tracing::warn!(%stream, %ppid, reason, occurrences, "discarding unsolicited message");
        }
        self.events.emit_unsolicited(&self.info, received);
    }

    /// Reports that calls wait behind too many requests.
    pub(super) fn report_held_back(&self) {
        let calls = self.calls.as_ref().map_or(0, |calls| calls.live());
        if let Some(occurrences) = self.events.limits().held_back.record() {
            tracing::warn!(calls, occurrences, "calls wait behind too many requests");
        }
        let connect_info = &self.info;
        self.events.emit(&ServerEvent::HeldBack {
            connect_info,
            calls,
        });
    }

    /// Reports a reply with an identifier that no call has.
    pub(super) fn report_unknown_reply(&self, received: &Received) {
        let (stream, ppid) = (received.info.stream, received.info.ppid);
        if let Some(occurrences) = self.events.limits().unknown_reply.record() {
            let peer = self.info.peer_addr().map(display);
            tracing::warn!(peer, %stream, %ppid, occurrences, "discarding reply with no matching call");
        }
    }

    /// Reports a reply that shows that replies can no longer be matched with calls.
    pub(super) fn unexpected_reply(&mut self, received: &Received) -> Exit {
        self.cause = Some(Box::new(Cause::Uncorrelated));
        if let Some(occurrences) = self.events.limits().unexpected_reply.record() {
            let stream = received.info.stream;
            tracing::warn!(%stream, occurrences, "unexpected reply, aborting");
        }
        Exit::abort(&abort_reasons::UNEXPECTED_REPLY)
    }

    /// Reports that no stream is left for calls.
    pub(super) fn unresponsive(&mut self) -> Exit {
        self.cause = Some(Box::new(Cause::Unresponsive));
        if let Some(occurrences) = self.events.limits().unresponsive.record() {
            tracing::warn!(
                occurrences,
                "peer no longer replies on any stream, aborting"
            );
        }
        Exit::abort(&abort_reasons::NO_REPLY)
    }

    /// Reports that reading failed. The transport has aborted already if the message was too
    /// large; doing it again is harmless.
    pub(super) fn receive_failed(&mut self, error: &RecvError) -> Exit {
        self.cause = Some(Box::new(match error {
            RecvError::TooLarge { limit } => Cause::TooLarge { limit: *limit },
            RecvError::Io(error) => Cause::Lost(error.kind()),
            _ => Cause::Lost(io::ErrorKind::InvalidData),
        }));
        if let Some(occurrences) = self.events.limits().receive_failed.record() {
            tracing::warn!(
                error = error as &dyn Error,
                occurrences,
                "receiving failed, aborting"
            );
        }
        let connect_info = &self.info;
        self.events.emit(&ServerEvent::ReceiveFailed {
            connect_info,
            error,
        });
        Exit::abort(match error {
            RecvError::TooLarge { .. } => &abort_reasons::MESSAGE_TOO_LARGE,
            _ => &abort_reasons::INTERNAL_ERROR,
        })
    }

    /// Reports a panic in the service.
    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) -> Exit {
        let message = panic_message(panic);
        if let Some(occurrences) = self.events.limits().panicked.record() {
            tracing::error!(panic = message, occurrences, "service panicked, aborting");
        }
        let connect_info = &self.info;
        self.events.emit(&ServerEvent::Panicked {
            connect_info,
            message,
        });
        Exit::abort(&abort_reasons::INTERNAL_ERROR)
    }
}
