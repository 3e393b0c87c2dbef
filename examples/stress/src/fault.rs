//! The faults that a run has found.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// The most faults that are listed; all are counted.
const LISTED: usize = 40;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Still pending while the rest makes progress.
    Hung,
    /// Lost, done twice, or mistaken for another.
    Lost,
}

/// All faults of a run. The first one ends it.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    hung: AtomicU64,
    lost: AtomicU64,
    found: AtomicBool,
    lines: Mutex<Vec<String>>,
}

impl Faults {
    pub(crate) fn add(&self, kind: Kind, line: impl Into<String>) {
        let (count, name) = match kind {
            Kind::Hung => (&self.hung, "HUNG"),
            Kind::Lost => (&self.lost, "LOST"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LISTED {
            lines.push(format!("{name}: {}", line.into()));
        }
        drop(lines);
        self.found.store(true, Ordering::Release);
    }

    pub(crate) fn any(&self) -> bool {
        self.found.load(Ordering::Acquire)
    }

    pub(crate) fn hung(&self) -> u64 {
        self.hung.load(Ordering::Relaxed)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
