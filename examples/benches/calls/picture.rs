//! The latencies as a picture.

use std::time::Duration;

use sctp_tools::plot::bars::{self, Bar, Bars, Panel};

use crate::{
    contestants::Way,
    latency::{Figures, Network, time},
};

type Figure = fn(&Figures) -> Duration;

/// A panel for each network and figure.
pub(crate) fn svg(heading: &str, figures: &[Figures]) -> String {
    let columns: [(&str, Figure); 3] = [
        ("alone, median", |one| one.alone),
        ("beside, median", |one| one.p50),
        ("beside, 99 %", |one| one.p99),
    ];
    let mut panels = Vec::new();
    for network in [Network::Link, Network::Loopback] {
        for (name, figure) in columns {
            panels.push(Panel {
                name: format!("{}: {name}", network.name()),
                bars: figures
                    .iter()
                    .filter(|one| one.network == network)
                    .map(|one| bar(one.way, figure(one)))
                    .collect(),
            });
        }
    }
    bars::svg(&Bars {
        title: "How long a short call takes while another is answered with 1 MiB".to_owned(),
        subtitle: heading.to_owned(),
        columns: 3,
        panels,
    })
}

fn bar(way: Way, figure: Duration) -> Bar {
    Bar {
        name: way.name().to_owned(),
        value: figure.as_secs_f64(),
        label: time(figure),
        kind: match way {
            Way::Interleaved | Way::RoundRobin | Way::Streams => 0,
            Way::OneStream => 3,
            Way::Tcp => 2,
        },
    }
}
