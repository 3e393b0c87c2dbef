//! Receiving many messages with one call, into one buffer, without a copy.

use std::{collections::VecDeque, io, mem, ops::Range, os::fd::AsFd};

use bytes::BytesMut;

use super::{RecvMeta, Socket};
use crate::sys::{self, MAX_BATCH};

/// What a slot holds at first: a message of the usual path MTU.
const SLOT_LEN: usize = 2048;
/// What a slot holds at most; longer messages take several.
const MAX_SLOT_LEN: usize = 64 * 1024;
/// For how many messages a receive asks at least: more than one, since only a receive that is not
/// full tells that nothing is left.
const MIN_SLOTS: usize = 4;
/// What a block holds at most. A message stays in its block without being copied, so whoever keeps
/// a message of more than a kilobyte keeps its whole block: as much as 32 messages as long as the
/// longest of late, and no more than this.
const MAX_BLOCK_LEN: usize = 512 * 1024;
/// How much memory is kept in blocks that are full, to be used again; twice that when long and
/// short messages take turns.
const MAX_KEPT: usize = 1024 * 1024;

/// A received message or notification, or a part of one.
#[derive(Debug)]
pub struct Part {
    /// The bytes. Parts of one message that follow each other can be joined with
    /// [`BytesMut::unsplit`], mostly without a copy, since they lie side by side.
    pub data: BytesMut,
    /// What came beside them.
    pub meta: RecvMeta,
}

/// The buffer that [`Socket::recv_batch`] receives into.
///
/// One block of memory is cut into slots; each message of a batch lands in a slot, and is then
/// split off without a copy. A message longer than its slot goes on in the next one, directly
/// behind, so that its parts join to one slice again. When all messages of a block have been
/// dropped it is used again, and as long as they have not been, another: in the steady state
/// nothing is allocated.
///
/// Slots grow and shrink with the messages that arrive.
#[derive(Debug)]
pub struct RecvBatch {
    block: BytesMut,
    /// Blocks that were full when somebody still held a message of each.
    full: VecDeque<BytesMut>,
    /// How long the last block was that had to be allocated.
    block_len: usize,
    slot_len: usize,
    /// For how many messages the next receive asks.
    slots: usize,
    parts: VecDeque<Part>,
    places: Vec<(Range<usize>, RecvMeta)>,
}

impl Default for RecvBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl RecvBatch {
    /// Makes an empty buffer. Nothing is allocated before the first receive.
    #[must_use]
    pub fn new() -> Self {
        Self {
            block: BytesMut::new(),
            full: VecDeque::new(),
            block_len: 0,
            slot_len: SLOT_LEN,
            slots: MAX_BATCH,
            parts: VecDeque::new(),
            places: Vec::new(),
        }
    }

    /// Takes the next part that was received.
    pub fn pop(&mut self) -> Option<Part> {
        self.parts.pop_front()
    }

    /// How many parts there are to take.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Moves the received parts to the end of a queue.
    pub fn drain_into(&mut self, queue: &mut VecDeque<Part>) {
        queue.append(&mut self.parts);
    }

    /// Makes room for a whole batch if that needs no allocation, and for one message in any case.
    fn make_room(&mut self) {
        let block_len = (self.slot_len * MAX_BATCH).min(MAX_BLOCK_LEN);
        // Begins the same block again if nobody holds a part of it any more.
        if self.block.capacity() >= block_len || self.block.try_reclaim(block_len) {
            return;
        }
        let free = self
            .full
            .iter_mut()
            .position(|block| block.try_reclaim(block_len));
        let next = match free {
            Some(at) => self.full.remove(at),
            None if self.block.capacity() < self.slot_len => Some(self.allocate(block_len)),
            None => None,
        };
        if let Some(next) = next {
            self.full.push_back(mem::replace(&mut self.block, next));
            if self.full.len() > MAX_KEPT / block_len {
                self.full.pop_front();
            }
        }
    }

    fn allocate(&mut self, block_len: usize) -> BytesMut {
        if block_len > self.block_len {
            // Those that are kept have become too short.
            self.full.clear();
        }
        self.block_len = block_len;
        BytesMut::with_capacity(block_len)
    }

