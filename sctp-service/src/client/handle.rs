//! State shared by the handles of a client, and admission of calls.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sctp_tokio::{End, Message, Received};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::abandoned::Abandoned;
use crate::{
    ConnectInfo,
    handle::error::{CallError, Cause},
};

/// A request of a handle to the client's task.
pub(super) struct Command {
    pub(super) message: Message,
    pub(super) kind: Kind,
    /// Bounds the commands that wait and the calls in flight. Whoever drops the command makes
    /// room for another.
    pub(super) permit: OwnedSemaphorePermit,
}

pub(super) enum Kind {
    Call(oneshot::Sender<Result<Received, CallError>>),
    OneWay(oneshot::Sender<Result<(), CallError>>),
}

impl Command {
    /// Returns `true` once nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match &self.kind {
            Kind::Call(reply) => reply.is_closed(),
            Kind::OneWay(done) => done.is_closed(),
        }
    }

    pub(super) fn fail(self, error: CallError) {
        // An error here means that nobody waits for it any more.
        match self.kind {
            Kind::Call(reply) => drop(reply.send(Err(error))),
            Kind::OneWay(done) => drop(done.send(Err(error))),
        }
    }
}

/// Status of the client.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) phase: Phase,
    pub(super) last_end: Option<End>,
    /// The cause of having no association: the last one ended, or could not be set up.
    pub(super) last_error: Option<Cause>,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// There is no association until one is needed.
    Idle,
    /// One is being set up, or one is being ended.
    Between,
    Open(ConnectInfo),
    /// The last attempt, or the last association, ended so; the next attempt is not yet due.
    BackingOff(Cause),
    /// It was stopped: what is there is finished, and nothing is added.
    Stopping,
    /// It is over; every call fails so.
    Closed(Cause),
}

impl Status {
    /// Stops admitting calls, for now.
    pub(super) fn stop_admitting(&mut self) {
        if !matches!(self.phase, Phase::Stopping | Phase::Closed(_)) {
            self.phase = Phase::Between;
        }
    }
}

/// How to end a client, and to hear of its end, without a handle that would keep it.
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
                return self.status.borrow().last_end.clone();
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
#[derive(Debug)]
pub(super) enum Admission {
    Permit(OwnedSemaphorePermit),
    /// It is let in to fail.
    Failing(CallError),
}

/// State shared by all handles of a client. Dropping the last one ends the client.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) max_in_flight: usize,
    pub(super) status: watch::Receiver<Status>,
    pub(super) stop: CancellationToken,
    /// Asks for an association while there is none.
    pub(super) wanted: Arc<Notify>,
    pub(super) abandoned: Arc<Abandoned>,
    pub(super) pushes: Mutex<Option<mpsc::Receiver<Received>>>,
    pub(super) lost_pushes: Arc<AtomicU64>,
    pub(super) wait_for_connection: bool,
}

impl Handle {
    /// Lets a call in: waits for an association, and for room.
    pub(super) async fn admit(self: Arc<Self>) -> Result<Admission, CallError> {
        let mut status = self.status.clone();
        loop {
            let phase = status.borrow_and_update().phase.clone();
            match phase {
                Phase::Open(_) => {}
                Phase::Closed(cause) => return Err(CallError::not_sent(cause)),
                Phase::Stopping => return Err(closed()),
                Phase::BackingOff(cause) if !self.wait_for_connection => {
                    return Ok(Admission::Failing(CallError::not_sent(cause)));
                }
                Phase::Idle | Phase::Between | Phase::BackingOff(_) => {
                    self.wanted.notify_one();
                    changed(&mut status).await?;
                    continue;
                }
            }
            let permits = Arc::clone(&self.permits);
            tokio::select! {
                biased;
                permit = permits.acquire_owned() => {
                    return permit.map(Admission::Permit).map_err(|_| closed());
                }
                result = changed(&mut status) => result?,
            }
        }
    }

    /// As [`admit`](Self::admit), if it can be told at once.
    pub(super) fn try_admit(&self) -> Option<Result<Admission, CallError>> {
        if !self.is_open() {
            return None;
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(Ok(Admission::Permit(permit)))
    }

    pub(super) fn ending(&self) -> Ending {
        Ending {
            stop: self.stop.clone(),
            status: self.status.clone(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.status.borrow().phase, Phase::Open(_))
    }

    /// Hands a command to the client's task.
    pub(super) fn submit(&self, command: Command) {
        // The queue has a place for every permit, so only the end of the task refuses one.
        if let Err(refused) = self.commands.try_send(command) {
            // If it panicked, its status is that of before: nobody is to be let in any more.
            self.permits.close();
            let cause = match &self.status.borrow().phase {
                Phase::Closed(cause) => cause.clone(),
                _ => Cause::Closed,
            };
            refused.into_inner().fail(CallError::not_sent(cause));
        } else if !self.is_open() {
            // The association ended since the call was let in.
            self.wanted.notify_one();
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.max_in_flight
            .saturating_sub(self.permits.available_permits())
    }

    pub(super) fn lost_pushes(&self) -> u64 {
        self.lost_pushes.load(Ordering::Relaxed)
    }

    pub(super) fn take_pushes(&self) -> Option<mpsc::Receiver<Received>> {
        self.pushes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
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
