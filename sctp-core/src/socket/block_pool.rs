//! The memory that batches are received into: blocks that are used again when nobody holds a message
//! of them any more.

use std::{collections::VecDeque, mem};

use bytes::{Buf as _, BytesMut};

use crate::sys::MAX_BATCH;

/// What a slot holds at most; longer messages take several.
pub(super) const MAX_SLOT_LEN: usize = 64 * 1024;
/// What the slots of a block hold at most. A message stays in its block without being copied, so
/// whoever keeps a message of more than a kilobyte keeps its whole block: as much as 32 messages as
/// long as the longest of late, and no more than this. A shorter one is copied out of a long block.
const MAX_BLOCK_LEN: usize = 512 * 1024;
/// A message that is no longer than this is copied out of a long block, which would be kept for
/// whoever keeps it. Receiving one costs many times as much as the copy.
pub(super) const MAX_COPY: usize = 1024;
/// How much memory rests at most, in blocks of which somebody held a message when they were full:
/// that of 64 messages as long as the longest slot, so that whoever takes as many before it lets go
/// of them has none allocated. New memory costs more than a message that comes into it: the
/// kernel clears and maps each page when it is first touched.
const MAX_RESTING: usize = 8 * (MAX_BLOCK_LEN + MAX_SLOT_LEN);
/// Blocks of this length are long: they are used up to their ends.
const LONG: usize = 2 * MAX_SLOT_LEN;
/// After so many changes of the block, what was not needed in any of them is let go.
const REVIEW: usize = 64;

/// A block that is full, or was taken out of use before that.
#[derive(Debug)]
struct Resting {
    block: BytesMut,
    len: usize,
}

/// The block in use, and those that rest.
#[derive(Debug)]
pub(super) struct Blocks {
    max_resting: usize,
    block: BytesMut,
    block_len: usize,
    resting: VecDeque<Resting>,
    /// Changes of the block since the last review, and how many blocks were free at each of them
    /// besides the one that it took.
    changes: usize,
    unneeded: usize,
}

impl Default for Blocks {
    fn default() -> Self {
        Self {
            max_resting: MAX_RESTING,
            block: BytesMut::new(),
            block_len: 0,
            resting: VecDeque::new(),
            changes: 0,
            unneeded: 0,
        }
    }
}

impl Blocks {
    /// Blocks for the copies of short messages, of which 1 MiB rests at most.
    pub(super) fn for_copies() -> Self {
        Self {
            max_resting: 1 << 20,
            ..Self::default()
        }
    }

    /// Returns `true` if a short message is worth a copy, so that whoever keeps it does not keep the
    /// block.
    pub(super) fn is_long(&self) -> bool {
        self.block_len >= LONG
    }

    /// Moves a message from the front of the block to the front of `copies`, and takes it from there.
    pub(super) fn take_copy(&mut self, len: usize, copies: &mut Self) -> BytesMut {
        if copies.block.capacity() < len {
            copies.make_room(MAX_COPY, false);
        }
        copies.block.extend_from_slice(&self.block[..len]);
        self.block.advance(len);
        copies.block.split()
    }

    /// The block to receive into.
    pub(super) fn current(&mut self) -> &mut BytesMut {
        &mut self.block
    }

    /// Makes room for a whole batch if that needs no allocation, and for one message in any case.
    /// Returns how much of the block's spare room the next receive may fill.
    ///
    /// What is left of an unfinished message must go directly behind its beginning, or joining them
    /// is a copy. So the last slot of each block is not for messages that begin, and while one is
    /// unfinished its block stays in use. Only a message longer than a slot can reach the block's
    /// end.
    pub(super) fn make_room(&mut self, slot_len: usize, unfinished: bool) -> usize {
        let wanted = (slot_len * MAX_BATCH).min(MAX_BLOCK_LEN) + slot_len;
        if unfinished && self.block.capacity() >= slot_len {
            return self.block.capacity();
        }
        // Begins the same block again if nobody holds a part of it any more: the processor's cache
        // has it.
        if self.block.capacity() < wanted && !self.block.try_reclaim(wanted) {
            self.change(wanted, 2 * slot_len);
        }
        self.block.capacity().saturating_sub(slot_len)
    }

    /// Takes a part of a message from the front of the block. If it is all that is there it takes its
    /// whole slot along, in which what may be left of the message has room.
    pub(super) fn take_slot(&mut self, len: usize, slot_len: usize) -> BytesMut {
        if self.block.len() > len || self.block.capacity() < slot_len {
            return self.block.split_to(len);
        }
        let next = self.block.split_off(slot_len);
        mem::replace(&mut self.block, next)
    }

