//! The figures as pictures.

use sctp_examples::{
    format::{count, rate},
    plot::{
        bars::{self, Bar, Bars, Panel},
        lines::{self, Curve, Lines, Scale},
        text::{nanoseconds, plain},
    },
};

use crate::{arena::Figures, contestants::Kind, report::load, support::Case};

/// Messages in a second, one panel for each load.
pub(crate) fn bars(heading: &str, figures: &[Figures]) -> String {
    let mut cases: Vec<Case> = Vec::new();
    for one in figures {
        if !cases.contains(&one.case) {
            cases.push(one.case);
        }
    }
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
        panels: cases.into_iter().map(panel).collect(),
    })
}

fn bar(one: &Figures) -> Bar {
    let medians = one.medians.as_ref().ok();
    Bar {
        name: one.server.to_owned(),
        value: medians.map_or(0.0, |medians| medians.rate),
        label: medians.map_or("-".to_owned(), |medians| rate(medians.rate)),
        kind: match one.kind {
            Kind::Ours => 0,
            Kind::C => 5,
            Kind::Peer => 3,
            Kind::Tcp => 2,
        },
    }
}

/// What a message costs, over the number of associations.
pub(crate) fn scale(heading: &str, figures: &[Figures]) -> String {
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
        title: "What an echo costs, one in flight on each association".to_owned(),
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
