//! Messages that a sink has accepted and not sent yet.

use std::collections::VecDeque;

use sctp_core::Socket;

use crate::message::Message;

/// Capacity of a sink: the number of messages sent with one system call.
const CAPACITY: usize = Socket::MAX_BATCH;

/// Messages that a sink has accepted and not sent yet. A clone of the handle has its own buffer.
#[derive(Debug, Default)]
pub(crate) struct SinkBuffer {
    pub(crate) queue: VecDeque<Message>,
    pub(crate) closing: bool,
}

impl SinkBuffer {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns `true` if nothing waits to be flushed.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= CAPACITY
    }
}

impl Clone for SinkBuffer {
    fn clone(&self) -> Self {
        Self::default()
    }
}
