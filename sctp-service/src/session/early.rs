//! Reading before the service is made, for calls of the make-service.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    task::{Context, Poll},
};

use sctp_tokio::{End, Received};

use super::{
    Exit,
    connection::{Connection, Inbound},
    requests::order::cost,
};
use crate::Transport;

/// Messages read before the service was made. They are served first, in this order.
#[derive(Debug, Default)]
pub(super) struct Early {
    pub(super) requests: VecDeque<Received>,
    cost: usize,
    /// The peer has shut down behind these requests.
    pub(super) is_shut_down: bool,
    /// The association has ended in order behind these requests.
    pub(super) end: Option<End>,
}

impl<T: Transport> Connection<T> {
    /// Sends what handles submitted, and reads while a call waits for its reply, until too many
    /// requests arrived before it.
    pub(super) fn poll_early(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit> {
        self.pump();
        self.expire_calls(cx)?;
        self.flush(cx)?;
        while self.waits_for_reply() && self.may_read_early() {
            let Poll::Ready(inbound) = self.poll_inbound(cx) else {
                break;
            };
            match inbound {
                Inbound::Message(received) => {
                    if let Some(request) = self.classify(received)? {
                        let early = self.early.get_or_insert_default();
                        early.cost += cost(request.payload.len());
                        early.requests.push_back(request);
                    }
                }
                Inbound::Restarted => return ControlFlow::Break(Exit::Restarted),
                Inbound::PeerShutdown => self.early_shutdown(None),
                Inbound::Ended(end) if end.is_orderly() => self.early_shutdown(Some(end)),
                Inbound::Ended(end) => return ControlFlow::Break(Exit::Ended(end)),
                Inbound::Failed(error) => return ControlFlow::Break(self.receive_failed(&error)),
                Inbound::Other => {}
            }
        }
        // A reply may have freed the stream for another call.
        self.flush(cx)
    }

    fn may_read_early(&self) -> bool {
        let limit = self.config.read_ahead_bytes.max(1);
        self.early
            .as_ref()
            .is_none_or(|early| early.cost < limit && early.end.is_none())
    }

    fn early_shutdown(&mut self, end: Option<End>) {
        self.mute();
        let early = self.early.get_or_insert_default();
        early.is_shut_down = true;
        if let Some(end) = end {
            self.fail_calls(&(&end).into());
            self.early.get_or_insert_default().end = Some(end);
        }
    }
}