    /// Goes on in another block that is free, or in a new one if this has too little room left.
    fn change(&mut self, wanted: usize, least: usize) {
        // A long block is used up to its end: what it has left is lost until all of it is free, and
        // would have to be allocated elsewhere.
        if self.block.capacity() >= LONG {
            return;
        }
        let mut free = None;
        let mut others = 0;
        for (index, resting) in self.resting.iter_mut().enumerate() {
            if resting.block.try_reclaim(wanted) {
                others += usize::from(free.is_some());
                free = free.or(Some(index));
            }
        }
        let next = match free.and_then(|index| self.resting.remove(index)) {
            Some(next) => next,
            None if self.block.capacity() < least => self.allocate(wanted),
            None => return,
        };
        let block = mem::replace(&mut self.block, next.block);
        let len = mem::replace(&mut self.block_len, next.len);
        self.rest(Resting { block, len });
        self.review(others);
    }

    fn allocate(&mut self, len: usize) -> Resting {
        // Those that are too short would never be used again.
        self.resting.retain(|resting| resting.len >= len);
        Resting {
            block: BytesMut::with_capacity(len),
            len,
        }
    }

    fn rest(&mut self, resting: Resting) {
        if resting.len > 0 {
            self.resting.push_back(resting);
        }
        while self.memory() > self.max_resting {
            self.resting.pop_front();
        }
    }

    fn memory(&self) -> usize {
        self.resting.iter().map(|resting| resting.len).sum()
    }

    /// Lets go of the blocks that were free at each of the last changes.
    fn review(&mut self, others: usize) {
        self.unneeded = self.unneeded.min(others);
        self.changes += 1;
        if self.changes < REVIEW {
            return;
        }
        for _ in 0..self.unneeded {
            let free = |resting: &mut Resting| resting.block.try_reclaim(resting.len);
            if let Some(index) = self.resting.iter_mut().position(free) {
                self.resting.remove(index);
            }
        }
        (self.changes, self.unneeded) = (0, usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: usize = MAX_SLOT_LEN;
    /// Of the longest slots, so many fit into a block.
    const SLOTS: usize = MAX_BLOCK_LEN / LONG;

    /// As a receive does: makes room, fills some of it, and hands the bytes out.
    fn receive(blocks: &mut Blocks, len: usize, unfinished: bool) -> BytesMut {
        let slot_len = if len < 2048 && !unfinished {
            2048
        } else {
            LONG
        };
        let room = blocks.make_room(slot_len, unfinished);
        assert!(slot_len <= room, "{slot_len} of {room}");
        let block = blocks.current();
        block.resize(len, 1);
        block.split()
    }

    #[test]
    fn a_block_whose_messages_were_dropped_begins_again() {
        let mut blocks = Blocks::default();
        let first = receive(&mut blocks, 100, false).as_ptr();
        assert_eq!(receive(&mut blocks, 100, false).as_ptr(), first);
    }

    #[test]
    fn while_a_message_is_held_its_block_goes_on_and_then_rests() {
        let mut blocks = Blocks::default();
        let held = receive(&mut blocks, LONG, false);
        let first = held.as_ptr();
        for slot in 1..SLOTS {
            let next = receive(&mut blocks, LONG, false);
            assert_eq!(next.as_ptr(), first.wrapping_add(slot * LONG));
        }
        // It is full and held: another takes its place, until that is full and this is free.
        let second: Vec<_> = (0..SLOTS)
            .map(|_| receive(&mut blocks, LONG, false))
            .collect();
        assert_ne!(second[0].as_ptr(), first);
        drop(held);
        assert_eq!(receive(&mut blocks, LONG, false).as_ptr(), first);
    }

    #[test]
    fn the_rest_of_a_message_comes_behind_its_beginning_wherever_that_is() {
        for begins_at in 0..=SLOTS {
            let mut blocks = Blocks::default();
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
    fn as_many_messages_as_are_taken_at_a_time_are_received_without_new_memory() {
        let mut blocks = Blocks::default();
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..30 {
            let held: Vec<_> = (0..64).map(|_| receive(&mut blocks, LONG, false)).collect();
            let places = held.iter().map(|message| message.as_ptr().addr());
            let new = places.filter(|&place| seen.insert(place)).count();
            assert!(round < 2 || new == 0, "{new} new in round {round}");
        }
    }

    #[test]
    fn memory_that_rests_is_bounded_and_let_go_when_it_is_not_needed() {
        let mut blocks = Blocks::default();
        let held: Vec<_> = (0..1_000)
            .map(|_| receive(&mut blocks, LONG, false))
            .collect();
        drop(held);
        assert_eq!(blocks.memory(), MAX_RESTING);
        // Who holds one message at a time for as long as a block lasts needs two blocks.
        let mut held = BytesMut::new();
        for _ in 0..2 * REVIEW * SLOTS {
            let next = receive(&mut blocks, LONG, false);
            drop(mem::replace(&mut held, next));
        }
        assert_eq!(blocks.resting.len(), 1);
    }
}
