//! Optional deadlines.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Adds a configured time to an instant. `Duration::MAX` means no limit and exceeds the range of an
/// `Instant`, so the result is capped.
pub(crate) fn later(from: Instant, time: Duration) -> Instant {
    const LIFETIME: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    from.checked_add(time.min(LIFETIME)).unwrap_or(from)
}

/// A deadline, which never elapses while unset. Boxed when first set, since most associations never
/// need one.
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

    /// Sets the deadline to this time from now.
    pub(crate) fn set_in(&mut self, time: Duration) {
        self.set(later(Instant::now(), time));
    }

    /// Sets it to this time from now unless it elapses earlier.
    pub(crate) fn set_within(&mut self, time: Duration) {
        let deadline = later(Instant::now(), time);
        let sleep = self.sleep.as_ref().filter(|_| self.armed);
        if sleep.is_none_or(|sleep| sleep.deadline() > deadline) {
            self.set(deadline);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.armed = false;
    }

    pub(crate) fn is_set(&self) -> bool {
        self.armed
    }

    /// Returns `true` once if the deadline has passed, and unsets it: a `Sleep` must not be polled
    /// after it has completed.
    #[inline]
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> bool {
        // Most deadlines are unset, and many are polled with each message.
        self.armed && self.poll_sleep(cx)
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(sleep) = &mut self.sleep else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn set_within_only_moves_the_deadline_forward() {
        let mut timer = Timer::default();
        let second = Duration::from_secs(1);
        for (time, left) in [(3, 3), (5, 3), (2, 2)] {
            timer.set_within(time * second);
            let sleep = timer.sleep.as_ref().unwrap();
            assert_eq!(sleep.deadline() - Instant::now(), left * second);
        }
        timer.clear();
        timer.set_within(9 * second);
        let sleep = timer.sleep.as_ref().unwrap();
        assert_eq!(sleep.deadline() - Instant::now(), 9 * second);
    }

    #[test]
    fn later_accepts_any_duration() {
        let now = Instant::now();
        assert_eq!(later(now, Duration::ZERO), now);
        assert_eq!(
            later(now, Duration::from_secs(9)) - now,
            Duration::from_secs(9)
        );
        let year = Duration::from_secs(365 * 24 * 3600);
        for time in [
            Duration::MAX,
            Duration::from_secs(i64::MAX as u64),
            Duration::from_millis(u64::MAX),
        ] {
            assert!(later(now, time) >= now + year * 100, "{time:?}");
        }
        // Again and again, as a rate limit adds.
        let mut from = now;
        for _ in 0..1000 {
            let next = later(from, Duration::MAX);
            assert!(next > from);
            from = next;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn timer_of_maximum_duration_does_not_elapse() {
        let mut timer = Timer::default();
        timer.set_in(Duration::MAX);
        let elapsed = std::future::poll_fn(|cx| Poll::Ready(timer.poll_elapsed(cx))).await;
        assert!(!elapsed && timer.is_set());
    }
}
