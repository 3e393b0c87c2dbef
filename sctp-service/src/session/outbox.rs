//! Messages that wait for the transport, and their owners.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use sctp_tokio::{Message, SendError};

use super::queue_pool;
use crate::Transport;

/// A queue of messages in the order in which they were accepted.
///
/// All messages share one queue, since within a stream the first accepted goes out first. A
/// message can have an owner, who learns its outcome. Replies, which are most of what is
/// sent, have none and cost no entry.
#[derive(Debug)]
pub(crate) struct Outbox<O> {
    messages: VecDeque<Message>,
    /// Messages that have left the queue so far, which numbers those in it.
    left: u64,
    owned: VecDeque<Owned<O>>,
    bytes: usize,
    owned_bytes: usize,
}

#[derive(Debug)]
struct Owned<O> {
    number: u64,
    len: usize,
    owner: O,
}

/// Outcome of [`Outbox::flush`].
#[derive(Debug)]
pub(crate) enum Flushed<O> {
    /// Everything was taken.
    Empty,
    /// The transport has no room, and wakes the task when it has.
    Full,
    /// A message was refused; its owner, if it had one. The rest still waits.
    Refused(Option<O>, SendError),
}

impl<O> Default for Outbox<O> {
    fn default() -> Self {
        Self {
            messages: VecDeque::new(),
            left: 0,
            owned: VecDeque::new(),
            bytes: 0,
            owned_bytes: 0,
        }
    }
}

impl<O> Outbox<O> {
    /// Queues a message without an owner.
    pub(crate) fn push(&mut self, message: Message) {
        self.bytes += message.payload.len();
        if self.messages.capacity() == 0 {
            self.messages = queue_pool::acquire();
        }
        self.messages.push_back(message);
    }

    /// Queues a message whose owner learns its outcome.
    pub(crate) fn push_owned(&mut self, message: Message, owner: O) {
        let len = message.payload.len();
        let number = self.left + self.messages.len() as u64;
        self.owned.push_back(Owned { number, len, owner });
        self.owned_bytes += len;
        self.push(message);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns `true` if there is a message with an owner.
    pub(crate) fn has_owned(&self) -> bool {
        !self.owned.is_empty()
    }

    /// Returns the number of messages without an owner.
    pub(crate) fn unowned(&self) -> usize {
        self.messages.len() - self.owned.len()
    }

    /// Returns the size of the messages without an owner, in bytes of payload.
    pub(crate) fn unowned_bytes(&self) -> usize {
        self.bytes - self.owned_bytes
    }

    /// Takes back the message of this owner, if it is still here.
    pub(crate) fn withdraw(&mut self, is_owner: impl Fn(&O) -> bool) -> Option<Message> {
        let position = self.owned.iter().position(|owned| is_owner(&owned.owner))?;
        let owned = self.owned.remove(position)?;
        let index = usize::try_from(owned.number - self.left).ok()?;
        self.owned_bytes -= owned.len;
        self.bytes -= owned.len;
        for behind in self.owned.range_mut(position..) {
            behind.number -= 1;
        }
        self.messages.remove(index)
    }

    /// Discards everything. Returns the number of messages without an owner.
    pub(crate) fn clear(&mut self, mut discarded: impl FnMut(O)) -> u64 {
        let unowned = self.unowned() as u64;
        let messages = self.messages.len() as u64;
        self.messages.clear();
        self.leave(messages, |_, owner| discarded(owner));
        unowned
    }

    /// Sends as many messages as there is room for. Returns the number of messages sent, and calls
    /// `sent` with their owners.
    pub(crate) fn flush<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut T,
        mut sent: impl FnMut(O),
    ) -> (u64, Flushed<O>) {
        if self.messages.is_empty() {
            return (0, Flushed::Empty);
        }
        let before = self.messages.len();
        let polled = transport.poll_send(cx, &mut self.messages);
        let gone = (before - self.messages.len()) as u64;
        // A refused message is the last that left.
        let (taken, refused) = match &polled {
            Poll::Ready(Err(_)) => (gone.saturating_sub(1), Some(self.left + gone)),
            _ => (gone, None),
        };
        let mut refused_owner = None;
        self.leave(gone, |number, owner| {
            if refused == Some(number + 1) {
                refused_owner = Some(owner);
            } else {
                sent(owner);
            }
        });
        let outcome = match polled {
            Poll::Ready(Ok(())) => Flushed::Empty,
            Poll::Pending => Flushed::Full,
            Poll::Ready(Err(error)) => Flushed::Refused(refused_owner, error),
        };
        (taken, outcome)
    }

