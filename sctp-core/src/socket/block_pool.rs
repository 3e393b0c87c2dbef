//! Pool of receive buffers, which are reused once all of their messages have been dropped.

use std::{collections::VecDeque, mem};

use bytes::{Buf as _, BytesMut};

use crate::sys::MAX_BATCH;

/// Maximum length of a slot. A longer message takes several slots.
pub(super) const MAX_SLOT_LEN: usize = 64 * 1024;
/// Maximum length of the slots of a block.
///
/// Messages are not copied out of their block, so a held message keeps its whole block alive: the
/// length of 32 messages as long as the longest recent one, up to this limit. Only messages that
/// are short compared to their block are copied.
const MAX_BLOCK_LEN: usize = 512 * 1024;
/// Length up to which a message is copied out of any long block, so that it does not keep the block
/// alive.
///
/// The copy is cheap compared to the receive.
const ALWAYS_COPIED: usize = 1024;
/// Number of messages of one length that a block has space for, from which on a message of that
/// length is copied out of a long block.
///
/// More than the 32 of a block whose messages are all of the same length, so that these are not
/// copied.
const COPIED_SHARE: usize = 64;
/// Length of a block for copies, with space for several of the longest.
const COPY_BLOCK_LEN: usize = 64 * 1024;
/// Maximum memory in retired blocks: that of 64 messages as long as the longest slot.
///
/// A user that holds as many messages at a time then causes no allocation. New memory is more
/// expensive than a message received into it, since the kernel clears and maps each page on first
/// access.
const MAX_RETIRED: usize = 8 * (MAX_BLOCK_LEN + MAX_SLOT_LEN);
/// Minimum length of a long block. Long blocks are used up to their ends.
const LONG: usize = 2 * MAX_SLOT_LEN;
/// Number of block changes between reviews. A review frees blocks that no change needed.
const REVIEW: usize = 64;

/// Block that is full or was replaced early.
#[derive(Debug)]
struct Retired {
    block: BytesMut,
    len: usize,
}

/// The block in use, and retired blocks.
#[derive(Debug)]
pub(super) struct BlockPool {
    max_retired: usize,
    block: BytesMut,
    block_len: usize,
    retired: VecDeque<Retired>,
    /// Block changes since the last review, and the number of free blocks besides the one taken, as
    /// a minimum over these changes.
    changes: usize,
    surplus: usize,
}

impl Default for BlockPool {
    fn default() -> Self {
        Self {
            max_retired: MAX_RETIRED,
            block: BytesMut::new(),
            block_len: 0,
            retired: VecDeque::new(),
            changes: 0,
            surplus: 0,
        }
    }
}

impl BlockPool {
    /// Creates a pool for copies of short messages, with at most 1 MiB in retired blocks.
    pub(super) fn for_copies() -> Self {
        Self {
            max_retired: 1 << 20,
            ..Self::default()
        }
    }

    /// Returns `true` if a message of this length should be copied, because holding it would keep
    /// much more memory alive than it needs.
    pub(super) fn is_copied(&self, len: usize) -> bool {
        self.block_len >= LONG && len <= ALWAYS_COPIED.max(self.block_len / COPIED_SHARE)
    }

    /// Moves a message from the front of the block to `copies`, and returns it from there.
    pub(super) fn take_copy(&mut self, len: usize, copies: &mut Self) -> BytesMut {
        let block = &mut copies.block;
        if block.capacity() < len && !block.try_reclaim(COPY_BLOCK_LEN) {
            copies.replace_block(COPY_BLOCK_LEN, len);
        }
        copies.block.extend_from_slice(&self.block[..len]);
        self.block.advance(len);
        copies.block.split()
    }

    /// Returns the block to receive into.
    pub(super) fn current(&mut self) -> &mut BytesMut {
        &mut self.block
    }

    /// Reserves space for a whole batch if that needs no allocation, and for one message in any
    /// case.
    ///
    /// Returns the part of the spare capacity that the next receive may fill.
    ///
    /// The remainder of an unfinished message must directly follow its beginning, or joining them
    /// requires a copy. Therefore the last slot of each block is not used for new messages, and the
    /// block stays in use while a message is unfinished. Only a message longer than a slot can
    /// reach the end of the block.
    pub(super) fn reserve(&mut self, slot_len: usize, unfinished: bool) -> usize {
        let wanted = (slot_len * MAX_BATCH).min(MAX_BLOCK_LEN) + slot_len;
        if unfinished && self.block.capacity() >= slot_len {
            return self.block.capacity();
        }
        // Reuses the same block if no part of it is held, because it is in the processor's cache.
        if self.block.capacity() < wanted && !self.block.try_reclaim(wanted) {
            self.replace_block(wanted, 2 * slot_len);
        }
        self.block.capacity().saturating_sub(slot_len)
    }

    /// Removes a part of a message from the front of the block.
    ///
    /// If the block holds nothing else, the part takes its whole slot, with space for the rest of
    /// the message.
    pub(super) fn take_slot(&mut self, len: usize, slot_len: usize) -> BytesMut {
        if self.block.len() > len || self.block.capacity() < slot_len {
            return self.block.split_to(len);
        }
        let next = self.block.split_off(slot_len);
        mem::replace(&mut self.block, next)
    }

