//! What handles of the association push, on its way to the send queue.

use std::collections::VecDeque;

use super::link::Link;
use crate::{Shutdown, Transport};

/// Which messages of the send queue were pushed. They share the queue with replies, since on one
/// stream what was accepted first goes out first; and they are told apart, since they have a limit
/// of their own, and since nobody waits for one that is refused.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// How many messages have left the queue so far: what numbers those that are in it.
    left: u64,
    /// The numbers and lengths of the pushed ones in the queue, in order.
    pushed: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Marks {
    pub(super) fn len(&self) -> usize {
        self.pushed.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Marks the message that is about to be queued behind so many others.
    fn mark(&mut self, behind: usize, len: usize) {
        self.pushed.push_back((self.left + behind as u64, len));
        self.bytes += len;
    }

    /// Counts messages that left the queue, from its front, and hands out the lengths of the pushed
    /// ones. Answers whether the last of all was one.
    #[inline]
    pub(super) fn leave(&mut self, messages: u64, pushed: impl FnMut(usize)) -> bool {
        self.left += messages;
        !self.pushed.is_empty() && self.pushed_leave(pushed)
    }

    fn pushed_leave(&mut self, mut pushed: impl FnMut(usize)) -> bool {
        let mut last = false;
        while let Some(&(number, len)) = self.pushed.front() {
            if number >= self.left {
                break;
            }
            last = number + 1 == self.left;
            self.bytes -= len;
            self.pushed.pop_front();
            pushed(len);
        }
        if self.pushed.is_empty() {
            self.pushed = VecDeque::new();
        }
        last
    }
}

/// The task was dropped, as when its runtime stops: nobody saw the end.
impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        self.association.end(None);
    }
}

impl<T: Transport> Link<T> {
    /// Queues what was pushed since. In the common case, that nothing was, it costs a look.
    #[inline]
    pub(super) fn pump(&mut self) {
        if self.association.is_pending() {
            self.take_pushed();
        }
    }

    #[cold]
    fn take_pushed(&mut self) {
        let taken = self.association.take();
        for message in taken.messages {
            self.counts.pushes += 1;
            let len = message.payload.len();
            if self.is_muted() {
                self.counts.discarded_pushes += 1;
                self.association.give_back(len);
                continue;
            }
            self.marks.mark(self.queued(), len);
            self.queue(message);
        }
        if taken.shutdown.is_some() {
            self.asked = taken.shutdown;
        }
    }

    /// Queues what was pushed, and accepts no more.
    pub(super) fn close_pushes(&mut self) {
        self.association.close();
        self.pump();
    }

    /// Whether a handle may have asked for an end. It is asked for each call, and costs a look.
    pub(super) fn has_asked(&self) -> bool {
        self.asked.is_some() || self.association.is_pending()
    }

    /// As `close_pushes`, for good: this end ends the association.
    pub(super) fn begin_end(&mut self) {
        self.ending = true;
        self.close_pushes();
    }

    /// Takes the end that a handle asked for.
    pub(super) fn take_asked(&mut self) -> Option<Shutdown> {
        self.pump();
        self.asked.take()
    }

    /// Tells those who hold a handle that the association is over.
    pub(super) fn end_pushes(&mut self, end: Option<sctp_tokio::End>) {
        let left = self.association.end(end) as u64;
        self.counts.pushes += left;
        self.counts.discarded_pushes += left;
    }
}
