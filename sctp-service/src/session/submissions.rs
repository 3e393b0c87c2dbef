//! Messages and calls of handles, on their way to the outbox.

use super::connection::Connection;
use crate::{Shutdown, Transport};

/// The task was dropped, as when its runtime stops: nobody saw the end.
impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.association.end(None);
        self.abandon_handshake();
    }
}

impl<T: Transport> Connection<T> {
    /// Queues what was pushed since. In the common case, that nothing was, it costs a look.
    #[inline]
    pub(super) fn pump(&mut self) {
        if self.association.is_pending() {
            self.take_pushed();
        }
    }

    #[cold]
    fn take_pushed(&mut self) {
        let taken = self.association.take();
        for submission in taken.submitted {
            self.submit(submission);
        }
        if taken.has_dropped_calls {
            self.give_up_dropped_calls();
        }
        self.start_calls();
        if taken.shutdown.is_some() {
            self.requested_shutdown = taken.shutdown;
        }
    }

    /// Queues what was pushed, and accepts no more.
    pub(super) fn close_pushes(&mut self) {
        self.association.close();
        self.pump();
    }

    /// Returns `true` if a handle may have requested a shutdown. Cheap: called once per call.
    pub(super) fn has_requested_shutdown(&self) -> bool {
        self.requested_shutdown.is_some() || self.association.is_pending()
    }

    /// Like `close_pushes`, for good: this end ends the association.
    pub(super) fn begin_end(&mut self) {
        self.ending = true;
        self.close_pushes();
    }

    /// Takes the shutdown that a handle requested.
    pub(super) fn take_requested_shutdown(&mut self) -> Option<Shutdown> {
        self.pump();
        self.requested_shutdown.take()
    }

    /// Tells those who hold a handle that the association is over.
    pub(super) fn end_pushes(&mut self, end: Option<sctp_tokio::End>) {
        let left = self.association.end(end) as u64;
        self.counts.sends += left;
        self.counts.discarded_sends += left;
    }
}