    /// Continues in another free block, or in a new one if this has too little space left.
    fn replace_block(&mut self, wanted: usize, least: usize) {
        // A long block is used up to its end: its remaining space would be lost until all of the block
        // is free, and would have to be allocated elsewhere.
        if self.block.capacity() >= LONG {
            return;
        }
        let mut free = None;
        let mut others = 0;
        for (index, retired) in self.retired.iter_mut().enumerate() {
            if retired.block.try_reclaim(wanted) {
                others += usize::from(free.is_some());
                free = free.or(Some(index));
            }
        }
        let next = match free.and_then(|index| self.retired.remove(index)) {
            Some(next) => next,
            None if self.block.capacity() < least => self.allocate(wanted),
            None => return,
        };
        let block = mem::replace(&mut self.block, next.block);
        let len = mem::replace(&mut self.block_len, next.len);
        self.retire(Retired { block, len });
        self.review(others);
    }

    fn allocate(&mut self, len: usize) -> Retired {
        // Shorter blocks would never be reused.
        self.retired.retain(|retired| retired.len >= len);
        Retired {
            block: BytesMut::with_capacity(len),
            len,
        }
    }

    fn retire(&mut self, retired: Retired) {
        if retired.len > 0 {
            self.retired.push_back(retired);
        }
        while self.memory() > self.max_retired {
            self.retired.pop_front();
        }
    }

    fn memory(&self) -> usize {
        self.retired.iter().map(|retired| retired.len).sum()
    }

    /// Frees the blocks that were free at each of the last changes.
    fn review(&mut self, others: usize) {
        self.surplus = self.surplus.min(others);
        self.changes += 1;
        if self.changes < REVIEW {
            return;
        }
        for _ in 0..self.surplus {
            let free = |retired: &mut Retired| retired.block.try_reclaim(retired.len);
            if let Some(index) = self.retired.iter_mut().position(free) {
                self.retired.remove(index);
            }
        }
        (self.changes, self.surplus) = (0, usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: usize = MAX_SLOT_LEN;
    /// Number of slots of maximum length in a block.
    const SLOTS: usize = MAX_BLOCK_LEN / LONG;

    /// Simulates a receive: reserves space, fills some of it and returns the bytes.
    fn receive(blocks: &mut BlockPool, len: usize, unfinished: bool) -> BytesMut {
        let slot_len = if len < 2048 && !unfinished {
            2048
        } else {
            LONG
        };
        let room = blocks.reserve(slot_len, unfinished);
        assert!(slot_len <= room, "{slot_len} of {room}");
        let block = blocks.current();
        block.resize(len, 1);
        block.split()
    }

    #[test]
    fn block_is_reused_after_its_messages_are_dropped() {
        let mut blocks = BlockPool::default();
        let first = receive(&mut blocks, 100, false).as_ptr();
        assert_eq!(receive(&mut blocks, 100, false).as_ptr(), first);
    }

    #[test]
    fn block_with_held_message_is_filled_then_retired() {
        let mut blocks = BlockPool::default();
        let held = receive(&mut blocks, LONG, false);
        let first = held.as_ptr();
        for slot in 1..SLOTS {
            let next = receive(&mut blocks, LONG, false);
            assert_eq!(next.as_ptr(), first.wrapping_add(slot * LONG));
        }
        // The block is full and held: another replaces it until that is full and the first is free.
        let second: Vec<_> = (0..SLOTS)
            .map(|_| receive(&mut blocks, LONG, false))
            .collect();
        assert_ne!(second[0].as_ptr(), first);
        drop(held);
        assert_eq!(receive(&mut blocks, LONG, false).as_ptr(), first);
    }

    #[test]
    fn rest_of_message_follows_its_beginning() {
        for begins_at in 0..=SLOTS {
            let mut blocks = BlockPool::default();
            let _held: Vec<_> = (0..begins_at)
                .map(|_| receive(&mut blocks, LONG, false))
                .collect();
            let mut message = receive(&mut blocks, LONG - 52, false);
            let at = message.as_ptr();
            let rest = receive(&mut blocks, 52, true);
            assert_eq!(rest.as_ptr(), at.wrapping_add(message.len()));
            message.unsplit(rest);
            assert_eq!((message.as_ptr(), message.len()), (at, LONG));
        }
    }

    #[test]
    fn steady_state_allocates_nothing() {
        let mut blocks = BlockPool::default();
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..30 {
            let held: Vec<_> = (0..64).map(|_| receive(&mut blocks, LONG, false)).collect();
            let places = held.iter().map(|message| message.as_ptr().addr());
            let new = places.filter(|&place| seen.insert(place)).count();
            assert!(round < 2 || new == 0, "{new} new in round {round}");
        }
    }

    #[test]
    fn copies_of_dropped_messages_allocate_nothing() {
        let (mut blocks, mut copies) = (BlockPool::default(), BlockPool::for_copies());
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..30 {
            let held: Vec<_> = (0..64)
                .map(|_| {
                    blocks.reserve(LONG, false);
                    blocks.current().resize(8000, 1);
                    assert!(blocks.is_copied(8000));
                    blocks.take_copy(8000, &mut copies)
                })
                .collect();
            let places = held.iter().map(|message| message.as_ptr().addr());
            let new = places.filter(|&place| seen.insert(place)).count();
            assert!(round < 2 || new == 0, "{new} new in round {round}");
        }
    }

    #[test]
    fn retired_memory_is_bounded_and_freed() {
        let mut blocks = BlockPool::default();
        let held: Vec<_> = (0..1_000)
            .map(|_| receive(&mut blocks, LONG, false))
            .collect();
        drop(held);
        assert_eq!(blocks.memory(), MAX_RETIRED);
        // Holding one message at a time throughout a block needs two blocks.
        let mut held = BytesMut::new();
        for _ in 0..2 * REVIEW * SLOTS {
            let next = receive(&mut blocks, LONG, false);
            drop(mem::replace(&mut held, next));
        }
        assert_eq!(blocks.retired.len(), 1);
    }
}
