//! An end to waiting.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use sctp_tokio::{Message, Received};
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::BoxError;
use tower_service::Service;

use super::{PoolEvent, event::PoolHook, roll::Roll};
use crate::{
    client::{CallError, Cause},
    driver::timer::Timer,
};

/// Fails calls when the inner service has not been ready for too long: a balancer without a
/// ready server waits, for ever if need be.
pub(super) struct Patience<S> {
    inner: S,
    patience: Duration,
    timer: Timer,
    /// The inner service has been waited for to no avail.
    exhausted: Option<Exhausted>,
    /// The next call is let in to fail so.
    failing: Option<Cause>,
    roll: Roll,
    hook: PoolHook,
    /// Resolves when the pool is shut down: then all calls that still wait fail.
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Since when calls fail, and how many have.
struct Exhausted {
    since: Instant,
    failed_calls: u64,
}

impl<S> Patience<S> {
    pub(super) fn new(inner: S, patience: Duration, roll: Roll, hook: PoolHook) -> Self {
        Self {
            stopped: Box::pin(roll.stopped()),
            roll,
            hook,
            inner,
            patience,
            timer: Timer::default(),
            exhausted: None,
            failing: None,
        }
    }

    fn recovered(&mut self) {
        self.timer = Timer::default();
        self.failing = None;
        if let Some(exhausted) = self.exhausted.take() {
            let lasted = exhausted.since.elapsed();
            let failed_calls = exhausted.failed_calls;
            tracing::info!(?lasted, failed_calls, "a server is ready again");
            self.hook.emit(&PoolEvent::Available {
                lasted,
                failed_calls,
            });
        }
    }

    /// Counts a call that is going to fail, and answers why it does.
    fn fail_one(&mut self) -> Cause {
        let trouble = self.roll.trouble();
        let exhausted = self.exhausted.get_or_insert_with(|| {
            let why = trouble.as_ref().map(tracing::field::display);
            tracing::warn!(trouble = why, "no server is ready, failing calls");
            let trouble = trouble.as_ref();
            self.hook.emit(&PoolEvent::Unavailable { trouble });
            Exhausted {
                since: Instant::now(),
                failed_calls: 0,
            }
        });
        exhausted.failed_calls += 1;
        Cause::Unavailable(trouble.map(Box::new))
    }
}

impl<S> Service<Message> for Patience<S>
where
    S: Service<Message, Response = Received, Error = BoxError, Future: Send + 'static>,
{
    type Response = Received;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Received, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.roll.is_stopped() || self.stopped.as_mut().poll(cx).is_ready() {
            self.failing = Some(Cause::Closed);
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(ready) = self.inner.poll_ready(cx) {
            self.recovered();
            return Poll::Ready(ready);
        }
        if self.failing.is_some() {
            return Poll::Ready(Ok(()));
        }
        if self.exhausted.is_none() {
            if !self.timer.is_set() {
                self.timer.set_in(self.patience);
            }
            if !self.timer.poll_elapsed(cx) {
                return Poll::Pending;
            }
        }
        self.failing = Some(self.fail_one());
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, message: Message) -> Self::Future {
        if let Some(cause) = self.failing.take() {
            let error = CallError::not_sent(cause);
            return Box::pin(std::future::ready(Err(error.into())));
        }
        Box::pin(self.inner.call(message))
    }
}
