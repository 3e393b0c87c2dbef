//! Batched receives into one buffer, without copies.

use std::{collections::VecDeque, fmt, io, ops::Range, os::fd::AsFd};

use bytes::{Buf as _, BytesMut};

use super::{
    RecvMeta, Socket,
    block_pool::{BlockPool, MAX_SLOT_LEN},
};
use crate::sys::{self, MAX_BATCH};

/// Initial length of a slot: a message of the usual path MTU.
const SLOT_LEN: usize = 2048;
/// Minimum number of messages per receive.
///
/// Greater than one, because only a partial batch shows that the queue is empty.
const MIN_SLOTS: usize = 4;
/// Maximum missing length of an incomplete message for which space is reserved immediately.
///
/// A receive for another socket may otherwise take the space behind the message. Copying this
/// little is cheap.
const SHORT_REST: usize = 1024;

/// A received message or notification, or a part of one.
#[derive(Debug)]
pub struct Part {
    /// The bytes. Parts of one message can be joined with [`BytesMut::unsplit`], usually without a
    /// copy.
    pub data: BytesMut,
    /// Metadata of the part.
    pub meta: RecvMeta,
}

/// Buffer of [`Socket::recv_batch`].
///
/// A block of memory is divided into slots. Each message of a batch is received into a slot and
/// then split off without a copy. A message longer than its slot continues in the next one, so its
/// parts can be joined without a copy. A block is reused once all of its messages have been
/// dropped. Until then another block replaces it. In the steady state nothing is allocated.
///
/// Slots grow and shrink with the messages that arrive, up to 64 KiB. A block has the length of 32
/// slots, at most 576 KiB. Besides the block in use, at most 4.5 MiB are kept, and of these only
/// the recently needed part.
///
/// A held message keeps its block alive, even after the buffer is dropped: at most 66 KiB, or 64
/// times its length if that is more. A message that would keep more is copied to a block of 64 KiB
/// for copies. Parts of a message that was received in parts are not copied.
pub struct RecvBatch {
    blocks: BlockPool,
    /// Copies of short messages.
    copies: BlockPool,
    slot_len: usize,
    /// Set if the last received part does not end its message, whose rest must follow directly.
    unfinished: bool,
    /// Received length of a message that was incomplete after the last receive.
    run: usize,
    /// Number of messages that the next receive asks for.
    slots: usize,
    parts: VecDeque<Part>,
    ranges: Vec<(Range<usize>, RecvMeta)>,
}

impl Default for RecvBatch {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the number of parts, without their contents.
impl fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBatch")
            .field("parts", &self.parts.len())
            .field("slot_len", &self.slot_len)
            .finish_non_exhaustive()
    }
}

impl RecvBatch {
    /// Creates an empty buffer. Memory is allocated by the first receive.
    #[must_use]
    pub fn new() -> Self {
        Self {
            blocks: BlockPool::default(),
            copies: BlockPool::for_copies(),
            slot_len: SLOT_LEN,
            unfinished: false,
            run: 0,
            slots: MAX_BATCH,
            parts: VecDeque::new(),
            ranges: Vec::new(),
        }
    }

    /// Removes the next received part.
    pub fn pop(&mut self) -> Option<Part> {
        self.parts.pop_front()
    }

    /// Returns the number of parts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Returns `true` if there is no part.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Moves the received parts to the end of a queue.
    pub fn drain_into(&mut self, queue: &mut VecDeque<Part>) {
        queue.append(&mut self.parts);
    }

    /// Adapts the number of messages that the next receive asks for.
    ///
    /// Asks for twice the received number, decreases slowly, and asks for the maximum after a full
    /// receive. Each requested message costs about 30 instructions, even if none is queued.
    fn adapt_slots(&mut self, count: usize, asked: usize) {
        self.slots = if count == asked {
            MAX_BATCH
        } else {
            (2 * count)
                .max(asked - asked.div_ceil(8))
                .clamp(MIN_SLOTS, MAX_BATCH)
        };
    }

