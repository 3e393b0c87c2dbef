//! Calls in flight.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sctp_tokio::Received;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    error::{CallError, Cause, Fate},
    limits::OwnedQueuePermit,
};

/// A call in flight. Resolves to the reply or to an error.
///
/// A call makes progress without being polled, unless it waits to be accepted. It outlives the
/// [`Client`](crate::client::Client) or [`Caller`](crate::Caller) that made it.
///
/// # Cancel safety
///
/// Dropping a call cancels it. A message that has not been handed to the kernel is not sent.
/// Otherwise the peer processes the message, and its late reply is recognized and discarded.
#[must_use = "dropping a call cancels it"]
pub struct Call(State);

enum State {
    /// Waits for a permit. Boxed, since this is rare.
    Admitting(Pin<Box<dyn Future<Output = Result<Received, CallError>> + Send>>),
    Waiting {
        // Dropped before the guard: the task finds the call by its closed channel.
        reply: oneshot::Receiver<Result<Received, CallError>>,
        guard: CallGuard,
    },
    Failed(CallError),
    Done,
}

impl Call {
    pub(crate) fn admitting(
        call: impl Future<Output = Result<Received, CallError>> + Send + 'static,
    ) -> Self {
        Self(State::Admitting(Box::pin(call)))
    }

    pub(crate) fn waiting(
        reply: oneshot::Receiver<Result<Received, CallError>>,
        guard: CallGuard,
    ) -> Self {
        Self(State::Waiting { reply, guard })
    }

    pub(crate) fn failed(error: CallError) -> Self {
        Self(State::Failed(error))
    }
}

impl Future for Call {
    type Output = Result<Received, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            State::Admitting(call) => ready!(call.as_mut().poll(cx)),
            State::Waiting { reply, guard } => {
                let result = ready!(Pin::new(reply).poll(cx));
                guard.finish();
                result.unwrap_or_else(|_| Err(task_gone()))
            }
            State::Failed(error) => Err(error.clone()),
            State::Done => panic!("a call was polled after it completed"),
        };
        self.0 = State::Done;
        Poll::Ready(result)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("done", &matches!(self.0, State::Done))
            .finish()
    }
}

/// Returns the error of a call whose task was dropped, as when the runtime stops, or has panicked.
pub(crate) fn task_gone() -> CallError {
    CallError::new(Cause::Closed, Fate::Unknown)
}

/// The owner of a call, who waits for its reply.
pub(crate) struct Waiter {
    pub(crate) reply: oneshot::Sender<Result<Received, CallError>>,
    /// Permit for the call among those in flight.
    pub(crate) permit: OwnedSemaphorePermit,
    /// Permit for the message in the queue. `None` for calls of a client: they are limited by their
    /// own permits, and are sent after a restart of the peer if they were not sent before.
    pub(crate) queue_permit: Option<OwnedQueuePermit>,
}

impl Waiter {
    pub(crate) fn finish(self, result: Result<Received, CallError>) {
        drop(self.permit);
        // An error means that the call was dropped.
        drop(self.reply.send(result));
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }
}

/// The sender of a one-way message, which waits until the transport has accepted it.
pub(crate) struct SendWaiter {
    pub(crate) done: oneshot::Sender<Result<(), CallError>>,
    /// Permit for the message among those in flight.
    pub(crate) permit: OwnedSemaphorePermit,
}

impl SendWaiter {
    pub(crate) fn finish(self, result: Result<(), CallError>) {
        drop(self.permit);
        // An error means that the sender was dropped.
        drop(self.done.send(result));
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.done.is_closed()
    }
}

/// The task that a call belongs to, which is notified when the call is dropped.
pub(crate) trait Abandon: Send + Sync {
    /// Notifies the task of a dropped call.
    fn abandoned(&self);
}

/// Notifies the task when a call is dropped before it has finished.
pub(crate) struct CallGuard(Option<Arc<dyn Abandon>>);

impl CallGuard {
    pub(crate) fn new(task: Arc<dyn Abandon>) -> Self {
        Self(Some(task))
    }

    pub(super) fn finish(&mut self) {
        self.0 = None;
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abandoned();
        }
    }
}
