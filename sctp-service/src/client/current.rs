//! The association to which the calls of a client go, and their admission.

use std::{fmt, sync::Arc};

use sctp_tokio::End;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::{CallError, Cause, handle::HandleState};

/// Status of the client.
#[derive(Clone)]
pub(super) struct Status {
    pub(super) phase: Phase,
    /// The association, from when it is established until it has closed.
    pub(super) association: Option<Arc<HandleState>>,
    /// End of the newest association that has closed.
    last_end: Option<End>,
    /// Number of that association.
    last_ended: u64,
    /// Cause for having no association: the last one closed, or could not be set up.
    pub(super) last_error: Option<Cause>,
}

#[derive(Clone)]
pub(super) enum Phase {
    /// No association is set up until one is needed.
    Idle,
    /// An association is being set up, or its service is being made, also after a restart of the
    /// peer.
    Opening,
    /// The association is closing, and the next is not being set up yet.
    Ending,
    /// Calls go to this association.
    Open(Arc<HandleState>),
    /// The last attempt or association failed with this cause, and the next attempt is not yet due.
    BackingOff(Cause),
    /// The client was shut down: calls in flight finish, and no more are accepted.
    Stopping,
    /// The client has ended; every call fails with this cause.
    Closed(Cause),
}

impl Status {
    pub(super) fn new(phase: Phase) -> Self {
        Self {
            phase,
            association: None,
            last_end: None,
            last_ended: 0,
            last_error: None,
        }
    }

    /// Admits calls to this association.
    pub(super) fn admit(&mut self, state: &Arc<HandleState>) {
        if !matches!(self.phase, Phase::Stopping | Phase::Closed(_)) {
            self.phase = Phase::Open(Arc::clone(state));
        }
    }

    /// Stops admitting calls while the association opens or closes, as given by `phase`.
    pub(super) fn stop_admitting(&mut self, phase: Phase) {
        if !matches!(self.phase, Phase::Stopping | Phase::Closed(_)) {
            self.phase = phase;
        }
    }

    /// Returns the association that takes calls.
    pub(super) fn open(&self) -> Option<&Arc<HandleState>> {
        match &self.phase {
            Phase::Open(state) if state.takes_calls() => Some(state),
            _ => None,
        }
    }

    /// Records the end of an association, unless a newer association has already closed.
    pub(super) fn ended(&mut self, number: u64, end: End) {
        if number >= self.last_ended {
            self.last_ended = number;
            self.last_end = Some(end);
        }
    }

    /// Returns the end of the last association, which may have just closed.
    pub(super) fn last_end(&self) -> Option<End> {
        let ended = self.association.as_ref().and_then(|state| state.ended());
        ended.or_else(|| self.last_end.clone())
    }
}

impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("Idle"),
            Self::Opening => f.write_str("Opening"),
            Self::Ending => f.write_str("Ending"),
            Self::Open(state) => f.debug_tuple("Open").field(state.info()).finish(),
            Self::BackingOff(cause) => f.debug_tuple("BackingOff").field(cause).finish(),
            Self::Stopping => f.write_str("Stopping"),
            Self::Closed(cause) => f.debug_tuple("Closed").field(cause).finish(),
        }
    }
}

/// Controls the shutdown of a client without keeping the client alive.
#[derive(Clone)]
pub(super) struct Ending {
    stop: CancellationToken,
    status: watch::Receiver<Status>,
}

impl Ending {
    /// Starts a graceful shutdown: the client accepts no further calls, finishes calls in flight,
    /// and shuts down.
    pub(super) fn begin(&self) {
        self.stop.cancel();
    }

    /// Waits until the client has ended, and returns the end of its last association.
    pub(super) async fn ended(&mut self) -> Option<End> {
        loop {
            let now = self.status.borrow_and_update().clone();
            if matches!(now.phase, Phase::Closed(_)) || self.status.changed().await.is_err() {
                return self.status.borrow().last_end();
            }
        }
    }

    #[cfg(feature = "pool")]
    pub(super) fn is_over(&self) -> bool {
        // Its task has dropped the other end of the channel, however it ended.
        self.status.has_changed().is_err()
    }

    #[cfg(feature = "pool")]
    pub(super) fn last_error(&self) -> Option<Cause> {
        self.status.borrow().last_error.clone()
    }
}

/// Shows what the client is doing.
impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.borrow().phase.fmt(f)
    }
}

/// Admission of a call, or its refusal.
pub(super) enum Admission {
    Reserved(Reservation),
    /// The call is admitted only to fail.
    Failing(CallError),
}

/// Reservation among the calls in flight, and the association that the call is for.
pub(super) struct Reservation {
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) association: Arc<HandleState>,
}

/// State shared by all handles of a client. Dropping the last one ends the client.
pub(super) struct Handle {
    pub(super) permits: Arc<Semaphore>,
    pub(super) max_in_flight: usize,
    pub(super) status: watch::Receiver<Status>,
    pub(super) stop: CancellationToken,
    /// Requests an association while there is none.
    pub(super) wanted: Arc<Notify>,
    pub(super) wait_for_connection: bool,
}

impl Handle {
    /// Admits a call: waits for an association, and for a permit.
    pub(super) async fn admit(self: Arc<Self>) -> Result<Admission, CallError> {
        let mut status = self.status.clone();
        loop {
            let phase = status.borrow_and_update().phase.clone();
            let association = match phase {
                Phase::Open(association) if association.takes_calls() => association,
                Phase::Closed(cause) => return Err(CallError::not_sent(cause)),
                Phase::Stopping => return Err(closed()),
                Phase::BackingOff(cause) if !self.wait_for_connection => {
                    return Ok(Admission::Failing(CallError::not_sent(cause)));
                }
                Phase::Idle
                | Phase::Opening
                | Phase::Open(_)
                | Phase::Ending
                | Phase::BackingOff(_) => {
                    self.wanted.notify_one();
                    changed(&mut status).await?;
                    continue;
                }
            };
            let permits = Arc::clone(&self.permits);
            tokio::select! {
                biased;
                permit = permits.acquire_owned() => {
                    let permit = permit.map_err(|_| closed())?;
                    // It may have begun to close while there was no permit.
                    if association.takes_calls() {
                        return Ok(Admission::Reserved(Reservation { permit, association }));
                    }
                }
                result = changed(&mut status) => result?,
            }
        }
    }

    /// Like [`admit`](Self::admit), but returns `None` instead of waiting.
    pub(super) fn try_admit(&self) -> Option<Admission> {
        let association = Arc::clone(self.status.borrow().open()?);
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(Admission::Reserved(Reservation {
            permit,
            association,
        }))
    }

    pub(super) fn ending(&self) -> Ending {
        Ending {
            stop: self.stop.clone(),
            status: self.status.clone(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.status.borrow().open().is_some()
    }

    /// Returns `true` if this is the association that takes calls.
    pub(super) fn is_current(&self, association: &Arc<HandleState>) -> bool {
        let status = self.status.borrow();
        status
            .open()
            .is_some_and(|open| Arc::ptr_eq(open, association))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.max_in_flight
            .saturating_sub(self.permits.available_permits())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn changed(status: &mut watch::Receiver<Status>) -> Result<(), CallError> {
    status.changed().await.map_err(|_| closed())
}

fn closed() -> CallError {
    CallError::not_sent(Cause::Closed)
}
