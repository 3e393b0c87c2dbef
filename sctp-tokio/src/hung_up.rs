//! The end of a one-to-one socket's association, as far as it differs.
//!
//! From the peer's SHUTDOWN on, a one-to-one socket reads as empty (`RCV_SHUTDOWN`), again and
//! again, and stays readable. The association goes on until the handshake is complete, and can
//! still fail; its last notification tells how it ended, unless this end has shut down too, for
//! then the kernel drops that (`sctp_ulpq_tail_event`).

use std::{
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_core::Socket;
use tokio::time::{Instant, sleep};

use crate::{End, Event, RecvError, RecvHalf, recv_half::is_gone};

/// How often to look whether the handshake is complete. Readiness does not tell, since the socket
/// has been readable all the time; it takes one round trip.
const INTERVAL: Duration = Duration::from_millis(10);

/// What the last reads of a one-to-one socket say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HungUp {
    /// The peer has not shut down, or it is time to read again.
    No,
    /// The last read was empty.
    Empty,
    /// It was, and the association goes on: the handshake is not complete.
    Waiting,
}

impl RecvHalf {
    /// Once everything received has been told: waits until the association is over, if reads are
    /// empty. `None` says to receive again.
    pub(crate) fn poll_hung_up(
        &mut self,
        cx: &mut Context<'_>,
        socket: &Socket,
    ) -> Poll<Option<Event>> {
        if self.hung_up == HungUp::Empty {
            if let Some(event) = self.after_empty_read(socket) {
                return Poll::Ready(Some(event));
            }
            if self.hung_up == HungUp::Waiting {
                let timer = self
                    .status_timer
                    .get_or_insert_with(|| Box::pin(sleep(INTERVAL)));
                timer.as_mut().reset(Instant::now() + INTERVAL);
            }
        }
        if let (HungUp::Waiting, Some(timer)) = (self.hung_up, &mut self.status_timer) {
            ready!(timer.as_mut().poll(cx));
            self.hung_up = HungUp::No;
        }
        Poll::Ready(None)
    }

    /// The same without waiting: `WouldBlock` while the handshake goes on.
    pub(crate) fn try_hung_up(&mut self, socket: &Socket) -> Option<Result<Event, RecvError>> {
        if self.hung_up == HungUp::Empty
            && let Some(event) = self.after_empty_read(socket)
        {
            return Some(Ok(event));
        }
        if self.hung_up == HungUp::Waiting {
            // The next call receives again.
            self.hung_up = HungUp::No;
            return Some(Err(RecvError::Io(io::ErrorKind::WouldBlock.into())));
        }
        None
    }

    /// An empty read, and nothing left to tell: the end, if the association is over.
    fn after_empty_read(&mut self, socket: &Socket) -> Option<Event> {
        if !self.is_over() && self.gone {
            // It was over before the last read, which found nothing.
            self.pending_end = Some(End::Shutdown {
                by: self.shared.marks.shut_down_by(),
            });
        }
        if self.is_over() {
            return Some(self.reached_end());
        }
        self.gone = is_gone(socket, self.shared.id);
        // If it is over, its last notification may have come since the last read: read again.
        self.hung_up = if self.gone {
            HungUp::No
        } else {
            HungUp::Waiting
        };
        None
    }
}
