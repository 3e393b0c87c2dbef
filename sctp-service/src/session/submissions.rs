//! Messages and calls of handles, on their way to the outbox.

use sctp_tokio::{End, Side};

use super::connection::Connection;
use crate::{Cause, Shutdown, Transport, handle::Discarded};

/// The task may have been dropped, as when its runtime stops.
impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.abandon_handshake();
    }
}

impl<T: Transport> Connection<T> {
    /// Takes the submissions of handles. Cheap in the common case that there are none.
    #[inline]
    pub(super) fn pump(&mut self) {
        if self.association.is_pending() {
            self.take_submitted();
            self.start_calls();
        }
    }

    #[inline(never)]
    fn take_submitted(&mut self) {
        let taken = self.association.take();
        for submission in taken.submitted {
            self.submit(submission);
        }
        if taken.has_dropped_calls {
            self.give_up_dropped();
        }
        if let Some(waiters) = taken.stats_waiters {
            waiters.answer(|| self.transport.stats());
        }
        self.expects_shutdown |= taken.expects_shutdown;
        if let Some(released) = taken.released {
            self.released.get_or_insert_default().extend(*released);
        }
        if taken.shutdown.is_some() {
            self.requested_shutdown = taken.shutdown;
        }
    }

    /// Takes the submissions of handles, and accepts no more. Calls among them are not made.
    pub(super) fn stop_accepting(&mut self, by: Side) {
        self.association.close(by);
        self.take_submitted();
    }

    /// Returns `true` if a handle may have requested a shutdown. Cheap: called once per call.
    #[inline]
    pub(super) fn has_requested_shutdown(&self) -> bool {
        self.requested_shutdown.is_some() || self.association.is_pending()
    }

    /// Like [`stop_accepting`](Self::stop_accepting), if there is nothing to take. Returns `false`
    /// otherwise.
    pub(super) fn try_stop_accepting(&mut self) -> bool {
        let is_stopped = self.association.try_close();
        self.pump();
        is_stopped
    }

    /// Like [`stop_accepting`](Self::stop_accepting), permanently: this end closes the association.
    pub(super) fn begin_end(&mut self) {
        self.ending = true;
        self.stop_accepting(Side::Local);
    }

    /// Takes the shutdown that a handle requested.
    pub(super) fn take_requested_shutdown(&mut self) -> Option<Shutdown> {
        self.pump();
        self.requested_shutdown.take().map(|shutdown| *shutdown)
    }

    /// Closes the handles. Calls that were not taken fail with the cause.
    pub(super) fn end_handles(&mut self, end: &End, cause: &Cause) {
        let discarded = self.association.end(Some(end.clone()), Some(cause));
        self.count_discarded(discarded);
    }

    /// Counts what handles had submitted when they were closed.
    pub(super) fn count_discarded(&mut self, discarded: Discarded) {
        let (sends, calls) = (discarded.sends as u64, discarded.calls as u64);
        self.counts.sends += sends;
        self.counts.discarded_sends += sends;
        self.counts.calls += calls;
        self.counts.unsent_calls += calls;
    }
}
