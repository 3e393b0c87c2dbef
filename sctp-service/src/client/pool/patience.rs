//! An end to waiting.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use sctp_tokio::{Message, Received};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::BoxError;
use tower_service::Service;

use super::roll::Roll;
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
    exhausted: bool,
    /// The next call is let in to fail so.
    failing: Option<Cause>,
    roll: Roll,
    /// Resolves when the pool is shut down: then all calls that still wait fail.
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Patience<S> {
    pub(super) fn new(inner: S, patience: Duration, roll: Roll) -> Self {
        Self {
            stopped: Box::pin(roll.stopped()),
            roll,
            inner,
            patience,
            timer: Timer::default(),
            exhausted: false,
            failing: None,
        }
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
            self.timer = Timer::default();
            self.exhausted = false;
            self.failing = None;
            return Poll::Ready(ready);
        }
        if !self.timer.is_set() && !self.exhausted {
            self.timer.set_in(self.patience);
        }
        self.exhausted |= self.timer.poll_elapsed(cx);
        if !self.exhausted {
            return Poll::Pending;
        }
        let trouble = self.roll.trouble().map(Box::new);
        self.failing = Some(Cause::Unavailable(trouble));
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
