//! Everything that the tasks and threads of a run share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    book::Book,
    callers::Askers,
    fault::{Faults, Kind},
    helpers::Helpers,
    ledger::Ledger,
    outcome::{CALLS, Tally},
    payload::Request,
    watch::Watch,
    work::Work,
};

/// The shared state of a run.
#[derive(Debug)]
pub(crate) struct Run {
    seed: u64,
    pub(crate) watch: Watch,
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    pub(crate) book: Book,
    pub(crate) tally: Tally,
    pub(crate) helpers: Helpers,
    pub(crate) askers: Askers,
    over: CancellationToken,
    /// No client is left: servers end. Until then, calls may wait for one.
    deserted: CancellationToken,
    pushers: AtomicU32,
}

impl Run {
    pub(crate) fn new(seed: u64, threads: usize, callers: u32) -> Arc<Self> {
        Arc::new(Self {
            seed,
            watch: Watch::default(),
            faults: Faults::default(),
            ledger: Ledger::new(callers),
            book: Book::default(),
            tally: Tally::default(),
            helpers: Helpers::start(threads),
            askers: Askers::default(),
            over: CancellationToken::new(),
            deserted: CancellationToken::new(),
            pushers: AtomicU32::new(0),
        })
    }

    /// A number that no pusher had before.
    pub(crate) fn next_pusher(&self) -> u32 {
        self.pushers.fetch_add(1, Ordering::Relaxed)
    }

    /// Reports that a request was lost, or something else happened to it that may not.
    pub(crate) fn lost(&self, request: &Request, wrong: &str) {
        let kind = Work::of(request).name();
        let (caller, number) = (request.caller, request.number);
        let state = self.ledger.state(caller, number);
        let line = format!("{kind} {number} of caller {caller}: {wrong} ({state})");
        self.faults.add(Kind::Lost, line);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Has everything but servers end.
    pub(crate) fn end(&self) {
        self.over.cancel();
    }

    /// Has servers end.
    pub(crate) fn desert(&self) {
        self.deserted.cancel();
    }

    /// Waits until no client is left.
    pub(crate) async fn deserted(&self) {
        self.deserted.cancelled().await;
    }

    /// Waits for a time, or for the end of the run.
    pub(crate) async fn pause(&self, time: Duration) {
        let _ = timeout(time, self.over.cancelled()).await;
    }

    /// Prints what was done and found. Returns `true` if nothing is wrong.
    pub(crate) fn report(&self) -> bool {
        let counts = self.tally.counts();
        for (kind, count) in &counts {
            println!("{count:>12} {kind}");
        }
        for line in self.faults.lines() {
            println!("{line}");
        }
        if self.faults.any() {
            println!("found with --seed {}", self.seed);
        }
        let calls = counts.iter().filter(|(kind, _)| kind.starts_with(CALLS));
        let calls: u64 = calls.map(|(_, count)| count).sum();
        let (pushes, hung, lost) = (self.book.pushes(), self.faults.hung(), self.faults.lost());
        println!("{calls} calls, {pushes} pushes, {hung} hung, {lost} lost");
        calls > 0 && pushes > 0 && hung == 0 && lost == 0
    }
}
