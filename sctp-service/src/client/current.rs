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
    /// The association, from when it is up until it has ended.
    pub(super) association: Option<Arc<HandleState>>,
    /// End of the newest association that has ended.
    last_end: Option<End>,
    /// Number of that association.
    last_ended: u64,
    /// The cause of having no association: the last one ended, or could not be set up.
    pub(super) last_error: Option<Cause>,
}

#[derive(Clone)]
pub(super) enum Phase {
    /// There is no association until one is needed.
    Idle,
    /// One is being set up, or its service is being made, again after a restart of the peer.
    Opening,
    /// One has begun to end, and the next is not being set up yet.
    Ending,
    /// Calls go to this one.
    Open(Arc<HandleState>),
    /// The last attempt, or the last association, ended so; the next attempt is not yet due.
    BackingOff(Cause),
    /// It was stopped: what is there is finished, and nothing is added.
    Stopping,
    /// It is over; every call fails so.
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

    /// Stops admitting calls, for now: the association opens or ends, as `phase` says.
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

    /// Records the end of an association. One that took longer to end than a newer one is not the last.
    pub(super) fn ended(&mut self, number: u64, end: End) {
        if number >= self.last_ended {
            self.last_ended = number;
            self.last_end = Some(end);
        }
    }

    /// Returns the end of the last association, which may have ended just now.
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

/// Control over the end of a client, which does not keep the client.
#[derive(Clone)]
pub(super) struct Ending {
    stop: CancellationToken,
    status: watch::Receiver<Status>,
}

impl Ending {
    /// Has the client take no further call, finish those that it has, and shut down.
    pub(super) fn begin(&self) {
        self.stop.cancel();
    }

    /// Waits for the end, and returns that of the last association.
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
    Place(Place),
    /// It is let in to fail.
    Failing(CallError),
}

/// A place among the calls under way, and the association that the call is for.
pub(super) struct Place {
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) association: Arc<HandleState>,
}

/// State shared by all handles of a client. Dropping the last one ends the client.
pub(super) struct Handle {
    pub(super) permits: Arc<Semaphore>,
    pub(super) max_in_flight: usize,
    pub(super) status: watch::Receiver<Status>,
    pub(super) stop: CancellationToken,
    /// Asks for an association while there is none.
    pub(super) wanted: Arc<Notify>,
    pub(super) wait_for_connection: bool,
}

impl Handle {
    /// Lets a call in: waits for an association, and for room.
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
                    // It may have begun to end while there was no room.
                    if association.takes_calls() {
                        return Ok(Admission::Place(Place { permit, association }));
                    }
                }
                result = changed(&mut status) => result?,
            }
        }
    }

    /// Like [`admit`](Self::admit), if there is no need to wait.
    pub(super) fn try_admit(&self) -> Option<Admission> {
        let association = Arc::clone(self.status.borrow().open()?);
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(Admission::Place(Place {
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
