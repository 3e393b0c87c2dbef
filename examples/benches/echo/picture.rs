//! The figures as pictures.

use sctp_tools::{
    format::{count, rate},
    plot::{
        bars::{self, Bar, Bars, Panel},
        lines::{self, Curve, Lines, Scale},
        spans::{self, Span, Spans},
        text::{nanoseconds, plain},
    },
};

use crate::{arena::Figures, contestants::Kind, report::load, support::Case};

/// Messages in a second, one panel for each load.
pub(crate) fn bars(heading: &str, figures: &[Figures]) -> String {
    let panel = |case: Case| Panel {
        name: load(case),
        bars: figures
            .iter()
            .filter(|one| one.case == case)
            .map(bar)
            .collect(),
    };
    bars::svg(&Bars {
        title: "Echoes per second".to_owned(),
        subtitle: heading.to_owned(),
        columns: 3,
        panels: cases(figures).into_iter().map(panel).collect(),
    })
}

/// From a message to its echo, one panel for each load.
pub(crate) fn latencies(heading: &str, figures: &[Figures]) -> String {
    let span = |one: &Figures| Span {
        name: one.server.to_owned(),
        values: one.medians.as_ref().map_or([f64::NAN; 3], |medians| {
            medians.latency.map(|time| time.as_secs_f64() * 1e9)
        }),
        kind: kind(one),
    };
    let panel = |case: Case| {
        let here = figures.iter().filter(|one| one.case == case);
        (load(case), here.map(span).collect())
    };
    spans::svg(&Spans {
        title: "From a message to its echo: median, p99 and p99.9 (logarithmic)".to_owned(),
        subtitle: heading.to_owned(),
        columns: 3,
        panels: cases(figures).into_iter().map(panel).collect(),
        show: nanoseconds,
    })
}

/// The loads, in their order.
fn cases(figures: &[Figures]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for one in figures {
        if !cases.contains(&one.case) {
            cases.push(one.case);
        }
    }
    cases
}

/// Index of the color.
fn kind(one: &Figures) -> usize {
    match one.kind {
        Kind::Ours => 0,
        Kind::C => 5,
        Kind::Peer => 3,
        Kind::Tcp => 2,
    }
}

fn bar(one: &Figures) -> Bar {
    let medians = one.medians.as_ref().ok();
    Bar {
        name: one.server.to_owned(),
        value: medians.map_or(0.0, |medians| medians.rate),
        label: medians.map_or("-".to_owned(), |medians| rate(medians.rate)),
        kind: kind(one),
    }
}

/// Cost of a message over the number of associations.
pub(crate) fn scale(heading: &str, figures: &[Figures], in_flight: usize) -> String {
    let mut curves: Vec<Curve> = Vec::new();
    for one in figures {
        let Ok(medians) = &one.medians else { continue };
        let point = (one.case.associations as f64, 1e9 / medians.rate);
        match curves.iter_mut().find(|curve| curve.name == one.server) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve {
                name: one.server.to_owned(),
                points: vec![point],
            }),
        }
    }
    lines::svg(&Lines {
        title: format!("What an echo of 64 B costs, {in_flight} in flight on each association"),
        subtitle: heading.to_owned(),
        x: Scale {
            name: "associations",
            is_log: true,
            show: |value| match value {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a number of associations"
                )]
                value if value >= 1.0 => count(value as u64),
                value => plain(value),
            },
        },
        y: Scale {
            name: "time for an echo, client and server (logarithmic)",
            is_log: true,
            show: nanoseconds,
        },
        curves,
    })
}
