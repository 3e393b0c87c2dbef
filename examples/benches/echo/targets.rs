//! Targets of our servers, compared with the figures of the same run.

use serde_json::{Value, json};

use crate::{
    arena::{Figures, Medians},
    contestants::{
        ASSOCIATION, BATCH, ENDPOINT, EPOLL, OTHER_BATCH, OTHERS, SERVE, SERVE_ENDPOINT, SHARED,
        SINGLE, TEXTBOOK,
    },
    memory::Memory,
    report::{load, rate},
    support::{Case, median, table},
};

/// One target, and how one server did.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) target: String,
    pub(crate) server: &'static str,
    pub(crate) is_met: bool,
    /// Under the least favourable load; infinite or 0 if the server failed there.
    pub(crate) worst: f64,
    /// Name of the load.
    pub(crate) at: String,
    pub(crate) median: f64,
    /// Under how many loads it was met, and how many there were.
    pub(crate) loads: (usize, usize),
    /// Digits behind the point.
    pub(crate) digits: usize,
}

/// On which side of the figure to be.
#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    Below(f64),
}

struct Target {
    what: &'static str,
    servers: &'static [&'static str],
    is_for: fn(Case) -> bool,
    value: fn(&Medians, &[Figures], Case) -> Option<f64>,
    bound: Bound,
    digits: usize,
}

const BATCHES: &[&str] = &[ENDPOINT, ASSOCIATION, SERVE, SERVE_ENDPOINT];
const ALL: &[&str] = &[ENDPOINT, ASSOCIATION, SINGLE, SERVE, SERVE_ENDPOINT];
const SOCKETS: &[&str] = &[ENDPOINT, ASSOCIATION, SINGLE];

const TARGETS: &[Target] = &[
    Target {
        what: "64 in flight: 4 times the textbook's loop in C",
        servers: BATCHES,
        is_for: is_full,
        value: |one, all, case| over(one, all, &[TEXTBOOK], case),
        bound: Bound::AtLeast(4.0),
        digits: 2,
    },
    Target {
        what: "64 in flight: 0.85 of the loop in C that batches",
        servers: BATCHES,
        is_for: is_full,
        value: |one, all, case| over(one, all, &[BATCH], case),
        bound: Bound::AtLeast(0.85),
        digits: 2,
    },
    Target {
        what: "64 in flight: 0.85 of the loop in C that batches on a shared socket",
        servers: &[ENDPOINT],
        is_for: is_full,
        value: |one, all, case| over(one, all, &[SHARED], case),
        bound: Bound::AtLeast(0.85),
        digits: 2,
    },
    Target {
        what: "ping-pong: 0.95 of an epoll loop in C",
        servers: ALL,
        is_for: is_ping_pong,
        value: |one, all, case| over(one, all, &[EPOLL], case),
        bound: Bound::AtLeast(0.95),
        digits: 2,
    },
    Target {
        what: "ping-pong: 0.8 of the textbook's loop in C, which makes one call fewer",
        servers: ALL,
        is_for: is_ping_pong,
        value: |one, all, case| over(one, all, &[TEXTBOOK], case),
        bound: Bound::AtLeast(0.8),
        digits: 2,
    },
    Target {
        what: "64 in flight: 3 times the best other library, one message a call",
        servers: BATCHES,
        is_for: is_full,
        value: |one, all, case| over(one, all, OTHERS, case),
        bound: Bound::AtLeast(3.0),
        digits: 2,
    },
    Target {
        what: "64 in flight: as much as oxirush's batches",
        servers: BATCHES,
        is_for: is_full,
        value: |one, all, case| over(one, all, &[OTHER_BATCH], case),
        bound: Bound::AtLeast(1.0),
        digits: 2,
    },
    Target {
        what: "ping-pong: not below any other library",
        servers: ALL,
        is_for: is_ping_pong,
        value: |one, all, case| {
            let others: Vec<&str> = OTHERS.iter().copied().chain([OTHER_BATCH]).collect();
            over(one, all, &others, case)
        },
        bound: Bound::AtLeast(1.0),
        digits: 2,
    },
    Target {
        what: "64 in flight: below 0.2 system calls for a message",
        servers: BATCHES,
        is_for: is_full,
        value: |one, _, _| Some(one.calls),
        bound: Bound::Below(0.2),
        digits: 3,
    },
    Target {
        what: "no allocation for a message: below 1 in 1,000",
        servers: SOCKETS,
        is_for: |_| true,
        value: |one, _, _| one.allocations,
        bound: Bound::Below(0.001),
        digits: 4,
    },
];

/// Sizes of messages. Short messages cost system calls and long ones copies, so the two
/// are judged separately.
const SIZES: [(&str, usize); 2] = [("64 B, 1 KiB", 1024), ("64 KiB", 65_536)];

