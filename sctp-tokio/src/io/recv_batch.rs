//! Batch receives into a per-thread buffer.

use std::{cell::RefCell, collections::VecDeque, io, mem, time::Duration};

use sctp_core::{Part, RecvBatch, Socket};
use socket2::SockRef;

thread_local! {
    /// Receive buffer of the thread. Idle associations hold no buffer.
    ///
    /// Each receive continues in the same block. A block is reused when all messages in it have
    /// been dropped.
    static BATCH: RefCell<RecvBatch> = RefCell::new(RecvBatch::new());
    /// Pool of empty queues. A busy association does not allocate per batch, and an idle one holds
    /// no memory.
    static QUEUE_POOL: RefCell<Vec<VecDeque<Part>>> = const { RefCell::new(Vec::new()) };
}

/// The maximum number of pooled queues per thread.
const MAX_POOLED: usize = 8;
/// Queues with a larger capacity are freed instead of pooled. It holds a batch and the rest of the
/// previous one.
const MAX_POOLED_LEN: usize = 2 * Socket::MAX_BATCH;

/// Hint about whether another receive would return data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// The queue may contain more.
    Maybe,
    /// The queue was empty.
    No,
}

/// Receives up to one batch, appended to `parts`. All notifications among them are complete.
pub(crate) fn receive(socket: &Socket, parts: &mut VecDeque<Part>) -> io::Result<More> {
    BATCH.with_borrow_mut(|batch| {
        let (_, more) = socket.recv_batch(batch)?;
        if parts.capacity() == 0 {
            *parts = QUEUE_POOL.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
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

/// Returns the buffer of an empty queue to the pool.
pub(crate) fn release_queue(parts: &mut VecDeque<Part>) {
    let parts = mem::take(parts);
    if (1..=MAX_POOLED_LEN).contains(&parts.capacity()) {
        QUEUE_POOL.with_borrow_mut(|spare| {
            if spare.len() < MAX_POOLED {
                spare.push(parts);
            }
        });
    }
}

/// Returns `true` if the parts contain a message, or a part of one.
pub(crate) fn has_message(parts: &VecDeque<Part>) -> bool {
    let is_message = |part: &Part| !part.meta.flags.is_notification() && !part.data.is_empty();
    parts.iter().any(is_message)
}

/// Makes `close(2)` abort the socket's associations instead of shutting them down, as it does while
/// messages are unread in the kernel.
pub(crate) fn abort_on_close(socket: &Socket) -> io::Result<()> {
    SockRef::from(socket).set_linger(Some(Duration::ZERO))
}

/// Maximum size of a notification in bytes. The largest notification contains one chunk.
const NOTIFICATION_LIMIT: usize = 128 * 1024;

/// Receives the rest of a notification that did not fit, which is first in the queue.
///
/// The kernel sets `MSG_NOTIFICATION` on each part, and the peer controls some of the bytes. A
/// remainder left in the queue, or moved to another socket by a peel-off, would be decoded as a
/// separate notification.
pub(crate) fn finish_notification(socket: &Socket, part: &mut Part) -> io::Result<()> {
    while is_unfinished_notification(part) && part.data.len() < NOTIFICATION_LIMIT {
        part.data.reserve(NOTIFICATION_LIMIT - part.data.len());
        // Unlike `recvmmsg`, `recvmsg` checks the queue before it reports a pending error.
        part.meta.flags = socket.recv_msg(&mut part.data)?.flags;
    }
    Ok(())
}

fn is_unfinished_notification(part: &Part) -> bool {
    part.meta.flags.is_notification() && !part.meta.flags.is_end_of_record()
}

/// Returns `true` for a network error of a receive: the end of the association, unless it continues.
pub(crate) fn is_network_error(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::ConnectionRefused
            | Kind::BrokenPipe
            | Kind::NotConnected
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
    )
}