    /// Learns from one receive for how many messages the next should ask: twice as many as there
    /// were, but it is slow to ask for less, and one that was full asks for all at once. Each
    /// message that is asked for costs some 30 instructions, whether it is there or not.
    fn learn(&mut self, count: usize, asked: usize) {
        self.slots = if count == asked {
            MAX_BATCH
        } else {
            (2 * count)
                .max(asked - asked.div_ceil(8))
                .clamp(MIN_SLOTS, MAX_BATCH)
        };
    }

    /// Splits the block into the parts whose places the receive has noted, and learns from them
    /// how long a slot should be.
    fn split(&mut self) {
        let mut longest = 0;
        let mut run = 0;
        let mut at = 0;
        for (place, meta) in self.places.drain(..) {
            run += meta.len;
            longest = longest.max(run);
            if meta.flags.is_end_of_record() {
                run = 0;
            }
            // What lies between two places is padding.
            let _ = self.block.split_to(place.start - at);
            let data = self.block.split_to(place.len());
            at = place.end;
            self.parts.push_back(Part { data, meta });
        }
        self.slot_len = longest.next_power_of_two().clamp(SLOT_LEN, MAX_SLOT_LEN);
    }
}

impl Socket {
    /// Receives as many messages as are queued, up to 32 or as many as fit into the batch's block
    /// (`recvmmsg(2)`). Returns how many parts were added to the batch, and whether the kernel
    /// might have more: when it has not, no further call is needed to learn that.
    ///
    /// Everything said at [`Socket::recv_msg`] holds for each part.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is queued. A pending error (`ECONNRESET`) is reported *before*
    /// messages that are still queued, unlike by `recvmsg(2)`: receive again before believing
    /// that nothing more comes.
    pub fn recv_batch(&self, batch: &mut RecvBatch) -> io::Result<(usize, bool)> {
        batch.make_room();
        let slots = (batch.block.capacity() / batch.slot_len).clamp(1, batch.slots);
        let places = &mut batch.places;
        let count = sys::recvmmsg(
            self.as_fd(),
            &mut batch.block,
            slots,
            batch.slot_len,
            |place, raw| {
                places.push((place.clone(), RecvMeta::decode(place.len(), raw)));
            },
        )?;
        batch.split();
        batch.learn(count, slots);
        Ok((count, count == slots))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a receive does: makes room, fills some of it, and hands the bytes out.
    fn receive(batch: &mut RecvBatch, len: usize) -> BytesMut {
        batch.make_room();
        batch.block.resize(len, 1);
        batch.block.split()
    }

    #[test]
    fn a_block_whose_messages_were_dropped_begins_again() {
        let mut batch = RecvBatch::new();
        let first = receive(&mut batch, 100).as_ptr();
        assert_eq!(receive(&mut batch, 100).as_ptr(), first);
    }

    #[test]
    fn while_a_message_is_held_its_block_goes_on_and_then_rests() {
        let mut batch = RecvBatch::new();
        let held = receive(&mut batch, 100);
        let first = held.as_ptr();
        assert_eq!(
            receive(&mut batch, 64 * 1024 - 100).as_ptr(),
            first.wrapping_add(100)
        );
        // It is full and held: another takes its place, until that is full and this is free.
        let second = receive(&mut batch, 64 * 1024);
        assert_ne!(second.as_ptr(), first);
        drop(held);
        assert_eq!(receive(&mut batch, 1).as_ptr(), first);
    }

    #[test]
    fn single_messages_make_a_receive_ask_for_few_and_a_full_one_for_all() {
        let mut batch = RecvBatch::new();
        for _ in 0..20 {
            batch.learn(1, batch.slots);
        }
        assert_eq!(batch.slots, MIN_SLOTS);
        batch.learn(MIN_SLOTS, MIN_SLOTS);
        assert_eq!(batch.slots, MAX_BATCH);
        // Batches of half the size or more never fill a receive.
        for _ in 0..20 {
            batch.learn(MAX_BATCH / 2, batch.slots);
        }
        assert_eq!(batch.slots, MAX_BATCH);
    }

    #[test]
    fn memory_that_is_kept_is_bounded() {
        let mut batch = RecvBatch::new();
        let held: Vec<_> = (0..100).map(|_| receive(&mut batch, 64 * 1024)).collect();
        drop(held);
        assert_eq!(batch.full.len() * 64 * 1024, MAX_KEPT);
    }
}
