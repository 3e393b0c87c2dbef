//! Contents of messages: a tag and a sequence number, where they fit, and filler.

use bytes::{BufMut, Bytes, BytesMut};

/// The tag and the sequence number.
pub(crate) const HEADER: usize = 4 + 8;
/// Payloads are cut from pieces of memory of this size, or of a few messages if these are long.
const CHUNK: usize = 64 * 1024;

/// Makes the payloads of one association. In the steady state it allocates nothing: memory is
/// taken up again when the messages cut from it have been sent.
#[derive(Debug)]
pub(crate) struct Maker {
    tag: u32,
    filler: Bytes,
    chunk: BytesMut,
}

impl Maker {
    /// `filler` is as long as the longest message; see [`filler`].
    pub(crate) fn new(random: u64, filler: Bytes) -> Self {
        let [a, b, c, ..] = random.to_be_bytes();
        Self {
            // Never text: some servers act on words.
            tag: u32::from_be_bytes([0xf5, a, b, c]),
            filler,
            chunk: BytesMut::new(),
        }
    }

    pub(crate) fn make(&mut self, len: usize, sequence: u64) -> Bytes {
        if self.chunk.capacity() < len {
            self.chunk.reserve(CHUNK.max(4 * len));
        }
        if len >= HEADER {
            self.chunk.put_u32(self.tag);
            self.chunk.put_u64(sequence);
        }
        let begin = self.chunk.len();
        self.chunk.put_slice(&self.filler[begin..len]);
        self.chunk.split().freeze()
    }

    /// Reads the sequence number out of a reply, if it is the echo of a message made here.
    pub(crate) fn sequence(&self, reply: &[u8]) -> Option<u64> {
        let (tag, rest) = reply.split_first_chunk()?;
        let sequence = rest.first_chunk()?;
        (*tag == self.tag.to_be_bytes()).then(|| u64::from_be_bytes(*sequence))
    }
}

/// Filler of messages: digits, so that a dump shows offsets.
pub(crate) fn filler(longest: usize) -> Bytes {
    (b'0'..=b'9').cycle().take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_number_comes_back() {
        let mut maker = Maker::new(99, filler(100));
        for len in [HEADER, 64, 100] {
            let payload = maker.make(len, u64::MAX - 5);
            assert_eq!(payload.len(), len);
            assert_eq!(maker.sequence(&payload), Some(u64::MAX - 5));
            // A server that cuts or appends is still understood.
            assert_eq!(maker.sequence(&payload[..HEADER]), Some(u64::MAX - 5));
        }
        assert_eq!(&maker.make(16, 0)[HEADER..], b"2345");
    }

    #[test]
    fn short_message_has_none() {
        let mut maker = Maker::new(99, filler(100));
        for len in 1..HEADER {
            let payload = maker.make(len, 1);
            assert_eq!(payload, filler(len));
            assert_eq!(maker.sequence(&payload), None);
        }
    }

    #[test]
    fn replies_of_others_are_told_apart() {
        let mut one = Maker::new(1 << 60, filler(100));
        let other = Maker::new(2 << 60, filler(100));
        let payload = one.make(64, 3);
        assert_eq!(other.sequence(&payload), None);
        assert_eq!(one.sequence(b"a fixed answer of the server"), None);
    }

    #[test]
    fn memory_is_used_again() {
        let mut maker = Maker::new(1, filler(1024));
        let first = maker.make(1024, 0).as_ptr();
        let seen_again = (0..200).any(|sequence| maker.make(1024, sequence).as_ptr() == first);
        assert!(seen_again);
    }
}
