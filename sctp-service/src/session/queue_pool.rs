//! Per-thread pool of empty send queues.

use std::{cell::RefCell, collections::VecDeque, mem};

use sctp_tokio::Message;

thread_local! {
    /// Reused across associations, so that a busy one does not allocate per batch and an idle one
    /// holds no memory.
    static POOL: RefCell<Vec<VecDeque<Message>>> = const { RefCell::new(Vec::new()) };
}

/// The maximum number of pooled queues per thread.
const MAX_POOLED: usize = 8;
/// Queues with a larger capacity are freed instead of pooled.
const MAX_CAPACITY: usize = 256;
/// Queues of this capacity stay with their association: most peers wait for one reply at a time.
const SMALL: usize = 1;

/// Takes an empty queue from the pool, or creates one.
pub(super) fn acquire() -> VecDeque<Message> {
    POOL.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| VecDeque::with_capacity(SMALL))
}

/// Returns the buffer of an empty queue to the pool, unless it is small.
pub(super) fn release(queue: &mut VecDeque<Message>) {
    if queue.capacity() <= SMALL {
        return;
    }
    let queue = mem::take(queue);
    if queue.capacity() <= MAX_CAPACITY {
        POOL.with_borrow_mut(|pool| {
            if pool.len() < MAX_POOLED {
                pool.push(queue);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_queues_are_reused_small_ones_are_not() {
        let mut long = VecDeque::with_capacity(100);
        release(&mut long);
        assert_eq!(long.capacity(), 0);
        assert!(acquire().capacity() >= 100);
        let mut small = acquire();
        assert_eq!(small.capacity(), SMALL);
        release(&mut small);
        assert_eq!(small.capacity(), SMALL);
    }

    #[test]
    fn pool_size_is_bounded() {
        for len in [MAX_CAPACITY + 1, 100] {
            for _ in 0..2 * MAX_POOLED {
                release(&mut VecDeque::with_capacity(len));
            }
        }
        let kept: Vec<_> = std::iter::from_fn(|| POOL.with_borrow_mut(Vec::pop)).collect();
        assert_eq!(kept.len(), MAX_POOLED);
        assert!(kept.iter().all(|queue| queue.capacity() <= MAX_CAPACITY));
    }
}
