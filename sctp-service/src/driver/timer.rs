//! A deadline that may or may not be set.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline; unset, it never elapses. It is boxed when first set, since most associations
/// never need one.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Timer {
    pub(crate) fn set(&mut self, deadline: Instant) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(sleep_until(deadline))),
        }
        self.armed = true;
    }

    pub(crate) fn clear(&mut self) {
        self.armed = false;
    }

    pub(crate) fn is_set(&self) -> bool {
        self.armed
    }

    /// Whether the deadline has passed. It answers so once, then is unset: a `Sleep` must not be
    /// polled after it completed.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(sleep) = self.sleep.as_mut().filter(|_| self.armed) else {
            return false;
        };
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.armed = false;
                true
            }
            Poll::Pending => false,
        }
    }
}
