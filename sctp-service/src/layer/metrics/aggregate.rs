//! Statistics of several associations or paths in one time series.

use std::time::Duration;

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};
use sctp_core::options::{AssocStats, PathInfo, PathState};

use crate::TransportStats;

/// A counter of the kernel, and its name and description.
type KernelCounter = (&'static str, &'static str, fn(&mut AssocStats) -> &mut u64);

const COUNTERS: [KernelCounter; 11] = [
    (
        "sctp_transport_packets_sent_total",
        "Packets sent.",
        |stats| &mut stats.packets_sent,
    ),
    (
        "sctp_transport_packets_received_total",
        "Packets received.",
        |stats| &mut stats.packets_received,
    ),
    (
        "sctp_transport_retransmitted_chunks_total",
        "DATA chunks sent again.",
        |stats| &mut stats.retransmitted_chunks,
    ),
    (
        "sctp_transport_duplicate_chunks_total",
        "DATA chunks received more than once.",
        |stats| &mut stats.duplicate_chunks_received,
    ),
    (
        "sctp_transport_out_of_sequence_chunks_total",
        "DATA chunks received out of sequence.",
        |stats| &mut stats.out_of_sequence_tsns,
    ),
    (
        "sctp_transport_gap_acks_received_total",
        "Gap reports received.",
        |stats| &mut stats.gap_acks_received,
    ),
    (
        "sctp_transport_ordered_chunks_sent_total",
        "Ordered DATA chunks sent.",
        |stats| &mut stats.ordered_chunks_sent,
    ),
    (
        "sctp_transport_ordered_chunks_received_total",
        "Ordered DATA chunks received.",
        |stats| &mut stats.ordered_chunks_received,
    ),
    (
        "sctp_transport_unordered_chunks_sent_total",
        "Unordered DATA chunks sent.",
        |stats| &mut stats.unordered_chunks_sent,
    ),
    (
        "sctp_transport_unordered_chunks_received_total",
        "Unordered DATA chunks received.",
        |stats| &mut stats.unordered_chunks_received,
    ),
    (
        "sctp_transport_control_chunks_sent_total",
        "Control chunks sent.",
        |stats| &mut stats.control_chunks_sent,
    ),
];

/// Labels of the states of paths.
const PATH_STATES: [&str; 5] = [
    "active",
    "inactive",
    "potentially_failed",
    "unconfirmed",
    "other",
];

/// Returns the place of a state in [`PATH_STATES`].
fn index_of(state: PathState) -> usize {
    match state {
        PathState::Active => 0,
        PathState::Inactive => 1,
        PathState::PotentiallyFailed => 2,
        PathState::Unconfirmed => 3,
        _ => 4,
    }
}

/// Associations with the same label.
#[derive(Default)]
pub(super) struct AssociationGroup {
    associations: u32,
    unacknowledged_chunks: u32,
    unread_chunks: u32,
    min_peer_window: Option<u32>,
    max_silence: Option<Duration>,
    /// Growth of the counters since the last collection.
    growth: AssocStats,
}

impl AssociationGroup {
    /// Adds an association, with its counters at the last collection, which become those of now.
    pub(super) fn add(
        &mut self,
        stats: &TransportStats,
        last: &mut TransportStats,
        silence: Duration,
    ) {
        self.associations += 1;
        self.unacknowledged_chunks += u32::from(stats.status.unacknowledged_chunks);
        self.unread_chunks += u32::from(stats.status.pending_chunks);
        let window = stats.status.peer_window;
        self.min_peer_window = Some(self.min_peer_window.map_or(window, |min| min.min(window)));
        self.max_silence = self.max_silence.max(Some(silence));
        let mut now = stats.counters.clone();
        for (_, _, field) in COUNTERS {
            let (now, last) = (*field(&mut now), field(&mut last.counters));
            *field(&mut self.growth) += now.saturating_sub(*last);
            // Another collection may have been earlier, and be reported later.
            *last = now.max(*last);
        }
    }

    pub(super) fn record(mut self, peer: Option<String>) {
        let labels: Vec<_> = peer
            .map(|peer| Label::new("peer", peer))
            .into_iter()
            .collect();
        let gauges = [
            ("sctp_transport_associations", f64::from(self.associations)),
            (
                "sctp_transport_unacknowledged_chunks",
                f64::from(self.unacknowledged_chunks),
            ),
            (
                "sctp_transport_unread_chunks",
                f64::from(self.unread_chunks),
            ),
            (
                "sctp_transport_min_peer_window_bytes",
                self.min_peer_window.map_or(f64::NAN, f64::from),
            ),
            (
                "sctp_transport_max_silence_seconds",
                seconds(self.max_silence),
            ),
        ];
        for (name, value) in gauges {
            gauge!(name, labels.iter()).set(value);
        }
        for (name, _, field) in COUNTERS {
            counter!(name, labels.iter()).increment(*field(&mut self.growth));
        }
    }
}

