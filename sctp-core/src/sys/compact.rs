//! Where a message of a batch stays.

use std::{mem::MaybeUninit, ops::Range};

/// Messages up to this long are moved together; a copy this short costs less than the room.
const MOVE_MAX: usize = 1024;

/// Closes the gap between `end`, where the initialised bytes stop, and the message of `len` bytes
/// at `at`. Returns where the message is now.
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
    fn settling_leaves_no_byte_unwritten() {
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
