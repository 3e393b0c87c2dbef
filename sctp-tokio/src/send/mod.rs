//! Batch sends, over a socket or a test double.

pub(crate) mod bundle;
pub(crate) mod credit;

use std::io::{self, IoSlice};

use sctp_core::{AssocId, SendItem, Socket};

/// Destination of a bundle: a socket, or a test double.
pub(crate) trait BatchSender {
    /// Returns the free space of the send buffer in bytes.
    fn free_space(&self) -> usize;

    /// Sends messages that stay queued until a plain send follows (`MSG_MORE`). Returns the number
    /// sent.
    fn send_more<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize>;

    /// Sends messages, and with each everything queued on its association. Returns the number sent.
    fn send_plain<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize>;

    /// Sends one message, and everything queued on its association.
    fn send(&self, item: SendItem<'_>) -> io::Result<()>;

    /// Sends everything queued on an association, without another message.
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

    /// Requests a heartbeat. The kernel adds the queued messages to its packet; only `MSG_MORE` was
    /// holding them back (`sctp_packet_can_append_data`).
    fn release(&self, assoc: AssocId) {
        // A closed association has nothing to release.
        let _ = self.request_heartbeat(assoc, None);
    }
}