/// Bytes of an idle association in `serve`.
const MOST_MEMORY: f64 = 4096.0;

/// All targets of the table that something was measured for.
pub(crate) fn judge(figures: &[Figures], memory: &[(&'static str, Memory)]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for target in TARGETS {
        let mut above = 0;
        for (sizes, most) in SIZES {
            let is_of_size = |one: &&Figures| one.case.size > above && one.case.size <= most;
            let here: Vec<&Figures> = figures.iter().filter(is_of_size).collect();
            above = most;
            let judged = target.servers.iter();
            verdicts.extend(judged.filter_map(|one| target.judge(one, sizes, &here, figures)));
        }
    }
    for (server, memory) in memory.iter().filter(|(server, _)| *server == SERVE) {
        for (what, bytes) in [("unused", memory.unused), ("after echoes", memory.used)] {
            verdicts.push(Verdict {
                target: format!("an idle association below 4 KiB of memory, {what}"),
                server,
                is_met: bytes < MOST_MEMORY,
                worst: bytes,
                at: "-".to_owned(),
                median: bytes,
                loads: (usize::from(bytes < MOST_MEMORY), 1),
                digits: 0,
            });
        }
    }
    verdicts
}

impl Target {
    /// Nothing if the figures do not tell.
    fn judge(
        &self,
        server: &'static str,
        sizes: &str,
        figures: &[&Figures],
        all: &[Figures],
    ) -> Option<Verdict> {
        let values: Vec<(f64, Case)> = figures
            .iter()
            .filter(|one| one.server == server && (self.is_for)(one.case))
            .filter_map(|one| {
                let value = match &one.medians {
                    Ok(medians) => (self.value)(medians, all, one.case)?,
                    Err(_) => self.bound.failure(),
                };
                Some((value, one.case))
            })
            .collect();
        let worst = |one: &&(f64, Case), other: &&(f64, Case)| self.bound.order(one.0, other.0);
        let (worst, at) = *values.iter().min_by(worst)?;
        let met = values.iter().filter(|(value, _)| self.bound.holds(*value));
        let loads = (met.count(), values.len());
        Some(Verdict {
            target: format!("{} ({sizes})", self.what),
            server,
            is_met: loads.0 == loads.1,
            worst,
            at: load(at),
            median: median(values.iter().map(|(value, _)| *value)),
            loads,
            digits: self.digits,
        })
    }
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::Below(bound) => value < bound,
        }
    }

    /// The least favourable comes first.
    fn order(self, one: f64, other: f64) -> std::cmp::Ordering {
        match self {
            Self::AtLeast(_) => one.total_cmp(&other),
            Self::Below(_) => other.total_cmp(&one),
        }
    }

    /// Returns the figure of a server that did not serve.
    fn failure(self) -> f64 {
        match self {
            Self::AtLeast(_) => 0.0,
            Self::Below(_) => f64::INFINITY,
        }
    }
}

fn is_ping_pong(case: Case) -> bool {
    case.in_flight == 1
}

fn is_full(case: Case) -> bool {
    case.in_flight == 64
}

/// The rate over that of the best of these others.
fn over(one: &Medians, all: &[Figures], others: &[&str], case: Case) -> Option<f64> {
    let rates = others.iter().filter_map(|other| rate(all, other, case));
    let best = rates.fold(0.0, f64::max);
    (best > 0.0).then(|| one.rate / best)
}

/// A line for each.
pub(crate) fn text(verdicts: &[Verdict]) -> String {
    let heading = [
        "target", "server", "verdict", "loads", "median", "worst", "under",
    ];
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .map(|one| {
            let digits = one.digits;
            vec![
                one.target.clone(),
                one.server.to_owned(),
                if one.is_met { "PASS" } else { "MISSED" }.to_owned(),
                format!("{} of {}", one.loads.0, one.loads.1),
                format!("{:.digits$}", one.median),
                format!("{:.digits$}", one.worst),
                one.at.clone(),
            ]
        })
        .collect();
    let passed = verdicts.iter().filter(|one| one.is_met).count();
    format!(
        "Targets, met when they are under every load; the worst is under the least favourable:\n\n{}\n\
         {passed} of {} met.\n",
        table::format(&heading, &rows),
        verdicts.len()
    )
}

/// The same for programs.
pub(crate) fn json(verdicts: &[Verdict]) -> Value {
    let verdicts = verdicts.iter().map(|one| {
        json!({
            "target": one.target,
            "server": one.server,
            "verdict": if one.is_met { "PASS" } else { "MISSED" },
            "worst": one.worst,
            "under": one.at,
            "median": one.median,
            "loads_met": one.loads.0,
            "loads": one.loads.1,
        })
    });
    verdicts.collect()
}
