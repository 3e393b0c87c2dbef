//! Messages that a sink has accepted and not sent yet.

use std::collections::VecDeque;

use sctp_core::Socket;

use crate::message::Message;

/// How many messages a sink holds: as many as go out with one system call.
const CAPACITY: usize = Socket::MAX_BATCH;

/// The messages that a sink has taken and not yet sent. A clone of the handle has its own.
#[derive(Debug, Default)]
pub(crate) struct SinkBuffer {
    pub(crate) queue: VecDeque<Message>,
    pub(crate) closing: bool,
}

impl SinkBuffer {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits to be flushed.
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
