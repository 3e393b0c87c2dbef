//! Messages and calls of handles, until the session takes them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use sctp_tokio::{Message, Received, SendError, Side};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    super::{
        call::{Abandon, Call, CallGuard, SendWaiter, Waiter, task_gone},
        error::{CallError, Cause, Refusal, TrySendError},
        room::{CallRoom, Place, Room},
    },
    HandleState, Phase, Released, StatsWaiters,
};
use crate::{Shutdown, sync::atomic::Ordering, timer::later};

/// Origin of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::handle) enum Origin {
    /// Waits until the handshake has ended.
    Handle,
    Handshake,
}

/// Submissions since the session looked last.
pub(crate) struct Taken {
    pub(crate) submitted: VecDeque<Submission>,
    pub(crate) has_dropped_calls: bool,
    pub(crate) shutdown: Option<Box<Shutdown>>,
    pub(crate) stats_waiters: Option<Box<StatsWaiters>>,
    pub(crate) expects_shutdown: bool,
    pub(crate) released: Option<Released>,
}

/// A message that a handle handed in.
pub(crate) enum Submission {
    OneWay {
        message: Message,
        /// `None` if the message has room in the queue of the handles, and its sender does not wait.
        waiter: Option<SendWaiter>,
    },
    Call {
        message: Message,
        waiter: Waiter,
        deadline: Option<Instant>,
    },
}

/// The number of submissions that the session never took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Discarded {
    pub(crate) sends: usize,
    pub(crate) calls: usize,
}

impl Submission {
    /// Fails a call or message that was not sent.
    pub(super) fn discard(self, error: &CallError) {
        match self {
            Self::OneWay { waiter, .. } => {
                if let Some(waiter) = waiter {
                    waiter.finish(Err(error.clone()));
                }
            }
            Self::Call { waiter, .. } => waiter.finish(Err(error.clone())),
        }
    }

    pub(super) fn is_call(&self) -> bool {
        matches!(self, Self::Call { .. })
    }

    /// Returns `true` if it is of a client, and not of a handle, which a restart closes.
    pub(super) fn is_of_client(&self) -> bool {
        match self {
            Self::OneWay { waiter, .. } => waiter.is_some(),
            Self::Call { waiter, .. } => waiter.room.is_none(),
        }
    }
}

impl HandleState {
    pub(in crate::handle) async fn send(
        &self,
        message: Message,
        origin: Origin,
    ) -> Result<(), SendError> {
        self.check(&message)?;
        let room = self.room_for(origin).await?;
        let place = room.acquire(message.payload.len()).await;
        Ok(self.accept(message, place)?)
    }

    pub(in crate::handle) fn try_send(&self, message: Message) -> Result<(), TrySendError> {
        let room = match self.room_at_once(&message) {
            Ok(room) => room,
            Err(error) => return Err(TrySendError { message, error }),
        };
        match room.try_acquire(message.payload.len()) {
            Ok(place) => self.accept(message, place),
            Err(error) => Err(TrySendError { message, error }),
        }
    }

    /// Returns the room for a message of a handle, unless the handshake has it.
    fn room_at_once(&self, message: &Message) -> Result<Arc<Room>, SendError> {
        self.check(message)?;
        self.room(Origin::Handle)?.ok_or(SendError::Full)
    }

    /// Refuses an invalid message at once, before it is queued.
    fn check(&self, message: &Message) -> Result<(), SendError> {
        let (len, stream) = (message.payload.len(), message.info.stream);
        let negotiated = self.outbound_streams.load(Ordering::Relaxed);
        if len == 0 {
            Err(SendError::Empty)
        } else if let Some(limit) = self.max_message.filter(|max| len > *max) {
            Err(SendError::TooLarge { len, limit })
        } else if stream.get() >= negotiated {
            Err(SendError::InvalidStream { stream, negotiated })
        } else {
            Ok(())
        }
    }

    /// Returns the room for messages, or `None` while only the handshake has it.
    fn room(&self, origin: Origin) -> Result<Option<Arc<Room>>, SendError> {
        let mut core = self.lock();
        core.phase.check()?;
        let is_early = origin == Origin::Handle && matches!(core.phase, Phase::Handshaking);
        Ok((!is_early).then(|| core.room(&self.config)))
    }

