//! Sending through a socket, and without one in tests.

pub(crate) mod bundle;
pub(crate) mod credit;

use std::io::{self, IoSlice};

use sctp_core::{AssocId, SendItem, Socket};

/// What a run goes out through: a socket, or what a test puts in its place.
pub(crate) trait BatchSender {
    /// How much of the send buffer is free.
    fn free_space(&self) -> usize;

    /// Sends messages that wait for a plain send to follow (`MSG_MORE`). Returns how many.
    fn send_more<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize>;

    /// Sends messages plainly, and with each all that waits on its association. Returns how many.
    fn send_plain<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize>;

    /// Sends one message plainly, and with it all that waits.
    fn send(&self, item: SendItem<'_>) -> io::Result<()>;

    /// Has what waits go out without a further message.
    fn release(&self, assoc: AssocId);
}

impl BatchSender for Socket {
    fn free_space(&self) -> usize {
        self.send_buffer_free().unwrap_or(0)
    }

    fn send_more<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        self.send_batch(items, true)
    }

    fn send_plain<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        self.send_batch(items, false)
    }

    fn send(&self, item: SendItem<'_>) -> io::Result<()> {
        self.send_msg(item.assoc, item.info, &[IoSlice::new(item.payload)])
    }

    /// A heartbeat begins a packet, and what waits is put into it: it waits only for lack of one
    /// (`sctp_packet_can_append_data`).
    fn release(&self, assoc: AssocId) {
        // An association that is not there any more has nothing to release.
        let _ = self.request_heartbeat(assoc, None);
    }
}
