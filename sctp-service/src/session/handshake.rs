//! Application-level handshake, before the service is made.

use std::{
    ops::ControlFlow,
    sync::Arc,
    task::{Context, Poll},
};

use sctp_tokio::{End, SendError};

use super::{
    Exit,
    connection::{Connection, Inbound},
};
use crate::{
    Cause, IncomingAssociation, Transport, abort_reasons, incoming::Handshake, timer::Timer,
};

/// State of a handshake.
#[derive(Debug, Default)]
pub(super) struct HandshakeState {
    /// Messages read before the service was made. Those that the handshake does not receive are
    /// served first, in this order.
    pub(super) handshake: Arc<Handshake>,
    /// Bounds the handshake.
    timer: Timer,
    /// The peer has shut down after these messages.
    pub(super) is_shut_down: bool,
    /// The association was shut down after these messages.
    pub(super) end: Option<End>,
}

impl<T: Transport> Connection<T> {
    /// Begins a handshake. Returns the make-service's side of it.
    pub(super) fn begin_handshake(&mut self) -> IncomingAssociation {
        let state = self.handshake.insert(Box::default());
        let handshake = Arc::clone(&state.handshake);
        IncomingAssociation::of(self.info.clone(), self.handle(), handshake)
    }

    /// Makes calls and messages of a client wait for a handshake that is about to begin.
    pub(super) fn expect_handshake(&mut self) {
        if self.is_served {
            self.handshake = Some(Box::default());
        }
    }

    /// Starts the handshake timeout, unless it is running.
    pub(super) fn limit_handshake(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit> {
        let Some(state) = &mut self.handshake else {
            return ControlFlow::Continue(());
        };
        if !state.timer.is_set() {
            state.timer.set_in(self.config.handshake_timeout);
        }
        match state.timer.poll_elapsed(cx) {
            true => ControlFlow::Break(Exit::abort(&abort_reasons::HANDSHAKE_TIMED_OUT)),
            false => ControlFlow::Continue(()),
        }
    }

    /// Sends what was submitted, and reads while the handshake waits for a message, or a call for its
    /// reply, until too many requests arrived before it.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit> {
        self.pump();
        self.expire_calls(cx)?;
        self.flush(cx)?;
        while self.may_read_in_handshake() {
            let Poll::Ready(inbound) = self.poll_inbound(cx) else {
                break;
            };
            match inbound {
                Inbound::Message(received) => {
                    if let Some(request) = self.classify(received)?
                        && let Some(state) = &self.handshake
                    {
                        state.handshake.push(request);
                    }
                }
                Inbound::Restarted => return ControlFlow::Break(Exit::Restarted),
                Inbound::PeerShutdown => self.shutdown_in_handshake(None),
                Inbound::Ended(end) if end.is_orderly() => self.shutdown_in_handshake(Some(end)),
                Inbound::Ended(end) => return ControlFlow::Break(Exit::Ended(end)),
                Inbound::Failed(error) => return ControlFlow::Break(self.receive_failed(&error)),
                Inbound::Other => {}
            }
        }
        // A reply may have freed the stream for another call.
        self.flush(cx)?;
        self.poll_acknowledged(cx);
        self.note_reading(self.may_read_in_handshake());
        ControlFlow::Continue(())
    }

    fn may_read_in_handshake(&self) -> bool {
        let Some(state) = &self.handshake else {
            return false;
        };
        let limit = self.config.read_ahead_bytes.max(1);
        let is_urgent = self.waits_for_reply() && state.handshake.cost() < limit;
        state.end.is_none() && (is_urgent || state.handshake.is_waiting())
    }

    fn shutdown_in_handshake(&mut self, end: Option<End>) {
        self.close_send();
        self.fail_unsent_calls(&Cause::ShutDown);
        if let Some(end) = &end {
            self.fail_calls(&end.into());
        }
        if let Some(state) = &mut self.handshake {
            state.is_shut_down = true;
            state.end = end;
            state.handshake.shut_down();
        }
    }

    /// Checks whether the peer has acknowledged everything, if the handshake waits for that.
    fn poll_acknowledged(&mut self, cx: &mut Context<'_>) {
        let Some(state) = &self.handshake else { return };
        if !state.handshake.wants_acknowledgement() {
            return;
        }
        let result = if self.is_send_closed() {
            Err(SendError::ShuttingDown)
        } else if !self.is_flushed() {
            return;
        } else if let Poll::Ready(result) = self.transport.poll_acknowledged(cx) {
            result
        } else {
            return;
        };
        state.handshake.acknowledged(&result);
    }
}

impl<T> Connection<T> {
    /// Ends a handshake without a service. Messages that it has not received are discarded.
    pub(super) fn abandon_handshake(&mut self) {
        if let Some(state) = self.handshake.take() {
            self.counts.discarded_requests += state.handshake.finish().len() as u64;
        }
    }
}
