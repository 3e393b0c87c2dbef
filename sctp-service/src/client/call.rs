//! A call under way.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use sctp_tokio::Received;
use tokio::sync::oneshot;

use super::{
    correlate::CallId,
    error::{CallError, Cause, Fate},
};

/// A call under way: resolves to its reply, or to what became of it.
///
/// It needs no polling to make progress. It lives on when the [`Client`](super::Client) that
/// made it is dropped.
///
/// # Cancel safety
///
/// Dropping it gives the call up. If its message has not been handed to the kernel, it never is;
/// otherwise the server does its work all the same, and the late reply is recognised and
/// discarded.
#[must_use = "dropping it gives the call up"]
pub struct Call(State);

enum State {
    Waiting {
        reply: oneshot::Receiver<Result<Received, CallError>>,
        ticket: Ticket,
    },
    Failed(CallError),
    Done,
}

impl Call {
    pub(super) fn waiting(
        reply: oneshot::Receiver<Result<Received, CallError>>,
        ticket: Ticket,
    ) -> Self {
        Self(State::Waiting { reply, ticket })
    }

    pub(super) fn failed(error: CallError) -> Self {
        Self(State::Failed(error))
    }
}

impl Future for Call {
    type Output = Result<Received, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            State::Waiting { reply, ticket } => match Pin::new(reply).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => {
                    ticket.finish();
                    result.unwrap_or_else(|_| Err(task_gone()))
                }
            },
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

/// The client's task was dropped, as when the runtime stops, or panicked.
pub(super) fn task_gone() -> CallError {
    CallError::new(Cause::Closed, Fate::Unknown)
}

/// Tells the client's task when a call is given up.
pub(super) struct Ticket {
    call: CallId,
    abandoned: Option<Arc<Abandoned>>,
}

impl Ticket {
    pub(super) fn new(call: CallId, abandoned: Arc<Abandoned>) -> Self {
        Self {
            call,
            abandoned: Some(abandoned),
        }
    }

    pub(super) fn finish(&mut self) {
        self.abandoned = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(abandoned) = &self.abandoned {
            abandoned.push(self.call);
        }
    }
}

/// The calls that were given up and that the task has not heard of: never more than there are
/// calls in flight, since each holds its permit until then.
#[derive(Debug, Default)]
pub(super) struct Abandoned(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: VecDeque<CallId>,
    task: Option<Waker>,
}

impl Abandoned {
    /// Takes a call, or sees to it that the task is woken when there is one.
    pub(super) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<CallId> {
        let mut inner = self.lock();
        if let Some(call) = inner.calls.pop_front() {
            return Poll::Ready(call);
        }
        if inner
            .task
            .as_ref()
            .is_some_and(|task| task.will_wake(cx.waker()))
        {
            return Poll::Pending;
        }
        let earlier = inner.task.replace(cx.waker().clone());
        // Dropping a waker may drop calls, which takes the lock.
        drop(inner);
        drop(earlier);
        Poll::Pending
    }

    /// Forgets the calls of an association that is over: they have been failed.
    pub(super) fn clear(&self) {
        self.lock().calls.clear();
    }

    fn push(&self, call: CallId) {
        let task = {
            let mut inner = self.lock();
            inner.calls.push_back(call);
            inner.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Nothing here can be left half done by a panic.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        task::Wake,
    };

    use super::*;

    /// A waker that looks, when it is dropped or called, whether the lock is free.
    struct Looking {
        at: Arc<Abandoned>,
        was_locked: Arc<AtomicBool>,
    }

    impl Looking {
        fn look(&self) {
            if self.at.0.try_lock().is_err() {
                self.was_locked.store(true, Ordering::Relaxed);
            }
        }
    }

    impl Wake for Looking {
        fn wake(self: Arc<Self>) {
            self.look();
        }
    }

    impl Drop for Looking {
        fn drop(&mut self) {
            self.look();
        }
    }

    #[test]
    fn wakers_run_outside_of_the_lock() {
        let at = Arc::new(Abandoned::default());
        let was_locked = Arc::new(AtomicBool::new(false));
        for _ in 0..3 {
            let waker = Waker::from(Arc::new(Looking {
                at: Arc::clone(&at),
                was_locked: Arc::clone(&was_locked),
            }));
            assert!(at.poll_pop(&mut Context::from_waker(&waker)).is_pending());
        }
        at.push(1);
        assert!(!was_locked.load(Ordering::Relaxed));
    }
}
