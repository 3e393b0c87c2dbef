//! A call under way.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use sctp_tokio::Received;
use tokio::sync::oneshot;

use crate::{
    handle::error::{CallError, Cause, Fate},
    sync::{Mutex, MutexGuard},
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
        // Dropped before the ticket: the task finds the call by its closed channel.
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

/// Tells the client's task that a call is given up, unless it is finished.
pub(super) struct Ticket(Option<Arc<Abandoned>>);

impl Ticket {
    pub(super) fn new(abandoned: Arc<Abandoned>) -> Self {
        Self(Some(abandoned))
    }

    pub(super) fn finish(&mut self) {
        self.0 = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(abandoned) = &self.0 {
            abandoned.set();
        }
    }
}

/// A flag that is set when a call is given up.
#[derive(Debug, Default)]
pub(super) struct Abandoned(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_set: bool,
    task: Option<Waker>,
}

impl Abandoned {
    /// Takes the flag, or registers the task to wake when it is set.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if std::mem::take(&mut inner.is_set) {
            return Poll::Ready(());
        }
        let is_known = inner
            .task
            .as_ref()
            .is_some_and(|task| task.will_wake(cx.waker()));
        let earlier = match is_known {
            true => None,
            false => inner.task.replace(cx.waker().clone()),
        };
        drop(inner);
        // Outside the lock: the last reference of a waker may drop a whole task.
        drop(earlier);
        Poll::Pending
    }

    fn set(&self) {
        let task = {
            let mut inner = self.lock();
            inner.is_set = true;
            inner.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// A panic cannot leave the flag inconsistent, so poisoning is ignored.
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
            assert!(at.poll_take(&mut Context::from_waker(&waker)).is_pending());
        }
        at.set();
        assert!(!was_locked.load(Ordering::Relaxed));
    }
}

#[cfg(all(test, sctp_loom))]
mod models {
    use std::{future::poll_fn, task::ready};

    use loom::{
        future::block_on,
        model::Builder,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    /// Two calls are dropped, each after its channel, which the task looks at when it is woken.
    #[test]
    fn abandoned_calls_reach_the_task() {
        let mut model = Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let abandoned = Arc::new(Abandoned::default());
            let closed: [_; 2] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
            for closed in &closed {
                let closed = Arc::clone(closed);
                let ticket = Ticket::new(Arc::clone(&abandoned));
                thread::spawn(move || {
                    closed.store(true, Ordering::Release);
                    drop(ticket);
                });
            }
            block_on(poll_fn(|cx| {
                loop {
                    ready!(abandoned.poll_take(cx));
                    if closed.iter().all(|closed| closed.load(Ordering::Acquire)) {
                        return Poll::Ready(());
                    }
                }
            }));
        });
    }
}
