//! Account of the free space of a send buffer.

use super::BatchSender;

/// How much of the send buffer is certainly free.
///
/// A run of messages sent with `MSG_MORE` must not be cut short by a full buffer, because the
/// kernel would hold its tail back until the next plain send. So before a run this account
/// must cover it, by an estimate from above of what the kernel charges. The account is read from
/// the kernel (`SO_MEMINFO`) and then only counted down, so it errs on the safe side: what has
/// been acknowledged since is free as well.
#[derive(Debug, Default)]
pub(crate) struct SendCredit {
    free: usize,
}

impl SendCredit {
    /// How much is free: at least `cost`, if the account or else the kernel says so.
    pub(crate) fn free(&mut self, sender: &impl BatchSender, cost: usize) -> usize {
        if self.free < cost {
            self.free = sender.free_space();
        }
        self.free
    }

    pub(crate) fn charge(&mut self, cost: usize) {
        self.free = self.free.saturating_sub(cost);
    }

    /// Notes that a message of this length goes out by itself.
    pub(crate) fn charge_message(&mut self, len: usize) {
        self.charge(cost(len));
    }
}

/// What the kernel charges for a message at most: about 500 bytes of its own structures for each
/// fragment, and the payload rounded up to the next power of two. Measured: 1,020 for 64 bytes,
/// 2,315 for 1,000 bytes.
pub(crate) fn cost(len: usize) -> usize {
    let fragments = 1 + len / 512;
    2 * len + 1536 * fragments
}
