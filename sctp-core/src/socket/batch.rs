//! Receiving many messages with one call, into one buffer, without a copy.

use std::{collections::VecDeque, fmt, io, ops::Range, os::fd::AsFd};

use bytes::{Buf as _, BytesMut};

use super::{
    RecvMeta, Socket,
    block_pool::{Blocks, MAX_COPY, MAX_SLOT_LEN},
};
use crate::sys::{self, MAX_BATCH};

/// What a slot holds at first: a message of the usual path MTU.
const SLOT_LEN: usize = 2048;
/// For how many messages a receive asks at least: more than one, since only a receive that is not
/// full tells that nothing is left.
const MIN_SLOTS: usize = 4;
/// A message of which no more than this can be missing gets the room for it at once: to copy so little
/// costs nothing, while what comes directly behind may be another socket's, with the same buffer.
const SHORT_REST: usize = 1024;

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
/// Slots grow and shrink with the messages that arrive, up to 64 KiB, and a block is as long as 32
/// slots, at most 576 KiB. Besides the block in use at most 4.5 MiB are kept, and of these only
/// what was needed of late.
///
/// A message that is held keeps its block alive, whether this does or not. One of up to 1 KiB keeps
/// 66 KiB at most: in a longer block it is copied, to a shorter one that holds nothing but copies.
pub struct RecvBatch {
    blocks: Blocks,
    /// Copies of short messages.
    copies: Blocks,
    slot_len: usize,
    /// The last part that was received does not end its message, whose rest is to come directly
    /// behind it.
    unfinished: bool,
    /// How much has come of a message that was unfinished when the last receive ended.
    run: usize,
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

/// Shows how much there is, and none of what was received.
impl fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBatch")
            .field("parts", &self.parts.len())
            .field("slot_len", &self.slot_len)
            .finish_non_exhaustive()
    }
}

impl RecvBatch {
    /// Makes an empty buffer. Nothing is allocated before the first receive.
    #[must_use]
    pub fn new() -> Self {
        Self {
            blocks: Blocks::default(),
            copies: Blocks::for_copies(),
            slot_len: SLOT_LEN,
            unfinished: false,
            run: 0,
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
        let mut at = 0;
        for (place, meta) in self.places.drain(..) {
            self.run += meta.len;
            longest = longest.max(self.run);
            let is_whole = meta.flags.is_end_of_record() && self.run == meta.len;
            if meta.flags.is_end_of_record() {
                self.run = 0;
            }
            self.unfinished = !meta.flags.is_end_of_record();
            if place.start > at {
                // What lies between two places is padding.
                self.blocks.current().advance(place.start - at);
            }
            let data = if self.unfinished && place.len() + SHORT_REST >= self.slot_len {
                self.unfinished = false;
                self.blocks.take_slot(place.len(), self.slot_len)
            } else if is_whole && place.len() <= MAX_COPY && self.blocks.is_long() {
                self.blocks.take_copy(place.len(), &mut self.copies)
            } else {
                self.blocks.current().split_to(place.len())
            };
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
        let room = batch.blocks.make_room(batch.slot_len, batch.unfinished);
        let slots = (room / batch.slot_len).clamp(1, batch.slots);
        let places = &mut batch.places;
        let count = sys::recvmmsg(
            self.as_fd(),
            batch.blocks.current(),
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

    /// As a receive does: brings parts of these lengths, each with the flags that it comes with.
    fn receive(batch: &mut RecvBatch, parts: &[(usize, libc::c_int)]) -> Vec<BytesMut> {
        batch.blocks.make_room(batch.slot_len, batch.unfinished);
        let mut end = 0;
        for &(len, flags) in parts {
            let raw = sys::RawMeta {
                flags,
                control: &[],
                name: &[],
            };
            let meta = RecvMeta::decode(len, raw);
            batch.places.push((end..end + len, meta));
            end += len;
        }
        batch.blocks.current().resize(end, 1);
        batch.split();
        batch.parts.drain(..).map(|part| part.data).collect()
    }

    #[test]
    fn the_last_part_tells_whether_its_message_goes_on() {
        let mut batch = RecvBatch::new();
        for (flags, unfinished) in [(0, true), (libc::MSG_EOR, false), (0, true)] {
            receive(&mut batch, &[(50, libc::MSG_EOR), (50, flags)]);
            assert_eq!(batch.unfinished, unfinished);
        }
    }

    #[test]
    fn a_short_rest_has_room_behind_its_message_whatever_is_received_before_it() {
        const LONG: usize = MAX_SLOT_LEN - 52;
        let mut batch = RecvBatch::new();
        // It learns how long a slot should be.
        receive(&mut batch, &[(2048, 0), (LONG, libc::MSG_EOR)]);
        for _ in 0..20 {
            assert_eq!(batch.slot_len, MAX_SLOT_LEN);
            let mut message = receive(&mut batch, &[(100, libc::MSG_EOR), (LONG, 0)]).remove(1);
            let at = message.as_ptr();
            // Of another socket.
            let other = receive(&mut batch, &[(LONG, libc::MSG_EOR)]).remove(0);
            message.unsplit(receive(&mut batch, &[(52, libc::MSG_EOR)]).remove(0));
            assert_eq!((message.as_ptr(), message.len()), (at, MAX_SLOT_LEN));
            assert!(message == [1; MAX_SLOT_LEN][..] && other == [1; LONG][..]);
            receive(&mut batch, &[(LONG, libc::MSG_EOR)]);
        }
    }

    #[test]
    fn the_rest_of_a_long_message_does_not_shorten_the_slots() {
        let mut batch = RecvBatch::new();
        receive(&mut batch, &[(2048, 0)]);
        receive(&mut batch, &[(2048, 0), (10_000, 0)]);
        assert_eq!(batch.slot_len, 16 * 1024);
        receive(&mut batch, &[(52, libc::MSG_EOR)]);
        assert_eq!(batch.slot_len, 16 * 1024);
        receive(&mut batch, &[(52, libc::MSG_EOR)]);
        assert_eq!(batch.slot_len, SLOT_LEN);
    }

    #[test]
    fn short_messages_that_are_held_keep_no_long_block() {
        let mut batch = RecvBatch::new();
        // It learns how long a slot should be.
        receive(&mut batch, &[(2048, 0), (38_000, libc::MSG_EOR)]);
        receive(&mut batch, &[(40_000, libc::MSG_EOR)]);
        let mut held = Vec::new();
        let mut places = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let parts = receive(&mut batch, &[(10, libc::MSG_EOR), (40_000, libc::MSG_EOR)]);
            let [short, long] = <[BytesMut; 2]>::try_from(parts).unwrap();
            assert!(short == [1; 10][..] && long == [1; 40_000][..]);
            places.insert(long.as_ptr());
            held.push(short);
        }
        // The same block again and again.
        assert!(places.len() < 20, "{} places", places.len());
        let addrs = || held.iter().map(|short| short.as_ptr().addr());
        assert_eq!(addrs().max(), addrs().min().map(|first| first + 199 * 10));
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
}
