//! What both ends of an association in memory share.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use bytes::{BufMut, Bytes, BytesMut};
use sctp_core::{AbortReason, ErrorCause, ErrorCauses};
use sctp_tokio::{End, Event, Message, RecvError, Side};
use tokio::sync::Notify;

/// The shared state, and the waiting of the peer's end.
#[derive(Debug)]
pub(super) struct Wire {
    state: Mutex<State>,
    peer: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    /// What the server's end has not read.
    pub(super) inbound: VecDeque<Result<Event, RecvError>>,
    /// What the peer's end has not read.
    pub(super) outbound: VecDeque<Message>,
    pub(super) capacity: usize,
    /// How it ended, as the server's end sees it, and as the peer does.
    pub(super) end: Option<End>,
    pub(super) peer_end: Option<End>,
    /// Who has begun the orderly end.
    pub(super) shutting_down: Option<Side>,
    pub(super) holds_acks: bool,
    driver: Option<Waker>,
}

impl Wire {
    pub(super) fn new(capacity: usize) -> Self {
        let state = State {
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            capacity: capacity.max(1),
            end: None,
            peer_end: None,
            shutting_down: None,
            holds_acks: false,
            driver: None,
        };
        Self {
            state: Mutex::new(state),
            peer: Notify::new(),
        }
    }

    /// Looks, and changes nothing that anybody waits for.
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something at the server's end, and wakes the peer's.
    pub(super) fn serve<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.look());
        self.peer.notify_waiters();
        result
    }

    /// Changes something at the peer's end, and wakes both: several tasks of a test may wait at
    /// the peer's end, and one task drives the server's.
    pub(super) fn act<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (result, driver) = {
            let mut state = self.look();
            (change(&mut state), state.driver.take())
        };
        self.peer.notify_waiters();
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// Waits at the peer's end until a change makes `attempt` succeed.
    pub(super) async fn wait<R>(&self, mut attempt: impl FnMut(&mut State) -> Option<R>) -> R {
        loop {
            let mut changed = std::pin::pin!(self.peer.notified());
            // Before the look, or a change between the two would go unnoticed.
            changed.as_mut().enable();
            if let Some(result) = attempt(&mut self.look()) {
                return result;
            }
            changed.await;
        }
    }
}

impl State {
    pub(super) fn register(&mut self, driver: &Waker) {
        self.driver = Some(driver.clone());
    }

    /// Begins the orderly end, and completes it unless acknowledgements are held back.
    pub(super) fn shut_down(&mut self, by: Side) {
        if self.end.is_none() && self.shutting_down.is_none() {
            self.shutting_down = Some(by);
        }
        self.settle();
    }

    /// Completes what only waited for acknowledgements.
    pub(super) fn settle(&mut self) {
        let Some(by) = self
            .shutting_down
            .filter(|_| !self.holds_acks && self.end.is_none())
        else {
            return;
        };
        let other = match by {
            Side::Local => Side::Peer,
            Side::Peer => Side::Local,
        };
        self.finish(End::Shutdown { by }, End::Shutdown { by: other });
    }

    /// Ends at once, with a reason.
    pub(super) fn abort(&mut self, by: Side, reason: &AbortReason) {
        let with_causes = causes(reason);
        let (end, peer_end) = match by {
            Side::Local => (ErrorCauses::default(), with_causes),
            Side::Peer => (with_causes, ErrorCauses::default()),
        };
        let other = if by == Side::Local {
            Side::Peer
        } else {
            Side::Local
        };
        self.finish(
            End::Aborted { by, causes: end },
            End::Aborted {
                by: other,
                causes: peer_end,
            },
        );
    }

    /// Ends, once: what both ends see from now on.
    pub(super) fn finish(&mut self, end: End, peer_end: End) {
        if self.end.is_none() {
            self.end = Some(end);
            self.peer_end = Some(peer_end);
        }
    }

    /// How many messages the server's end has not read.
    pub(super) fn unread_messages(&self) -> usize {
        self.inbound
            .iter()
            .filter(|event| matches!(event, Ok(Event::Message(_))))
            .count()
    }
}

/// Encodes the causes of an ABORT with a reason, as they travel.
fn causes(reason: &AbortReason) -> ErrorCauses {
    let reason = reason.as_bytes();
    let mut causes = BytesMut::with_capacity(4 + reason.len());
    causes.put_u16(ErrorCause::USER_INITIATED_ABORT);
    // A reason is at most `AbortReason::MAX_LEN` bytes long, so this never saturates.
    causes.put_u16(u16::try_from(4 + reason.len()).unwrap_or(u16::MAX));
    causes.put_slice(reason);
    ErrorCauses::new(Bytes::from(causes))
}
