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

impl Outlet for Buffer {
    fn room(&self) -> usize {
        SIZE - self.used.load(Ordering::Acquire)
    }

    fn send_held<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
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
        unreachable!("a run for one association ends with a single send")
    }

    fn send(&self, item: SendItem<'_>) -> io::Result<()> {
        self.add(item.payload.len())?;
        self.sent
            .fetch_add(1 + self.held.swap(0, Ordering::AcqRel), Ordering::AcqRel);
        Ok(())
    }

    fn release(&self, _: AssocId) {
        unreachable!("a run is not longer than the room that its account has seen")
    }
}

/// Sends a run, while the account of the room is locked, as all that send on a socket do.
fn send(account: &Mutex<Room>, buffer: &Buffer) -> usize {
    let queue = VecDeque::from([Message::new("a"), Message::new("b")]);
    let mut room = account.lock().unwrap();
    let sent = send_run(AssocId::new(7), 10, &mut room, buffer, &queue).unwrap_or(0);
    assert_eq!(buffer.held.load(Ordering::Acquire), 0);
    sent
}

#[test]
fn runs_of_two_senders_leave_nothing_held() {
    let mut model = Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let account = Arc::new(Mutex::new(Room::default()));
        let buffer = Arc::new(Buffer::default());
        let other = thread::spawn({
            let (account, buffer) = (Arc::clone(&account), Arc::clone(&buffer));
            move || send(&account, &buffer)
        });
        let peer = thread::spawn({
            let buffer = Arc::clone(&buffer);
            move || buffer.acknowledge()
        });
        let sent = send(&account, &buffer) + other.join().unwrap();
        peer.join().unwrap();
        assert_eq!(buffer.sent.load(Ordering::Acquire), sent);
    });
}
