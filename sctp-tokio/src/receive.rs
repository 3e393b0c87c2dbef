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

/// Receives what is queued, as much as one call brings, to the end of `parts`. Every notification
/// among them is whole.
pub(crate) fn receive(socket: &Socket, parts: &mut VecDeque<Part>) -> io::Result<More> {
    BATCH.with_borrow_mut(|batch| {
        let (_, more) = socket.recv_batch(batch)?;
        while let Some(part) = batch.pop() {
            match parts.back_mut() {
                Some(last) if is_unfinished_notification(last) => {
                    last.data.unsplit(part.data);
                    last.meta.flags = part.meta.flags;
                }
                _ => parts.push_back(part),
            }
        }
        if let Some(last) = parts.back_mut() {
            finish_notification(socket, last)?;
        }
        Ok(if more { More::Maybe } else { More::No })
    })
}

/// A notification longer than this is not one: the largest carries one chunk.
const NOTIFICATION_LIMIT: usize = 128 * 1024;

/// Receives the rest of a notification that did not fit, which is first in the queue.
///
/// Each part of a notification is marked as one, and the peer can have chosen its bytes: a tail
/// that is left behind, or that moves to another socket with a peel-off, would be read as a
/// notification of its own.
pub(crate) fn finish_notification(socket: &Socket, part: &mut Part) -> io::Result<()> {
    while is_unfinished_notification(part) && part.data.len() < NOTIFICATION_LIMIT {
        part.data.reserve(NOTIFICATION_LIMIT - part.data.len());
        // Unlike recvmmsg, recvmsg looks into the queue before it reports a pending error.
        part.meta.flags = socket.recv_msg(&mut part.data)?.flags;
    }
    Ok(())
}

fn is_unfinished_notification(part: &Part) -> bool {
    part.meta.flags.is_notification() && !part.meta.flags.is_end_of_record()
}
