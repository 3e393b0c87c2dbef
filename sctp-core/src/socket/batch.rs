//! Receiving many messages with one call, into one buffer, without a copy.

use std::{collections::VecDeque, io, ops::Range, os::fd::AsFd};

use bytes::BytesMut;

use super::{RecvMeta, Socket};
use crate::sys::{self, MAX_BATCH};

/// How much a block holds. A message stays in its block without being copied, so whoever keeps a
/// message of more than a kilobyte keeps up to this much memory with it.
const BLOCK_LEN: usize = 64 * 1024;
/// What a slot holds at first: a message of the usual path MTU.
const SLOT_LEN: usize = BLOCK_LEN / MAX_BATCH;

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
/// dropped it is used again: in the steady state nothing is allocated.
///
/// Slots grow with the messages that arrive, up to the whole block.
#[derive(Debug)]
pub struct RecvBatch {
    block: BytesMut,
    slot_len: usize,
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
            slot_len: SLOT_LEN,
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
        self.slot_len = longest.next_power_of_two().clamp(SLOT_LEN, BLOCK_LEN);
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
        if batch.block.capacity() < batch.slot_len {
            // Begins the same block again if nobody holds a part of it any more, else a new one.
            batch.block.reserve(BLOCK_LEN);
        }
        let slots = (batch.block.capacity() / batch.slot_len).clamp(1, MAX_BATCH);
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
        Ok((count, count == slots))
    }
}
