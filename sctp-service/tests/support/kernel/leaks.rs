//! Counts of what the process and the kernel hold.

use std::{
    fs,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{must, patience};

/// Runs a test alone in the process: descriptors and memory are counted for all of it. So a test
/// that waits for its turn has no runtime yet, since that has descriptors as well.
pub(crate) fn alone(test: impl Future<Output = ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

/// Counts that must be as before when everything is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaks {
    pub(crate) descriptors: usize,
    pub(crate) tasks: usize,
    pub(crate) associations: usize,
}

impl Leaks {
    pub(crate) fn now() -> Self {
        Self {
            descriptors: descriptors(),
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
            associations: associations(),
        }
    }

    /// Waits until no more is held than then: the kernel and aborted tasks take a moment.
    pub(crate) async fn is_back(self) {
        let back = || {
            let now = Self::now();
            now.descriptors <= self.descriptors
                && now.tasks <= self.tasks
                && now.associations <= self.associations
        };
        let waited = tokio::time::timeout(patience(), until(back)).await;
        assert!(waited.is_ok(), "{:?} is held, it was {self:?}", Self::now());
    }
}

/// Waits for a state that nothing announces.
#[track_caller]
pub(crate) fn eventually(reached: impl FnMut() -> bool) -> impl Future<Output = ()> {
    must(until(reached))
}

async fn until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Number of open file descriptors.
pub(crate) fn descriptors() -> usize {
    // Reading the folder takes one.
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Resident memory of the process, in bytes.
pub(crate) fn resident() -> usize {
    kilobytes("/proc/self/status", "VmRSS:") * 1024
}

/// Number of ends of associations in this network namespace.
pub(crate) fn associations() -> usize {
    assoc_lines().count()
}

/// Bytes that the kernel holds in the receive queues of this network namespace, with what it
/// spends on keeping them.
pub(crate) fn receive_queues() -> usize {
    assoc_lines()
        .map(|line| {
            line.split_whitespace()
                .nth(8)
                .unwrap()
                .parse::<usize>()
                .unwrap()
        })
        .sum()
}

fn assoc_lines() -> impl Iterator<Item = String> {
    let table = fs::read_to_string("/proc/thread-self/net/sctp/assocs").unwrap();
    let lines: Vec<String> = table.lines().skip(1).map(str::to_owned).collect();
    lines.into_iter()
}

/// Memory that the machine has left, in bytes, so that the kernel's own use shows.
pub(crate) fn available() -> usize {
    kilobytes("/proc/meminfo", "MemAvailable:") * 1024
}

fn kilobytes(file: &str, name: &str) -> usize {
    let lines = fs::read_to_string(file).unwrap();
    let mut values = lines.lines().filter_map(|line| line.strip_prefix(name));
    let value = values.next().unwrap().trim_end_matches("kB");
    value.trim().parse().unwrap()
}
