//! Watches over everything that is pending.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    fault::{Faults, Kind},
    ledger::Ledger,
};

/// The longest time that something may be pending while the rest makes progress.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest time without any progress. The machine may be busy with other things.
const STANDSTILL: Duration = Duration::from_secs(60);
/// The pause between two looks.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);
/// The looks that fit into the limit.
const LOOKS: u64 = 50;

/// The server and association that something happens on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    /// `None` if it is one that a pool chooses, or that has no number.
    pub(crate) server: Option<u16>,
    /// `None` if there is none, or it is not known.
    pub(crate) assoc: Option<i32>,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server {
            Some(server) => write!(f, "server {server}")?,
            None => f.write_str("a server without a number")?,
        }
        match self.assoc {
            Some(assoc) => write!(f, ", association {assoc}"),
            None => f.write_str(", no association yet"),
        }
    }
}

/// Something that is pending.
#[derive(Clone, Copy, Debug)]
struct Pending {
    kind: &'static str,
    at: At,
    /// Sequence number within its slot.
    number: u64,
    since: Instant,
    /// The looks that had seen progress by then.
    looks: u64,
}

/// The activities of one task, one after another.
#[derive(Debug)]
pub(crate) struct Slot {
    name: String,
    /// Its number, if it is a caller's.
    caller: Option<u32>,
    state: Mutex<State>,
    watch: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct State {
    pending: Option<Pending>,
    finished: u64,
    reported: bool,
}

impl Slot {
    /// Awaits something that must not be pending for long.
    pub(crate) async fn during<F: Future>(
        &self,
        kind: &'static str,
        at: At,
        number: u64,
        future: F,
    ) -> F::Output {
        self.begin(kind, at, number);
        let _end = End(self);
        future.await
    }

    fn begin(&self, kind: &'static str, at: At, number: u64) {
        let looks = self.watch.load(Ordering::Relaxed);
        let mut state = self.lock();
        state.pending = Some(Pending {
            kind,
            at,
            number,
            since: Instant::now(),
            looks,
        });
        state.reported = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes the end of what is pending, however it ends.
struct End<'a>(&'a Slot);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.pending = None;
        state.finished += 1;
    }
}

/// All slots.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    slots: Mutex<Vec<Arc<Slot>>>,
    looks: Arc<AtomicU64>,
}

impl Watch {
    /// Adds a slot for a task.
    pub(crate) fn slot(&self, name: impl Into<String>) -> Arc<Slot> {
        self.add(name.into(), None)
    }

    /// Adds a slot for a caller.
    pub(crate) fn caller(&self, caller: u32) -> Arc<Slot> {
        self.add(format!("caller {caller}"), Some(caller))
    }

    fn add(&self, name: String, caller: Option<u32>) -> Arc<Slot> {
        let slot = Arc::new(Slot {
            name,
            caller,
            state: Mutex::default(),
            watch: Arc::clone(&self.looks),
        });
        self.lock().push(Arc::clone(&slot));
        slot
    }

    /// The looks that have seen progress: a clock that stands still while nothing gets done.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Returns `true` if something that began at this look is overdue.
    pub(crate) fn is_overdue(&self, looks: u64) -> bool {
        self.looks() >= looks + LOOKS
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks again and again.
#[derive(Debug)]
pub(crate) struct Look {
    finished: u64,
    progressed: Instant,
}

impl Look {
    pub(crate) fn new() -> Self {
        Self {
            finished: 0,
            progressed: Instant::now(),
        }
    }

    /// Reports what hangs.
    pub(crate) fn look(&mut self, watch: &Watch, ledger: &Ledger, faults: &Faults) {
        let slots = watch.lock().clone();
        let finished = slots.iter().map(|slot| slot.lock().finished).sum();
        if finished > self.finished {
            self.progressed = Instant::now();
            watch.looks.fetch_add(1, Ordering::Relaxed);
        }
        self.finished = finished;
        let stands_still = self.progressed.elapsed() > STANDSTILL;
        for slot in &slots {
            let mut state = slot.lock();
            let Some(pending) = state.pending else {
                continue;
            };
            let overdue = watch.is_overdue(pending.looks) && pending.since.elapsed() > LIMIT;
            if (overdue || stands_still) && !state.reported {
                state.reported = true;
                drop(state);
                let mut line = describe(&slot.name, &pending);
                if let Some(caller) = slot.caller {
                    line = format!("{line}, {}", ledger.state(caller, pending.number));
                }
                faults.add(Kind::Hung, line);
            }
        }
    }
}

fn describe(name: &str, pending: &Pending) -> String {
    let mut line = String::new();
    // Writing into a string cannot fail.
    let _ = write!(
        line,
        "{} {} of {name}, on {}: pending for {:?}",
        pending.kind,
        pending.number,
        pending.at,
        pending.since.elapsed()
    );
    line
}
