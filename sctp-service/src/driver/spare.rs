//! The memory of queues that were emptied, for those of other associations of the thread to fill.

use std::{cell::RefCell, collections::VecDeque, mem};

use sctp_tokio::Message;

thread_local! {
    /// A busy association need not allocate its queue for every batch, and an idle one keeps none.
    static SPARE: RefCell<Vec<VecDeque<Message>>> = const { RefCell::new(Vec::new()) };
}

/// How many queues a thread keeps.
const MAX_SPARE: usize = 8;
/// How long a queue may have been to be kept.
const MAX_LEN: usize = 256;
/// A queue that is no longer than this stays where it is: most peers wait for their answer.
const SMALL: usize = 1;

/// Returns a queue that is empty.
pub(super) fn take() -> VecDeque<Message> {
    SPARE
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| VecDeque::with_capacity(SMALL))
}

/// Takes the memory of an empty queue, unless it is small.
pub(super) fn give_back(queue: &mut VecDeque<Message>) {
    if queue.capacity() <= SMALL {
        return;
    }
    let queue = mem::take(queue);
    if queue.capacity() <= MAX_LEN {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < MAX_SPARE {
                spare.push(queue);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_queue_is_lent_to_the_next_and_a_small_one_is_kept() {
        let mut long = VecDeque::with_capacity(100);
        give_back(&mut long);
        assert_eq!(long.capacity(), 0);
        assert!(take().capacity() >= 100);
        let mut small = take();
        assert_eq!(small.capacity(), SMALL);
        give_back(&mut small);
        assert_eq!(small.capacity(), SMALL);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        for len in [MAX_LEN + 1, 100] {
            for _ in 0..2 * MAX_SPARE {
                give_back(&mut VecDeque::with_capacity(len));
            }
        }
        let kept: Vec<_> = std::iter::from_fn(|| SPARE.with_borrow_mut(Vec::pop)).collect();
        assert_eq!(kept.len(), MAX_SPARE);
        assert!(kept.iter().all(|queue| queue.capacity() <= MAX_LEN));
    }
}
