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
        limits::{Limits, OwnedQueuePermit, QueuePermit},
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
        /// `None` if the message has a permit for the queue of the handles, and its sender does not wait.
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
            Self::Call { waiter, .. } => waiter.queue_permit.is_none(),
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
        let limits = self.limits_for(origin).await?;
        let permit = limits.acquire(message.payload.len()).await;
        Ok(self.accept(message, permit)?)
    }

    pub(in crate::handle) fn try_send(&self, message: Message) -> Result<(), TrySendError> {
        let limits = match self.limits_at_once(&message) {
            Ok(limits) => limits,
            Err(error) => return Err(TrySendError { message, error }),
        };
        match limits.try_acquire(message.payload.len()) {
            Ok(permit) => self.accept(message, permit),
            Err(error) => Err(TrySendError { message, error }),
        }
    }

    /// Returns the limits for a message of a handle, unless only the handshake can send.
    fn limits_at_once(&self, message: &Message) -> Result<Arc<Limits>, SendError> {
        self.check(message)?;
        self.limits(Origin::Handle)?.ok_or(SendError::Full)
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

    /// Returns the limits, or `None` while only the handshake can send.
    fn limits(&self, origin: Origin) -> Result<Option<Arc<Limits>>, SendError> {
        let mut core = self.lock();
        core.phase.check()?;
        let is_early = origin == Origin::Handle && matches!(core.phase, Phase::Handshaking);
        Ok((!is_early).then(|| core.limits(&self.config)))
    }

    /// Waits until the handshake has ended, and returns the limits.
    async fn limits_for(&self, origin: Origin) -> Result<Arc<Limits>, SendError> {
        loop {
            if let Some(limits) = self.limits(origin)? {
                return Ok(limits);
            }
            let limits = self.lock().limits(&self.config);
            let mut opened = std::pin::pin!(limits.opened.notified());
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

    fn accept(
        &self,
        message: Message,
        permit: Option<QueuePermit<'_>>,
    ) -> Result<(), TrySendError> {
        let mut core = self.lock();
        let permit = match (core.phase.check(), permit) {
            (Ok(()), Some(permit)) => permit,
            // The limits are closed when `phase` says so already, so without a permit it has failed.
            (Ok(()), None) => {
                let error = SendError::ShuttingDown;
                return Err(TrySendError { message, error });
            }
            (Err(error), _) => return Err(TrySendError { message, error }),
        };
        permit.forget();
        if let Some(limits) = &core.limits {
            limits.progress.accept();
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
        let (limits, accepted) = {
            let core = self.lock();
            let Some(limits) = core.limits.clone() else {
                return Ok(());
            };
            let accepted = limits.progress.accepted();
            (limits, accepted)
        };
        loop {
            let mut changed = std::pin::pin!(limits.progress.changed.notified());
            // Before the look, or progress between the two would go unnoticed.
            changed.as_mut().enable();
            {
                let core = self.lock();
                if limits.progress.is_done(accepted) {
                    return Ok(());
                }
                if limits.progress.has_discarded() || core.phase.end().is_some() {
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
        let admitted = async { self.limits_for(origin).await.ok()?.acquire_call(len).await };
        let (permit, queue_permit) = self
            .admitted(admitted, deadline)
            .await?
            .ok_or_else(|| self.call_refused())?;
        self.submit(message, permit, queue_permit, deadline).await
    }

    /// Makes a call that has a permit.
    pub(in crate::handle) fn call_with(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
    ) -> Call {
        let limits = match self
            .check_call(&message)
            .and_then(|()| self.limits_for_call())
        {
            Ok(limits) => limits,
            Err(error) => return Call::failed(error),
        };
        let len = message.payload.len();
        let is_open = !self.is_handshaking();
        if is_open && let Some(queue_permit) = limits.try_acquire_for_call(len) {
            return self.submit(message, permit, queue_permit, None);
        }
        let state = Arc::clone(self);
        Call::admitting(async move {
            let admitted = async {
                let limits = state.limits_for(Origin::Handle).await.ok()?;
                limits.acquire_for_call(len).await
            };
            let queue_permit = state
                .admitted(admitted, None)
                .await?
                .ok_or_else(|| state.call_refused())?;
            state.submit(message, permit, queue_permit, None).await
        })
    }

    /// Returns the permits of calls.
    pub(in crate::handle) fn call_permits(&self) -> Result<Arc<Semaphore>, CallError> {
        Ok(Arc::clone(self.limits_for_call()?.calls()))
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

    /// Waits for a permit, for at most the timeout of the call.
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
        queue_permit: OwnedQueuePermit,
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
                queue_permit: Some(queue_permit),
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
                queue_permit: None,
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

    fn limits_for_call(&self) -> Result<Arc<Limits>, CallError> {
        self.check_correlated()?;
        let mut core = self.lock();
        if core.phase.check().is_err() || core.announced_shutdown {
            drop(core);
            return Err(self.call_refused());
        }
        Ok(core.limits(&self.config))
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
