use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
};

use super::*;

const A: AssocId = AssocId::new(1);
const B: AssocId = AssocId::new(2);
const C: AssocId = AssocId::new(3);

/// Records sends, and fails on request.
#[derive(Debug)]
struct Recorder {
    room: usize,
    /// The maximum number of messages per call.
    takes: usize,
    /// Association whose messages it refuses.
    refuses: Option<AssocId>,
    /// The number of consecutive plain calls that fail, for example without memory.
    fails: Cell<usize>,
    /// Associations with messages that wait for a plain send.
    waiting: RefCell<HashSet<AssocId>>,
    calls: RefCell<usize>,
    arrived: RefCell<HashMap<AssocId, Vec<u8>>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            room: usize::MAX,
            takes: usize::MAX,
            refuses: None,
            fails: Cell::default(),
            waiting: RefCell::default(),
            calls: RefCell::default(),
            arrived: RefCell::default(),
        }
    }
}

impl Recorder {
    fn take<'a>(&self, items: impl Iterator<Item = SendItem<'a>>, held: bool) -> io::Result<usize> {
        *self.calls.borrow_mut() += 1;
        let mut count = 0;
        for item in items.take(self.takes) {
            if self.refuses == Some(item.assoc) {
                break;
            }
            let mut waiting = self.waiting.borrow_mut();
            if held {
                waiting.insert(item.assoc);
            } else {
                waiting.remove(&item.assoc);
            }
            let mut arrived = self.arrived.borrow_mut();
            arrived.entry(item.assoc).or_default().push(item.payload[0]);
            count += 1;
        }
        match count {
            0 => Err(ErrorKind::BrokenPipe.into()),
            count => Ok(count),
        }
    }

    fn arrived(&self, assoc: AssocId) -> Vec<u8> {
        let arrived = self.arrived.borrow();
        arrived.get(&assoc).cloned().unwrap_or_default()
    }

    /// Sends the whole queue as one bundle. Returns the position of the refused message, if any.
    fn run(&self, queue: &mut VecDeque<(AssocId, Message)>) -> Option<usize> {
        let mut indices = Indices::default();
        (0..queue.len()).for_each(|at| indices.push(at));
        let outcome = send_many(queue, indices, &mut SendCredit::default(), self);
        assert_eq!(*self.waiting.borrow(), HashSet::new(), "{self:?}");
        outcome.settle(queue).map(|(at, _)| at)
    }
}

impl BatchSender for Recorder {
    fn free_space(&self) -> usize {
        self.room
    }

    fn send_more<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        self.take(items, true)
    }

    fn send_plain<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        if self.fails.get() > 0 {
            self.fails.update(|fails| fails - 1);
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.take(items, false)
    }

    fn send(&self, _: SendItem<'_>) -> io::Result<()> {
        unreachable!("a bundle for many associations is sent in batches")
    }

    fn release(&self, assoc: AssocId) {
        self.waiting.borrow_mut().remove(&assoc);
    }
}

/// A message to each of these, numbered from 0.
fn queue(assocs: &[AssocId]) -> VecDeque<(AssocId, Message)> {
    let numbered = (0..).zip(assocs);
    numbered
        .map(|(number, assoc)| (*assoc, Message::new(vec![number; 100])))
        .collect()
}

fn numbers(queue: &VecDeque<(AssocId, Message)>) -> Vec<u8> {
    queue
        .iter()
        .map(|(_, message)| message.payload[0])
        .collect()
}

#[test]
fn many_associations_take_two_calls() {
    for (assocs, calls) in [(&[A, B, A, C, B, A][..], 2), (&[A, B, C], 1)] {
        let (recorder, mut queue) = (Recorder::default(), queue(assocs));
        assert_eq!(recorder.run(&mut queue), None);
        assert_eq!(numbers(&queue), []);
        assert_eq!(*recorder.calls.borrow(), calls);
    }
}

#[test]
fn short_calls_keep_order_per_association() {
    for takes in 1..=4 {
        let recorder = Recorder {
            takes,
            ..Recorder::default()
        };
        let mut queue = queue(&[A, B, A, A, C, B, A]);
        while !queue.is_empty() {
            assert_eq!(recorder.run(&mut queue), None);
        }
        assert_eq!(recorder.arrived(A), [0, 2, 3, 6]);
        assert_eq!(recorder.arrived(B), [1, 5]);
        assert_eq!(recorder.arrived(C), [4]);
    }
}

#[test]
fn refused_message_does_not_stop_others() {
    for (refuses, left, at) in [(A, vec![0, 2, 3], 0), (B, vec![1, 5], 0), (C, vec![4], 0)] {
        let recorder = Recorder {
            refuses: Some(refuses),
            ..Recorder::default()
        };
        let mut queue = queue(&[A, B, A, A, C, B]);
        let mut refused = None;
        // After a bundle that was cut short, only the next one continues.
        for _ in 0..4 {
            refused = recorder.run(&mut queue);
        }
        assert_eq!(refused, Some(at));
        assert_eq!(numbers(&queue), left);
    }
}

#[test]
fn uncertain_space_sends_plainly_in_order() {
    let recorder = Recorder {
        room: 0,
        ..Recorder::default()
    };
    let mut queue = queue(&[A, B, A]);
    assert_eq!(recorder.run(&mut queue), None);
    assert_eq!(*recorder.calls.borrow(), 1);
    assert_eq!(recorder.arrived(A), [0, 2]);
}

#[test]
fn refusal_with_little_space_has_its_index() {
    let recorder = Recorder {
        room: 0,
        refuses: Some(B),
        ..Recorder::default()
    };
    let mut queue = queue(&[A, A, B, A]);
    assert_eq!(recorder.run(&mut queue), Some(0));
    assert_eq!(numbers(&queue), [2, 3]);
}

#[test]
fn bundle_is_limited_to_the_credit() {
    let recorder = Recorder {
        room: cost(100) * 3,
        ..Recorder::default()
    };
    let mut queue = queue(&[A, A, A, A]);
    assert_eq!(recorder.run(&mut queue), None);
    assert_eq!(numbers(&queue), [3]);
}

#[test]
fn failure_leaves_nothing_held_or_overtaken() {
    let recorder = Recorder {
        takes: 1,
        fails: Cell::new(1),
        ..Recorder::default()
    };
    let mut queue = queue(&[A, A, A, B]);
    assert_eq!(recorder.run(&mut queue), Some(0));
    assert_eq!(
        (recorder.arrived(A), recorder.arrived(B)),
        (vec![0], vec![3])
    );
    assert_eq!(numbers(&queue), [1, 2]);
}
