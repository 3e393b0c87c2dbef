//! Accounting of the free space in a send buffer.

use super::BatchSender;

/// Lower bound of the free space of a send buffer.
///
/// `MSG_MORE` is used only for bundles whose cost, an upper bound of the kernel's charge, the
/// credit covers. Otherwise a full buffer could cut the bundle short, and the kernel would hold
/// back the messages sent with `MSG_MORE` until the next plain send. The credit is read from the
/// kernel (`SO_MEMINFO`) and then only decreases until it is read again. Space freed by
/// acknowledgements since then is not counted.
#[derive(Debug, Default)]
pub(crate) struct SendCredit {
    free: usize,
}

impl SendCredit {
    /// Returns the free space, reading it from the kernel if the credit is less than `cost`.
    pub(crate) fn free(&mut self, sender: &impl BatchSender, cost: usize) -> usize {
        if self.free < cost {
            self.free = sender.free_space();
        }
        self.free
    }

    pub(crate) fn charge(&mut self, cost: usize) {
        self.free = self.free.saturating_sub(cost);
    }

    /// Charges the cost of a message that is sent by itself.
    pub(crate) fn charge_message(&mut self, len: usize) {
        self.charge(cost(len));
    }
}

/// Returns an upper bound of the kernel's charge for a message: about 500 bytes of its own
/// structures per fragment, and the payload rounded up to the next power of two.
pub(crate) fn cost(len: usize) -> usize {
    let fragments = 1 + len / 512;
    2 * len + 1536 * fragments
}
