use std::cell::{Cell, RefCell};

use super::*;

const ASSOC: AssocId = AssocId::new(7);

/// Records how each message was sent, and fails on request.
#[derive(Default)]
struct Recorder {
    room: usize,
    /// The maximum number of messages per call with `MSG_MORE`.
    takes: Option<usize>,
    plain_fails: bool,
    /// Set while messages wait for a plain send.
    waits: Cell<bool>,
    sends: RefCell<Vec<(bool, usize)>>,
}

impl Recorder {
    fn roomy() -> Self {
        Self {
            room: usize::MAX,
            ..Self::default()
        }
    }

    /// Sends the whole queue in bundles, and returns their lengths.
    fn send_all(&self, mut queue: VecDeque<Message>) -> Vec<usize> {
        let mut lens = Vec::new();
        while !queue.is_empty() {
            let sent = send_bundle(ASSOC, 10, &mut SendCredit::default(), self, &queue).unwrap();
            assert!(!self.waits.get(), "after {sent} more messages: {self:?}");
            queue.drain(..sent);
            lens.push(sent);
        }
        lens
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(held, messages) {:?}", self.sends.borrow())
    }
}

impl BatchSender for Recorder {
    fn free_space(&self) -> usize {
        self.room
    }

    fn send_more<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        let count = items.count().min(self.takes.unwrap_or(usize::MAX));
        self.sends.borrow_mut().push((true, count));
        self.waits.set(true);
        Ok(count)
    }

    fn send_plain<'a>(&self, _: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        unreachable!("a bundle for one association ends with a single send")
    }

    fn send(&self, item: SendItem<'_>) -> io::Result<()> {
        assert_eq!(item.assoc, ASSOC);
        if self.plain_fails {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.sends.borrow_mut().push((false, 1));
        self.waits.set(false);
        Ok(())
    }

    fn release(&self, assoc: AssocId) {
        assert_eq!(assoc, ASSOC);
        self.waits.set(false);
    }
}

fn messages(count: usize, len: usize) -> VecDeque<Message> {
    (0..count).map(|_| Message::new(vec![0; len])).collect()
}

#[test]
fn every_bundle_ends_with_a_plain_send() {
    for (count, lens) in [
        (1, vec![1]),
        (2, vec![2]),
        (Socket::MAX_BATCH, vec![Socket::MAX_BATCH]),
        (Socket::MAX_BATCH + 1, vec![Socket::MAX_BATCH, 1]),
        (100, vec![32, 32, 32, 4]),
    ] {
        assert_eq!(Recorder::roomy().send_all(messages(count, 64)), lens);
    }
}

#[test]
fn bundle_cut_short_ends_with_a_plain_send() {
    for takes in [1, 5, 30] {
        let recorder = Recorder {
            takes: Some(takes),
            ..Recorder::roomy()
        };
        let lens = recorder.send_all(messages(32, 64));
        assert_eq!(lens[0], takes + 1);
    }
}

#[test]
fn bundle_length_is_limited_to_the_credit() {
    for (room, first) in [(0, 1), (cost(100) * 3, 3), (cost(100) * 3 - 1, 2)] {
        let recorder = Recorder {
            room,
            ..Recorder::default()
        };
        assert_eq!(recorder.send_all(messages(10, 100))[0], first);
    }
}

#[test]
fn refusable_message_is_sent_unbundled() {
    let mut queue = messages(5, 64);
    let refusable = Message::new("expires").with_reliability(Reliability::Retransmissions(0));
    queue.insert(2, refusable);
    assert_eq!(Recorder::roomy().send_all(queue), [2, 1, 3]);
}

#[test]
fn failed_plain_send_releases_held_messages() {
    let recorder = Recorder {
        plain_fails: true,
        ..Recorder::roomy()
    };
    let sent = send_bundle(
        ASSOC,
        10,
        &mut SendCredit::default(),
        &recorder,
        &messages(3, 64),
    )
    .unwrap();
    assert_eq!(sent, 2);
    assert!(!recorder.waits.get());
}
