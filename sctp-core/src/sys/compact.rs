//! Placement of received messages in a batch.

use std::{mem::MaybeUninit, ops::Range};

/// Maximum length of messages that are moved together. Copying this little costs less than the
/// wasted space.
const MOVE_MAX: usize = 1024;

/// Closes the gap before a received message.
///
/// The message of `len` bytes is at `at`, and the initialized bytes end at `end`. A short message
/// is moved to `end`; before a long one the gap is zeroed. Returns the final range of the message.
pub(super) fn compact(
    room: &mut [MaybeUninit<u8>],
    end: usize,
    at: usize,
    len: usize,
) -> Range<usize> {
    if end == at {
        return at..at + len;
    }
    if len <= MOVE_MAX {
        room.copy_within(at..at + len, end);
        return end..end + len;
    }
    room[end..at].fill(MaybeUninit::new(0));
    at..at + len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compaction_initializes_every_byte() {
        let mut room = [const { MaybeUninit::new(b'?') }; 3 * 2048];
        let mut end = 0;
        for (at, len) in [(0, 100), (2048, MOVE_MAX), (4096, MOVE_MAX + 1)] {
            let place = compact(&mut room, end, at, len);
            assert!(place.start >= end && place.len() == len);
            end = place.end;
        }
        assert_eq!(end, 4096 + MOVE_MAX + 1);
        // SAFETY: the array was written when it was made.
        let byte = |at: usize| unsafe { room[at].assume_init() };
        assert!((100 + MOVE_MAX..4096).all(|at| byte(at) == 0));
    }
}