    /// Waits until the handshake has ended, and returns the room for messages.
    async fn room_for(&self, origin: Origin) -> Result<Arc<Room>, SendError> {
        loop {
            if let Some(room) = self.room(origin)? {
                return Ok(room);
            }
            let room = self.lock().room(&self.config);
            let mut opened = std::pin::pin!(room.opened.notified());
            // Before the look, or an end of the handshake between the two would go unnoticed.
            opened.as_mut().enable();
            if self.is_handshaking() {
                opened.await;
            }
        }
    }

    fn is_handshaking(&self) -> bool {
        matches!(self.lock().phase, Phase::Handshaking)
    }

    fn accept(&self, message: Message, place: Option<Place<'_>>) -> Result<(), TrySendError> {
        let mut core = self.lock();
        let place = match (core.phase.check(), place) {
            (Ok(()), Some(place)) => place,
            // Room is closed when `phase` says so already, so without a place it has failed.
            (Ok(()), None) => {
                let error = SendError::ShuttingDown;
                return Err(TrySendError { message, error });
            }
            (Err(error), _) => return Err(TrySendError { message, error }),
        };
        place.keep();
        if let Some(room) = &core.room {
            room.progress.accept();
        }
        core.submitted.push_back(Submission::OneWay {
            message,
            waiter: None,
        });
        self.wake(core);
        Ok(())
    }

    /// Waits until the transport is done with every message that was accepted before.
    pub(in crate::handle) async fn flush(&self) -> Result<(), SendError> {
        let (room, accepted) = {
            let core = self.lock();
            let Some(room) = core.room.clone() else {
                return Ok(());
            };
            let accepted = room.progress.accepted();
            (room, accepted)
        };
        loop {
            let mut changed = std::pin::pin!(room.progress.changed.notified());
            // Before the look, or progress between the two would go unnoticed.
            changed.as_mut().enable();
            {
                let core = self.lock();
                if room.progress.is_done(accepted) {
                    return Ok(());
                }
                if room.progress.has_discarded() || core.phase.end().is_some() {
                    core.phase.check()?;
                    return Err(SendError::ShuttingDown);
                }
            }
            changed.await;
        }
    }

    /// Makes a call, and waits for its reply.
    pub(in crate::handle) async fn request(
        self: Arc<Self>,
        message: Message,
        within: Option<Duration>,
        origin: Origin,
    ) -> Result<Received, CallError> {
        self.check_call(&message)?;
        self.check_correlated()?;
        let deadline = within.map(|within| later(Instant::now(), within));
        let len = message.payload.len();
        let admitted = async { self.room_for(origin).await.ok()?.acquire_call(len).await };
        let (permit, room) = self
            .admitted(admitted, deadline)
            .await?
            .ok_or_else(|| self.call_refused())?;
        self.submit(message, permit, room, deadline).await
    }

    /// Makes a call that has a place.
    pub(in crate::handle) fn call_with(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
    ) -> Call {
        let room = match self.check_call(&message).and_then(|()| self.call_room()) {
            Ok(room) => room,
            Err(error) => return Call::failed(error),
        };
        let len = message.payload.len();
        let is_open = !self.is_handshaking();
        if is_open && let Some(room) = room.try_acquire_for_call(len) {
            return self.submit(message, permit, room, None);
        }
        let state = Arc::clone(self);
        Call::admitting(async move {
            let admitted = async {
                let room = state.room_for(Origin::Handle).await.ok()?;
                room.acquire_for_call(len).await
            };
            let room = state
                .admitted(admitted, None)
                .await?
                .ok_or_else(|| state.call_refused())?;
            state.submit(message, permit, room, None).await
        })
    }

    /// Returns the places of calls.
    pub(in crate::handle) fn call_places(&self) -> Result<Arc<Semaphore>, CallError> {
        Ok(Arc::clone(self.call_room()?.calls()))
    }

