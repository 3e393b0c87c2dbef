//! Middleware that fails calls when no server becomes ready in time.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_tokio::{Message, Received};
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::BoxError;
use tower_service::Service;

use super::{PoolEvent, clients::ClientSet, event::PoolHook};
use crate::{
    CallError, Cause,
    log_limit::{LogLimiter, several},
    ready::{poll_budget, poll_ready_with_budget},
    timer::{Timer, later},
};

/// Bounds how long a call waits while no server is ready. A balancer without a ready endpoint
/// otherwise waits indefinitely.
///
/// The time runs from when the call was made, or from when the last server that was ready was
/// given a call, whichever is later.
pub(super) struct ReadyTimeout<S> {
    inner: S,
    timeout: Duration,
    queue: QueueTimes,
    /// Start of the time in which no server has been ready, as seen by calls.
    unready_since: Option<Instant>,
    timer: Timer,
    timer_due: Option<Instant>,
    /// Set while the timeout has elapsed and the inner service is still not ready.
    outage: Option<Outage>,
    /// The next call is admitted only to be rejected with this cause.
    reject_next: Option<Cause>,
    clients: ClientSet,
    hook: PoolHook,
    outages: LogLimiter,
    recoveries: LogLimiter,
    /// Resolves when the pool is shut down: then all calls that still wait fail.
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Start of an outage, and the number of calls rejected since.
struct Outage {
    since: Instant,
    failed_calls: u64,
}

impl<S> ReadyTimeout<S> {
    pub(super) fn new(
        inner: S,
        timeout: Duration,
        queue: QueueTimes,
        clients: ClientSet,
        hook: PoolHook,
    ) -> Self {
        Self {
            stopped: Box::pin(clients.stopped()),
            clients,
            hook,
            inner,
            timeout,
            queue,
            unready_since: None,
            timer: Timer::default(),
            timer_due: None,
            outage: None,
            reject_next: None,
            outages: LogLimiter::default(),
            recoveries: LogLimiter::default(),
        }
    }

    fn recovered(&mut self) {
        self.unready_since = None;
        self.timer = Timer::default();
        self.timer_due = None;
        self.reject_next = None;
        if let Some(outage) = self.outage.take() {
            let lasted = outage.since.elapsed();
            let failed_calls = outage.failed_calls;
            if let Some(occurrences) = self.recoveries.record() {
                let occurrences = several(occurrences);
                tracing::info!(?lasted, failed_calls, occurrences, "server ready again");
            }
            self.hook.emit(&PoolEvent::Available {
                lasted,
                failed_calls,
            });
        }
    }

    /// Returns `true` once the first call in the queue has waited for too long.
    fn poll_timed_out(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let unready_since = *self.unready_since.get_or_insert(now);
        let since = self.queue.oldest().unwrap_or(now).max(unready_since);
        let due = later(since, self.timeout);
        if self.timer_due != Some(due) {
            self.timer.set(due);
            self.timer_due = Some(due);
        }
        let elapsed = self.timer.poll_elapsed(cx);
        if elapsed {
            self.timer_due = None;
        }
        elapsed
    }

    /// Records a rejected call and returns its cause.
    fn reject(&mut self) -> Cause {
        let last_error = self.clients.last_error();
        let outage = self.outage.get_or_insert_with(|| {
            if let Some(occurrences) = self.outages.record() {
                let error = last_error.as_ref().map(tracing::field::display);
                tracing::warn!(error, occurrences, "no server ready, rejecting calls");
            }
            let last_error = last_error.as_ref();
            self.hook.emit(&PoolEvent::Unavailable { last_error });
            Outage {
                since: Instant::now(),
                failed_calls: 0,
            }
        });
        outage.failed_calls += 1;
        Cause::Unavailable(last_error.map(Box::new))
    }
}

impl<S> Service<Queued> for ReadyTimeout<S>
where
    S: Service<Message, Response = Received, Error = BoxError, Future: Send + 'static>,
{
    type Response = Received;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Received, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.clients.is_stopped() || self.stopped.as_mut().poll(cx).is_ready() {
            self.reject_next = Some(Cause::Closed);
            return Poll::Ready(Ok(()));
        }
        // Without budget the servers would look as if none were ready.
        ready!(poll_budget(cx));
        if let Poll::Ready(result) = poll_ready_with_budget(&mut self.inner, cx) {
            self.recovered();
            return Poll::Ready(result);
        }
        if self.reject_next.is_some() {
            return Poll::Ready(Ok(()));
        }
        if self.outage.is_none() && !self.poll_timed_out(cx) {
            return Poll::Pending;
        }
        self.reject_next = Some(self.reject());
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, queued: Queued) -> Self::Future {
        if let Some(cause) = self.reject_next.take() {
            let error = CallError::not_sent(cause);
            return Box::pin(std::future::ready(Err(error.into())));
        }
        Box::pin(self.inner.call(queued.message))
    }
}

/// Records when each call is made, on its way into the queue in front of [`ReadyTimeout`].
#[derive(Clone)]
pub(super) struct Enqueue<S> {
    inner: S,
    queue: QueueTimes,
}

impl<S> Enqueue<S> {
    pub(super) fn new(inner: S, queue: QueueTimes) -> Self {
        Self { inner, queue }
    }
}

impl<S: Service<Queued>> Service<Message> for Enqueue<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> S::Future {
        let entry = self.queue.enter();
        self.inner.call(Queued {
            message,
            _entry: entry,
        })
    }
}

/// A call in the queue.
pub(super) struct Queued {
    message: Message,
    _entry: Entry,
}

/// Times at which the queued calls were made.
///
/// `poll_ready` does not know which call it is asked for. It is the first in the queue, since
/// those that were cancelled are dropped before.
#[derive(Clone, Default)]
pub(super) struct QueueTimes(Arc<Mutex<Times>>);

#[derive(Default)]
struct Times {
    next: u64,
    since: BTreeMap<u64, Instant>,
}

/// The place of a call in the queue, until it is dropped.
struct Entry {
    number: u64,
    queue: QueueTimes,
}

impl QueueTimes {
    fn enter(&self) -> Entry {
        let mut times = self.lock();
        let number = times.next;
        times.next += 1;
        times.since.insert(number, Instant::now());
        let queue = self.clone();
        Entry { number, queue }
    }

    fn oldest(&self) -> Option<Instant> {
        self.lock().since.values().next().copied()
    }

    /// A panic cannot leave the map inconsistent, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.queue.lock().since.remove(&self.number);
    }
}