    /// Splits the block into the received parts, and adapts the length of a slot to them.
    fn split(&mut self) {
        let mut longest = 0;
        let mut at = 0;
        for (range, meta) in self.ranges.drain(..) {
            self.run += meta.len;
            longest = longest.max(self.run);
            let is_whole = meta.flags.is_end_of_record() && self.run == meta.len;
            if meta.flags.is_end_of_record() {
                self.run = 0;
            }
            self.unfinished = !meta.flags.is_end_of_record();
            if range.start > at {
                // The gap between two messages is padding.
                self.blocks.current().advance(range.start - at);
            }
            let data = if self.unfinished && range.len() + SHORT_REST >= self.slot_len {
                self.unfinished = false;
                self.blocks.take_slot(range.len(), self.slot_len)
            } else if is_whole && self.blocks.is_copied(range.len()) {
                self.blocks.take_copy(range.len(), &mut self.copies)
            } else {
                self.blocks.current().split_to(range.len())
            };
            at = range.end;
            self.parts.push_back(Part { data, meta });
        }
        self.slot_len = longest.next_power_of_two().clamp(SLOT_LEN, MAX_SLOT_LEN);
    }
}

impl Socket {
    /// Receives queued messages, at most 32 or as many as fit into the block (`recvmmsg(2)`).
    ///
    /// Returns the number of parts added to the batch, and `true` if the kernel may have more.
    /// `false` means that the queue was empty, so no further call is needed. Each part is as
    /// described at [`Socket::recv_msg`].
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is queued. Unlike `recvmsg(2)`, a pending error (`ECONNRESET`) is
    /// reported *before* messages that are still queued: receive again to get them.
    pub fn recv_batch(&self, batch: &mut RecvBatch) -> io::Result<(usize, bool)> {
        let room = batch.blocks.reserve(batch.slot_len, batch.unfinished);
        let slots = (room / batch.slot_len).clamp(1, batch.slots);
        let ranges = &mut batch.ranges;
        let count = sys::recvmmsg(
            self.as_fd(),
            batch.blocks.current(),
            slots,
            batch.slot_len,
            |range, raw| {
                ranges.push((range.clone(), RecvMeta::decode(range.len(), raw)));
            },
        )?;
        batch.split();
        batch.adapt_slots(count, slots);
        Ok((count, count == slots))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Simulates a receive of parts with these lengths and flags.
    fn receive(batch: &mut RecvBatch, parts: &[(usize, libc::c_int)]) -> Vec<BytesMut> {
        batch.blocks.reserve(batch.slot_len, batch.unfinished);
        let mut end = 0;
        for &(len, flags) in parts {
            let raw = sys::RawMeta {
                flags,
                control: &[],
                name: &[],
            };
            let meta = RecvMeta::decode(len, raw);
            batch.ranges.push((end..end + len, meta));
            end += len;
        }
        batch.blocks.current().resize(end, 1);
        batch.split();
        batch.parts.drain(..).map(|part| part.data).collect()
    }

    #[test]
    fn last_part_marks_unfinished_message() {
        let mut batch = RecvBatch::new();
        for (flags, unfinished) in [(0, true), (libc::MSG_EOR, false), (0, true)] {
            receive(&mut batch, &[(50, libc::MSG_EOR), (50, flags)]);
            assert_eq!(batch.unfinished, unfinished);
        }
    }

    #[test]
    fn short_rest_joins_without_copy() {
        const LONG: usize = MAX_SLOT_LEN - 52;
        let mut batch = RecvBatch::new();
        // Sets the length of a slot.
        receive(&mut batch, &[(2048, 0), (LONG, libc::MSG_EOR)]);
        for _ in 0..20 {
            assert_eq!(batch.slot_len, MAX_SLOT_LEN);
            let mut message = receive(&mut batch, &[(100, libc::MSG_EOR), (LONG, 0)]).remove(1);
            let at = message.as_ptr();
            // Simulates a receive for another socket.
            let other = receive(&mut batch, &[(LONG, libc::MSG_EOR)]).remove(0);
            message.unsplit(receive(&mut batch, &[(52, libc::MSG_EOR)]).remove(0));
            assert_eq!((message.as_ptr(), message.len()), (at, MAX_SLOT_LEN));
            assert!(message == [1; MAX_SLOT_LEN][..] && other == [1; LONG][..]);
            receive(&mut batch, &[(LONG, libc::MSG_EOR)]);
        }
    }

    #[test]
    fn rest_of_long_message_keeps_slot_length() {
        let mut batch = RecvBatch::new();
        receive(&mut batch, &[(2048, 0)]);
        receive(&mut batch, &[(2048, 0), (10_000, 0)]);
        assert_eq!(batch.slot_len, 16 * 1024);
        receive(&mut batch, &[(52, libc::MSG_EOR)]);
        assert_eq!(batch.slot_len, 16 * 1024);
        receive(&mut batch, &[(52, libc::MSG_EOR)]);
        assert_eq!(batch.slot_len, SLOT_LEN);
    }

    /// Holds short messages received beside long ones, and returns where both were.
    fn hold_beside_long(short_len: usize) -> (Vec<BytesMut>, BTreeSet<*const u8>) {
        let mut batch = RecvBatch::new();
        // Sets the length of a slot.
        receive(&mut batch, &[(2048, 0), (38_000, libc::MSG_EOR)]);
        receive(&mut batch, &[(40_000, libc::MSG_EOR)]);
        let (mut held, mut ranges) = (Vec::new(), BTreeSet::new());
        for _ in 0..200 {
            let parts = [(short_len, libc::MSG_EOR), (40_000, libc::MSG_EOR)];
            let [short, long] = <[BytesMut; 2]>::try_from(receive(&mut batch, &parts)).unwrap();
            assert!(short == vec![1; short_len] && long == vec![1; 40_000]);
            ranges.insert(long.as_ptr());
            held.push(short);
        }
        (held, ranges)
    }

    #[test]
    fn held_short_messages_keep_no_long_block() {
        let (held, ranges) = hold_beside_long(10);
        // The same block is reused.
        assert!(ranges.len() < 20, "{} ranges", ranges.len());
        let addrs = || held.iter().map(|short| short.as_ptr().addr());
        assert_eq!(addrs().max(), addrs().min().map(|first| first + 199 * 10));
    }

    #[test]
    fn held_messages_share_blocks_for_copies() {
        let (held, ranges) = hold_beside_long(8000);
        assert!(ranges.len() < 20, "{} ranges", ranges.len());
        // Each block of 64 KiB has eight of them.
        let is_adjacent = |pair: &&[BytesMut]| pair[0].as_ptr_range().end == pair[1].as_ptr();
        assert_eq!(held.windows(2).filter(is_adjacent).count(), 200 / 8 * 7);
    }

    #[test]
    fn messages_of_one_length_are_not_copied() {
        for len in [2048, 3000, 4096, 8192, 16 * 1024, 40_000, MAX_SLOT_LEN] {
            let mut batch = RecvBatch::new();
            for _ in 0..3 {
                receive(&mut batch, &[(len, libc::MSG_EOR)]);
            }
            assert_eq!(batch.copies.current().capacity(), 0, "{len}");
        }
    }

    #[test]
    fn slot_count_follows_batch_size() {
        let mut batch = RecvBatch::new();
        for _ in 0..20 {
            batch.adapt_slots(1, batch.slots);
        }
        assert_eq!(batch.slots, MIN_SLOTS);
        batch.adapt_slots(MIN_SLOTS, MIN_SLOTS);
        assert_eq!(batch.slots, MAX_BATCH);
        // Batches of half the size or more never fill a receive.
        for _ in 0..20 {
            batch.adapt_slots(MAX_BATCH / 2, batch.slots);
        }
        assert_eq!(batch.slots, MAX_BATCH);
    }
}
