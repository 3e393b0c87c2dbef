use std::sync::Arc;

use loom::{
    model::Builder,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::*;

/// The size of the send buffer in these models: room for three messages of one byte.
const SIZE: usize = 3 * (1536 + 2);

/// A send buffer of one association, whose peer acknowledges at any time.
#[derive(Default)]
struct Buffer {
    used: AtomicUsize,
    /// Messages that wait for a plain send to follow.
    held: AtomicUsize,
    sent: AtomicUsize,
}

impl Buffer {
    fn add(&self, len: usize) -> io::Result<()> {
        let used = self.used.load(Ordering::Acquire);
        if used + cost(len) > SIZE {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.used.fetch_add(cost(len), Ordering::AcqRel);
        Ok(())
    }

    fn acknowledge(&self) {
        let used = self.used.load(Ordering::Acquire);
        self.used.fetch_sub(used, Ordering::AcqRel);
    }
}

impl BatchSender for Buffer {
    fn free_space(&self) -> usize {
        SIZE - self.used.load(Ordering::Acquire)
    }

    fn send_more<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        let mut count = 0;
        for item in items {
            if let Err(error) = self.add(item.payload.len()) {
                return if count == 0 { Err(error) } else { Ok(count) };
            }
            self.held.fetch_add(1, Ordering::AcqRel);
            count += 1;
        }
        Ok(count)
    }

    fn send_plain<'a>(&self, _: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        unreachable!("a bundle for one association ends with a single send")
    }

    fn send(&self, item: SendItem<'_>) -> io::Result<()> {
        self.add(item.payload.len())?;
        self.sent
            .fetch_add(1 + self.held.swap(0, Ordering::AcqRel), Ordering::AcqRel);
        Ok(())
    }

    fn release(&self, _: AssocId) {
        unreachable!("a bundle is not longer than its credit")
    }
}

/// Sends a bundle with the credit locked, as all sends on a socket do.
fn send(credit: &Mutex<SendCredit>, buffer: &Buffer) -> usize {
    let queue = VecDeque::from([Message::new("a"), Message::new("b")]);
    let mut credit = credit.lock().unwrap();
    let sent = send_bundle(AssocId::new(7), 10, &mut credit, buffer, &queue).unwrap_or(0);
    assert_eq!(buffer.held.load(Ordering::Acquire), 0);
    sent
}

#[test]
fn bundles_of_two_senders_leave_nothing_held() {
    let mut model = Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let credit = Arc::new(Mutex::new(SendCredit::default()));
        let buffer = Arc::new(Buffer::default());
        let other = thread::spawn({
            let (credit, buffer) = (Arc::clone(&credit), Arc::clone(&buffer));
            move || send(&credit, &buffer)
        });
        let peer = thread::spawn({
            let buffer = Arc::clone(&buffer);
            move || buffer.acknowledge()
        });
        let sent = send(&credit, &buffer) + other.join().unwrap();
        peer.join().unwrap();
        assert_eq!(buffer.sent.load(Ordering::Acquire), sent);
    });
}
