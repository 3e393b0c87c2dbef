//! Threads that complete what handlers wait for.

use std::{
    hint::{black_box, spin_loop},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use sctp_service::Message;
use tokio::sync::{Notify, Semaphore, oneshot};

use crate::rng::Rng;

/// The longest pause between two steps of a job, in turns of an empty loop: about a microsecond.
const PAUSE: usize = 1 << 11;

/// Something that a handler waits for.
#[derive(Debug)]
pub(crate) enum Step {
    Item(tokio::sync::mpsc::Sender<()>),
    Message(tokio::sync::mpsc::Sender<Message>, Message),
    Notify(Arc<Notify>),
    Oneshot(oneshot::Sender<()>),
    Permit(Arc<Semaphore>),
}

impl Step {
    /// Completes it. The handler may be gone.
    fn take(self) {
        match self {
            Self::Item(queue) => drop(queue.try_send(())),
            Self::Message(queue, message) => drop(queue.try_send(message)),
            Self::Notify(notify) => notify.notify_one(),
            Self::Oneshot(sender) => drop(sender.send(())),
            Self::Permit(permits) => permits.add_permits(1),
        }
    }
}

/// Work for a thread.
#[derive(Debug)]
enum Job {
    Rally(Rally),
    /// Steps in order, with a pause before each.
    Steps(Vec<(usize, Step)>),
}

impl Job {
    fn run(self) {
        match self {
            Self::Rally(rally) => rally.run(),
            Self::Steps(steps) => {
                for (turns, step) in steps {
                    pause(turns);
                    step.take();
                }
            }
        }
    }
}

fn pause(turns: usize) {
    for turn in 0..turns {
        black_box(turn);
    }
}

/// Pairs of oneshots, each sent as soon as the handler waits for it.
#[derive(Debug)]
pub(crate) struct Rally {
    turn: Arc<AtomicUsize>,
    rounds: Vec<Round>,
}

/// The pauses before each of two oneshots, the second of the handler's pair first.
#[derive(Debug)]
struct Round {
    pauses: [usize; 2],
    senders: [oneshot::Sender<()>; 2],
}

/// The ends of a pair that the handler waits for.
type Pair = (oneshot::Receiver<()>, oneshot::Receiver<()>);

impl Rally {
    pub(crate) fn new(rounds: usize, rng: &mut Rng) -> (Self, Vec<Pair>) {
        let mut rally = Self {
            turn: Arc::default(),
            rounds: Vec::with_capacity(rounds),
        };
        let pairs = (0..rounds).map(|_| {
            let (first, one) = oneshot::channel();
            let (second, two) = oneshot::channel();
            rally.rounds.push(Round {
                pauses: [rng.skewed(PAUSE), rng.skewed(PAUSE)],
                senders: [second, first],
            });
            (one, two)
        });
        let pairs = pairs.collect();
        (rally, pairs)
    }

    /// The number of rounds that the handler has begun.
    pub(crate) fn turn(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.turn)
    }

    fn run(self) {
        for (round, Round { pauses, senders }) in self.rounds.into_iter().enumerate() {
            let mut looks = 0_u32;
            while self.turn.load(Ordering::Acquire) <= round {
                if senders[0].is_closed() {
                    return;
                }
                looks += 1;
                // The handler's thread may wait for this processor.
                if looks.is_multiple_of(1 << 10) {
                    thread::yield_now();
                }
                spin_loop();
            }
            for (turns, sender) in pauses.into_iter().zip(senders) {
                pause(turns);
                // An error means that the handler is gone.
                let _ = sender.send(());
            }
        }
    }
}

/// The threads. Dropped, they end once they have done what they were given.
#[derive(Debug)]
pub(crate) struct Helpers {
    queues: Vec<mpsc::Sender<Job>>,
    next: AtomicUsize,
}

impl Helpers {
    pub(crate) fn start(threads: usize) -> Self {
        let start = |_| {
            let (queue, jobs) = mpsc::channel::<Job>();
            thread::spawn(move || jobs.into_iter().for_each(Job::run));
            queue
        };
        Self {
            queues: (0..threads).map(start).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// Has another thread, of these or of the runtime, take the steps in this order.
    pub(crate) fn take(&self, steps: impl IntoIterator<Item = Step>, rng: &mut Rng) {
        let steps = steps.into_iter().map(|step| (rng.skewed(PAUSE), step));
        let job = Job::Steps(steps.collect());
        if rng.one_in(2) {
            tokio::spawn(async move { job.run() });
            return;
        }
        self.send(job);
    }

    /// Has a thread of its own take part in a rally.
    pub(crate) fn rally(&self, rally: Rally) {
        self.send(Job::Rally(rally));
    }

    fn send(&self, job: Job) {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.queues.len();
        // A thread ends only when the queues are dropped.
        drop(self.queues[next].send(job));
    }
}
