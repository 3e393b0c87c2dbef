//! Instruments of associations.

use std::fmt;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use sctp_core::PeerAddrChangeState;
use sctp_tokio::{End, Side};

use crate::{Counts, ServerEvent};

/// Counts what happens to associations, from the events of a server. It does nothing to them.
///
/// The guide [`observability`](crate::guide::observability) has a table of what it records.
pub struct AssociationMetrics {
    associations: Gauge,
    established: Counter,
    refused: Counter,
    restarted: Counter,
}

impl AssociationMetrics {
    /// Registers its metrics with the recorder that is installed now.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            associations: gauge!("sctp_associations"),
            established: counter!("sctp_associations_established_total"),
            refused: counter!("sctp_associations_refused_total"),
            restarted: counter!("sctp_associations_restarted_total"),
        }
    }

    /// Records an event; for [`Serve::on_event`](crate::Serve::on_event). Events come seldom, so
    /// those with labels ask the recorder of the thread each time.
    pub fn record(&self, event: &ServerEvent<'_>) {
        match event {
            ServerEvent::Up { .. } => {
                self.established.increment(1);
                self.associations.increment(1);
            }
            ServerEvent::Closed { end, counts, .. } => {
                self.associations.decrement(1);
                counter!("sctp_associations_closed_total", "cause" => end_label(end)).increment(1);
                discarded(counts);
            }
            ServerEvent::Open { .. } => {}
            ServerEvent::Refused { .. } => self.refused.increment(1),
            ServerEvent::Restarted { .. } => self.restarted.increment(1),
            ServerEvent::PathChanged { change, .. } => {
                counter!("sctp_path_changes_total", "state" => path_label(change.state))
                    .increment(1);
            }
            ServerEvent::Panicked { .. } => failure("panic"),
            ServerEvent::ReplyRefused { .. } => failure("reply"),
            ServerEvent::SendRefused { .. } => failure("send"),
            ServerEvent::HeldBack { .. } => counter!("sctp_calls_held_back_total").increment(1),
            ServerEvent::ReceiveFailed { .. } => failure("receive"),
            ServerEvent::AcceptFailed { .. } => failure("accept"),
            ServerEvent::ConnectFailed { .. } => failure("connect"),
        }
    }
}

impl Default for AssociationMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AssociationMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssociationMetrics").finish_non_exhaustive()
    }
}

fn failure(kind: &'static str) {
    counter!("sctp_failures_total", "kind" => kind).increment(1);
}

fn discarded(counts: &Counts) {
    for (kind, count) in [
        ("request", counts.discarded_requests),
        ("reply", counts.discarded_replies),
        ("call", counts.dropped_calls),
        ("send", counts.discarded_sends),
    ] {
        if count > 0 {
            counter!("sctp_discarded_total", "kind" => kind).increment(count);
        }
    }
}

/// Labels an end.
pub(crate) fn end_label(end: &End) -> &'static str {
    match end {
        End::Shutdown { by: Side::Local } => "shutdown",
        End::Shutdown { by: Side::Peer } => "peer_shutdown",
        End::Aborted {
            by: Side::Local, ..
        } => "abort",
        End::Aborted { by: Side::Peer, .. } => "peer_abort",
        End::Lost { .. } => "lost",
        _ => "other",
    }
}

/// Labels the state of a path.
pub(crate) fn path_label(state: PeerAddrChangeState) -> &'static str {
    match state {
        PeerAddrChangeState::Available => "available",
        PeerAddrChangeState::Unreachable => "unreachable",
        PeerAddrChangeState::Removed => "removed",
        PeerAddrChangeState::Added => "added",
        PeerAddrChangeState::MadePrimary => "made_primary",
        PeerAddrChangeState::Confirmed => "confirmed",
        PeerAddrChangeState::PotentiallyFailed => "potentially_failed",
        _ => "other",
    }
}

fn describe() {
    let counters = [
        (
            "sctp_associations_established_total",
            "Associations that were established.",
        ),
        (
            "sctp_associations_closed_total",
            "Associations that are closed, by cause.",
        ),
        (
            "sctp_associations_refused_total",
            "Associations that were refused, since there were too many.",
        ),
        ("sctp_associations_restarted_total", "Restarts of peers."),
        (
            "sctp_path_changes_total",
            "Changes of paths, by their new state.",
        ),
        (
            "sctp_discarded_total",
            "Messages and calls that the end of an association cut off, by kind.",
        ),
        ("sctp_failures_total", "Failures, by kind."),
        (
            "sctp_calls_held_back_total",
            "Times that calls waited behind too many requests.",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(name, Unit::Count, text);
    }
    describe_gauge!(
        "sctp_associations",
        Unit::Count,
        "Associations that are established."
    );
}