    /// Returns the error of a call that is no longer accepted.
    pub(in crate::handle) fn call_refused(&self) -> CallError {
        let cause = match &self.lock().phase {
            Phase::ShuttingDown(Side::Peer) => Cause::ShutDown,
            Phase::Handshaking | Phase::Open | Phase::ShuttingDown(_) => Cause::Closed,
            Phase::Over(Some(end)) => Cause::from(&**end),
            Phase::Over(None) => Cause::Closed,
            Phase::Restarted(_) => Cause::Restarted,
        };
        CallError::not_sent(cause)
    }

    /// Waits for room, for at most the timeout of the call.
    async fn admitted<R>(
        &self,
        admitted: impl Future<Output = R>,
        deadline: Option<Instant>,
    ) -> Result<R, CallError> {
        let timeout = || {
            self.config
                .call_timeout
                .map(|time| later(Instant::now(), time))
        };
        match deadline.or_else(timeout) {
            Some(deadline) => timeout_at(deadline, admitted)
                .await
                .map_err(|_| CallError::not_sent(Cause::TimedOut)),
            None => Ok(admitted.await),
        }
    }

    fn submit(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
        room: CallRoom,
        deadline: Option<Instant>,
    ) -> Call {
        let mut core = self.lock();
        if core.phase.check().is_err() || core.announced_shutdown {
            drop(core);
            return Call::failed(self.call_refused());
        }
        let (reply, result) = oneshot::channel();
        core.submitted.push_back(Submission::Call {
            message,
            waiter: Waiter {
                reply,
                permit,
                room: Some(room),
            },
            deadline,
        });
        self.wake(core);
        let task: Arc<Self> = Arc::clone(self);
        Call::waiting(result, CallGuard::new(task))
    }

    /// Makes a call of a client; after a restart, on the association as it is now.
    pub(crate) fn call_of_client(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
        deadline: Option<Instant>,
    ) -> Call {
        let (reply, result) = oneshot::channel();
        let task = self.submit_of_client(Submission::Call {
            message,
            waiter: Waiter {
                reply,
                permit,
                room: None,
            },
            deadline,
        });
        Call::waiting(result, CallGuard::new(task))
    }

    /// Sends a one-way message of a client, and waits until the transport has taken it.
    pub(crate) async fn send_of_client(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), CallError> {
        let (done, result) = oneshot::channel();
        let task = self.submit_of_client(Submission::OneWay {
            message,
            waiter: Some(SendWaiter { done, permit }),
        });
        // Dropped after the channel, by which the session finds the message to take back.
        let mut guard = CallGuard::new(task);
        let result = result.await;
        guard.finish();
        result.unwrap_or_else(|_| Err(task_gone()))
    }

    /// Submits to the current state. Returns the state that has accepted or refused the submission.
    fn submit_of_client(self: &Arc<Self>, submission: Submission) -> Arc<Self> {
        let mut core = self.lock();
        if core.phase.check().is_ok() && self.takes_calls() {
            core.submitted.push_back(submission);
            self.wake(core);
            return Arc::clone(self);
        }
        let next = core.phase.next();
        drop(core);
        match next {
            Some(next) => next.submit_of_client(submission),
            None => {
                submission.discard(&self.call_refused());
                Arc::clone(self)
            }
        }
    }

    fn call_room(&self) -> Result<Arc<Room>, CallError> {
        self.check_correlated()?;
        let mut core = self.lock();
        if core.phase.check().is_err() || core.announced_shutdown {
            drop(core);
            return Err(self.call_refused());
        }
        Ok(core.room(&self.config))
    }

    fn check_correlated(&self) -> Result<(), CallError> {
        match self.is_correlated {
            true => Ok(()),
            false => Err(CallError::refused(Refusal::NoCorrelation)),
        }
    }

    /// Refuses an invalid message of a call. The stream may not have been chosen yet.
    fn check_call(&self, message: &Message) -> Result<(), CallError> {
        match self.check(message) {
            Ok(()) | Err(SendError::InvalidStream { .. }) => Ok(()),
            Err(error) => Err(CallError::refused(Refusal::Send(error))),
        }
    }
}

impl Abandon for HandleState {
    fn abandoned(&self) {
        let mut core = self.lock();
        if let Some(next) = core.phase.next() {
            drop(core);
            return next.abandoned();
        }
        core.has_dropped_calls = true;
        self.wake(core);
    }
}
