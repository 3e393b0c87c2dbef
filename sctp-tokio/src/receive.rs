//! Receiving in batches into a buffer that all sockets of a thread share.

use std::{cell::RefCell, collections::VecDeque, io};

use sctp_core::{Part, RecvBatch, Socket};

thread_local! {
    /// One receive buffer per thread, and not per socket: an idle association then holds no
    /// buffer at all. What a thread receives next goes behind what it received last, in the same
    /// block; a block is used again when every message in it has been dropped.
    static BATCH: RefCell<RecvBatch> = RefCell::new(RecvBatch::new());
}

/// What a receive can tell about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// There may be more; ask.
    Maybe,
    /// The queue was empty a moment ago.
    No,
}

/// Receives what is queued, as much as one call brings, to the end of `parts`.
pub(crate) fn receive(socket: &Socket, parts: &mut VecDeque<Part>) -> io::Result<More> {
    BATCH.with_borrow_mut(|batch| {
        let (_, more) = socket.recv_batch(batch)?;
        batch.drain_into(parts);
        Ok(if more { More::Maybe } else { More::No })
    })
}
