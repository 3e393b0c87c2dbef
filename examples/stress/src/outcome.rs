//! Counts of calls and associations by the way they ended.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use sctp_service::{CallError, Cause, End, Side};

/// A counter for each kind.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    pub(crate) fn add(&self, kind: &'static str, count: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(kind).or_default() += count;
    }

    /// Adds what one task has counted by itself.
    pub(crate) fn merge(&self, counts: BTreeMap<&'static str, u64>) {
        for (kind, count) in counts {
            self.add(kind, count);
        }
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The prefix of the kinds that count calls.
pub(crate) const CALLS: &str = "calls ";

pub(crate) const ANSWERED: &str = "calls answered";
pub(crate) const DROPPED: &str = "calls dropped by their caller";

/// The kind of a failed call; `None` if nothing in a run can cause such a failure.
pub(crate) fn of_error(error: &CallError) -> Option<&'static str> {
    Some(match error.cause() {
        Cause::Aborted(_) => "calls failed: aborted",
        Cause::Closed => "calls failed: closed",
        Cause::Lost(_) => "calls failed: lost",
        Cause::NotConnected(_) => "calls failed: not connected",
        Cause::Restarted => "calls failed: restarted",
        Cause::ShutDown => "calls failed: shut down",
        Cause::Unavailable(_) => "calls failed: unavailable",
        _ => return None,
    })
}

/// The kind of an end that a server saw.
pub(crate) fn of_end(end: &End) -> &'static str {
    match end {
        End::Shutdown { by: Side::Local } => "associations shut down by the server",
        End::Shutdown { by: Side::Peer } => "associations shut down by the client",
        End::Aborted {
            by: Side::Local, ..
        } => "associations aborted by the server",
        End::Aborted { by: Side::Peer, .. } => "associations aborted by the client",
        End::Lost { .. } => "associations lost",
        _ => "associations ended otherwise",
    }
}
