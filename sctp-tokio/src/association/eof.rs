//! End-of-file detection for one-to-one sockets.
//!
//! After the peer's SHUTDOWN, every read of a one-to-one socket returns 0 bytes (`RCV_SHUTDOWN`),
//! and the socket stays readable. The association exists until the SHUTDOWN handshake completes,
//! and can still fail. Its last notification reports the outcome, unless this end has shut down
//! too: then the kernel drops the notification (`sctp_ulpq_tail_event`).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Interval between checks of the handshake, which takes one round trip. The socket stays readable, so
/// readiness does not show its end.
const INTERVAL: Duration = Duration::from_millis(10);

/// Progress from the first empty read of a one-to-one socket to the end of its association.
#[derive(Debug, Default)]
pub(crate) struct EofState {
    stage: Stage,
    /// Set if the association no longer exists in the kernel and no notification of its end was
    /// received.
    gone: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The peer has not shut down, or it is time to read again.
    #[default]
    Reading,
    /// The last read was empty.
    Empty,
    /// The last read was empty, and the SHUTDOWN handshake is not complete.
    Waiting,
}

/// The next step of a receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Receive.
    Receive,
    /// Wait: the SHUTDOWN handshake is not complete.
    Wait,
    /// The association is closed, and no notification of it will come.
    Closed,
}

impl EofState {
    /// Records an empty read.
    pub(crate) fn empty_read(&mut self) {
        self.stage = Stage::Empty;
    }

    /// Polls for the next step, once everything received has been returned. Never
    /// [`Step::Wait`].
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        is_closed: bool,
        is_present: impl FnOnce() -> bool,
    ) -> Poll<Step> {
        let was_waiting = self.stage == Stage::Waiting;
        let step = self.advance(is_closed, is_present);
        if step != Step::Wait {
            return Poll::Ready(step);
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(INTERVAL)));
        if !was_waiting {
            timer.as_mut().reset(Instant::now() + INTERVAL);
        }
        ready!(timer.as_mut().poll(cx));
        self.stage = Stage::Reading;
        Poll::Ready(Step::Receive)
    }

    /// Returns the next step without waiting. After [`Step::Wait`] the next call receives again.
    pub(crate) fn try_next(&mut self, is_closed: bool, is_present: impl FnOnce() -> bool) -> Step {
        let step = self.advance(is_closed, is_present);
        if step == Step::Wait {
            self.stage = Stage::Reading;
        }
        step
    }

    fn advance(&mut self, is_closed: bool, is_present: impl FnOnce() -> bool) -> Step {
        if self.stage == Stage::Empty {
            // The association was gone before the last read, which returned nothing.
            if is_closed || self.gone {
                return Step::Closed;
            }
            self.gone = !is_present();
            // The last notification may have arrived since the last read: read again.
            self.stage = if self.gone {
                Stage::Reading
            } else {
                Stage::Waiting
            };
        }
        match self.stage {
            Stage::Waiting => Step::Wait,
            Stage::Reading | Stage::Empty => Step::Receive,
        }
    }
}