/// Paths with the same labels.
#[derive(Default)]
pub(super) struct PathGroup {
    states: [u32; PATH_STATES.len()],
    active: u32,
    rtt: Duration,
    max_rtt: Option<Duration>,
    max_rto: Option<Duration>,
    congestion_window: f64,
    min_congestion_window: Option<u32>,
    min_mtu: Option<u32>,
}

impl PathGroup {
    pub(super) fn add(&mut self, path: &PathInfo) {
        self.states[index_of(path.state)] += 1;
        if path.state != PathState::Active {
            return;
        }
        let smaller = |min: Option<u32>, value: u32| Some(min.map_or(value, |min| min.min(value)));
        self.active += 1;
        self.rtt += path.smoothed_rtt;
        self.max_rtt = self.max_rtt.max(Some(path.smoothed_rtt));
        self.max_rto = self.max_rto.max(Some(path.retransmission_timeout));
        self.congestion_window += f64::from(path.congestion_window);
        self.min_congestion_window = smaller(self.min_congestion_window, path.congestion_window);
        self.min_mtu = smaller(self.min_mtu, path.mtu);
    }

    pub(super) fn record(self, path: Option<(String, String)>) {
        let mut labels = Vec::new();
        if let Some((peer, path)) = path {
            labels = vec![Label::new("peer", peer), Label::new("path", path)];
        }
        for (count, state) in self.states.into_iter().zip(PATH_STATES) {
            let mut labels = labels.clone();
            labels.push(Label::new("state", state));
            gauge!("sctp_transport_paths", labels).set(f64::from(count));
        }
        // Not a number if there are none.
        let active = f64::from(self.active);
        let gauges = [
            (
                "sctp_transport_mean_rtt_seconds",
                self.rtt.as_secs_f64() / active,
            ),
            ("sctp_transport_max_rtt_seconds", seconds(self.max_rtt)),
            (
                "sctp_transport_max_retransmission_timeout_seconds",
                seconds(self.max_rto),
            ),
            (
                "sctp_transport_mean_congestion_window_bytes",
                self.congestion_window / active,
            ),
            (
                "sctp_transport_min_congestion_window_bytes",
                self.min_congestion_window.map_or(f64::NAN, f64::from),
            ),
            (
                "sctp_transport_min_path_mtu_bytes",
                self.min_mtu.map_or(f64::NAN, f64::from),
            ),
        ];
        for (name, value) in gauges {
            gauge!(name, labels.iter()).set(value);
        }
    }
}

fn seconds(duration: Option<Duration>) -> f64 {
    duration.map_or(f64::NAN, |duration| duration.as_secs_f64())
}

pub(super) fn describe() {
    for (name, text, _) in COUNTERS {
        describe_counter!(name, Unit::Count, text);
    }
    for (name, unit, text) in [
        (
            "sctp_transport_associations",
            Unit::Count,
            "Associations whose statistics were read.",
        ),
        (
            "sctp_transport_unacknowledged_chunks",
            Unit::Count,
            "DATA chunks sent and not acknowledged.",
        ),
        (
            "sctp_transport_unread_chunks",
            Unit::Count,
            "DATA chunks received and not read.",
        ),
        (
            "sctp_transport_min_peer_window_bytes",
            Unit::Bytes,
            "Smallest receive window of a peer.",
        ),
        (
            "sctp_transport_max_silence_seconds",
            Unit::Seconds,
            "Longest time since the last message of a peer.",
        ),
        ("sctp_transport_paths", Unit::Count, "Paths, by state."),
        (
            "sctp_transport_mean_rtt_seconds",
            Unit::Seconds,
            "Mean of the smoothed round-trip times of active paths.",
        ),
        (
            "sctp_transport_max_rtt_seconds",
            Unit::Seconds,
            "Longest smoothed round-trip time of an active path.",
        ),
        (
            "sctp_transport_max_retransmission_timeout_seconds",
            Unit::Seconds,
            "Longest retransmission timeout of an active path.",
        ),
        (
            "sctp_transport_mean_congestion_window_bytes",
            Unit::Bytes,
            "Mean of the congestion windows of active paths.",
        ),
        (
            "sctp_transport_min_congestion_window_bytes",
            Unit::Bytes,
            "Smallest congestion window of an active path.",
        ),
        (
            "sctp_transport_min_path_mtu_bytes",
            Unit::Bytes,
            "Smallest MTU of an active path.",
        ),
    ] {
        describe_gauge!(name, unit, text);
    }
}