    /// Accounts for messages that left the front of the queue, and hands out the numbers and
    /// owners among them.
    #[inline]
    fn leave(&mut self, messages: u64, gone: impl FnMut(u64, O)) {
        self.left += messages;
        if !self.owned.is_empty() {
            self.leave_owned(gone);
        }
        // The transport takes messages off the queue itself, so their bytes are counted anew. What
        // is left is bounded, and nothing is left in the common case.
        self.bytes = self.messages.iter().map(|it| it.payload.len()).sum();
        if self.messages.is_empty() {
            queue_pool::release(&mut self.messages);
        }
    }

    fn leave_owned(&mut self, mut gone: impl FnMut(u64, O)) {
        while self.owned.front().is_some_and(|it| it.number < self.left)
            && let Some(owned) = self.owned.pop_front()
        {
            self.owned_bytes -= owned.len;
            gone(owned.number, owned.owner);
        }
        if self.owned.is_empty() {
            self.owned = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::testing::{Duplex, InMemory, Peer};

    fn narrow(capacity: usize) -> (InMemory, Peer) {
        Duplex::new().with_capacity(capacity).build()
    }

    /// Flushes, and returns the number taken, the owners among them, and the outcome.
    fn flush(outbox: &mut Outbox<char>, transport: &mut InMemory) -> (u64, String, Flushed<char>) {
        let mut owners = String::new();
        let mut cx = Context::from_waker(Waker::noop());
        let (taken, outcome) = outbox.flush(&mut cx, transport, |owner| owners.push(owner));
        (taken, owners, outcome)
    }

    #[test]
    fn owners_are_notified_as_messages_leave() {
        let (mut transport, peer) = narrow(2);
        let mut outbox = Outbox::default();
        outbox.push(Message::new("reply"));
        outbox.push_owned(Message::new("one"), 'a');
        outbox.push(Message::new("reply"));
        outbox.push_owned(Message::new("two"), 'b');
        assert_eq!((outbox.unowned(), outbox.unowned_bytes()), (2, 10));
        let (taken, owners, outcome) = flush(&mut outbox, &mut transport);
        assert_eq!((taken, owners.as_str()), (2, "a"));
        assert!(matches!(outcome, Flushed::Full));
        assert_eq!((outbox.unowned(), outbox.unowned_bytes()), (1, 5));
        while peer.try_recv().is_some() {}
        let (taken, owners, outcome) = flush(&mut outbox, &mut transport);
        assert_eq!((taken, owners.as_str()), (2, "b"));
        assert!(matches!(outcome, Flushed::Empty) && outbox.is_empty());
        assert_eq!(outbox.unowned_bytes(), 0);
    }

    #[test]
    fn refused_message_is_returned_to_its_owner_alone() {
        let (mut transport, _peer) = narrow(8);
        let mut outbox = Outbox::default();
        outbox.push_owned(Message::new("one"), 'a');
        outbox.push_owned(Message::new(""), 'b');
        outbox.push(Message::new(""));
        outbox.push_owned(Message::new("two"), 'c');
        let (taken, owners, outcome) = flush(&mut outbox, &mut transport);
        assert_eq!((taken, owners.as_str()), (1, "a"));
        assert!(matches!(
            outcome,
            Flushed::Refused(Some('b'), SendError::Empty)
        ));
        let (taken, owners, outcome) = flush(&mut outbox, &mut transport);
        assert_eq!((taken, owners.as_str()), (0, ""));
        assert!(matches!(outcome, Flushed::Refused(None, SendError::Empty)));
        let (taken, owners, _) = flush(&mut outbox, &mut transport);
        assert_eq!((taken, owners.as_str()), (1, "c"));
    }

    #[test]
    fn clear_returns_every_owner() {
        let mut outbox = Outbox::default();
        outbox.push(Message::new("reply"));
        outbox.push_owned(Message::new("one"), 'a');
        outbox.push_owned(Message::new("two"), 'b');
        let mut owners = String::new();
        assert_eq!(outbox.clear(|owner| owners.push(owner)), 1);
        assert_eq!(owners, "ab");
        assert!(outbox.is_empty());
        // Numbers go on.
        outbox.push_owned(Message::new("three"), 'c');
        let (mut transport, _peer) = narrow(8);
        assert_eq!(flush(&mut outbox, &mut transport).1, "c");
    }
}
