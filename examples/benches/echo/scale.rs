//! From one association to ten thousand.

use std::error::Error;

use crate::{
    arena::{Arena, Figures},
    args::Args,
    contestants::{ASSOCIATION, ENDPOINT, ENDPOINT_OWN, SERVE},
    draw, picture, report, save,
    support::{Case, table},
    targets::{self, Verdict},
};

/// Limit on the growth of the cost of a message.
const FLAT: f64 = 1.25;
/// Up to how many associations.
const UNTIL: usize = 1_000;

pub(crate) fn run(args: &Args, arena: &mut Arena, heading: &str) -> Result<(), Box<dyn Error>> {
    let figures = arena.measure_all();
    let memory = arena.memory();
    let mut verdicts: Vec<Verdict> = [ENDPOINT, ENDPOINT_OWN, ASSOCIATION, SERVE]
        .into_iter()
        .flat_map(|server| in_flight(args).into_iter().map(move |many| (server, many)))
        .filter_map(|(server, many)| flatness(&figures, server, many))
        .collect();
    verdicts.extend(targets::judge(&[], &memory));
    let mut text = [costs(&figures, args), report::memory(&memory, args.idle)].join("\n");
    let most = args.cases.iter().max_by_key(|case| case.associations);
    if let Some(case) = most.copied() {
        let drained = arena.drain(SERVE, case);
        verdicts.push(Verdict {
            target: format!("{} establish, echo and drain", report::load(case)),
            server: SERVE,
            is_met: drained.is_some(),
            worst: drained.map_or(f64::INFINITY, |[_, draining]| draining.as_secs_f64()),
            at: "s to drain".to_owned(),
            median: drained.map_or(f64::INFINITY, |[_, draining]| draining.as_secs_f64()),
            loads: (usize::from(drained.is_some()), 1),
            digits: 2,
        });
        if let Some([connecting, draining]) = drained {
            text += &format!(
                "\n`{SERVE}`, {} associations: all up in {}, each echoed, and all shut down in \
                 order {} after SIGTERM.\n",
                case.associations,
                report::time(connecting),
                report::time(draining)
            );
        }
    }
    text += &format!("\n{}", targets::text(&verdicts));
    print!("{text}");
    let json = report::json(heading, &figures, &memory, &verdicts)?;
    save("scale", &format!("{heading}\n\n{text}"), &json)?;
    for many in in_flight(args) {
        let figures: Vec<Figures> = of(&figures, many).cloned().collect();
        let svg = picture::scale(heading, &figures, many);
        draw(&format!("scale-{many}"), &svg)?;
    }
    Ok(())
}

/// The loads' numbers of messages in flight.
fn in_flight(args: &Args) -> Vec<usize> {
    let mut all: Vec<usize> = args.cases.iter().map(|case| case.in_flight).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn of(figures: &[Figures], in_flight: usize) -> impl Iterator<Item = &Figures> {
    let is_wanted = move |one: &&Figures| one.case.in_flight == in_flight;
    figures.iter().filter(is_wanted)
}

/// Growth of the cost of a message, relative to the fewest associations.
fn flatness(figures: &[Figures], server: &'static str, in_flight: usize) -> Option<Verdict> {
    let costs: Vec<(f64, Case)> = of(figures, in_flight)
        .filter(|one| one.server == server && one.case.associations <= UNTIL)
        .map(|one| {
            let cost = one.medians.as_ref().map(|medians| 1.0 / medians.rate);
            (cost.unwrap_or(f64::INFINITY), one.case)
        })
        .collect();
    let (first, _) = *costs.first()?;
    let ratios: Vec<(f64, Case)> = costs[1..]
        .iter()
        .map(|(cost, case)| (cost / first, *case))
        .collect();
    let (worst, at) = *ratios
        .iter()
        .max_by(|one, other| one.0.total_cmp(&other.0))?;
    let met = ratios.iter().filter(|(ratio, _)| *ratio <= FLAT).count();
    Some(Verdict {
        target: format!(
            "{in_flight} in flight: up to 1,000 associations a message is at most 1.25 times as \
             dear as with one"
        ),
        server,
        is_met: met == ratios.len(),
        worst,
        at: report::load(at),
        median: crate::support::median(ratios.iter().map(|(ratio, _)| *ratio)),
        loads: (met, ratios.len()),
        digits: 2,
    })
}

/// A row for each server and number of associations, with the cost of a message as a ratio to
/// that of the first.
fn costs(figures: &[Figures], args: &Args) -> String {
    let heading = [
        "server",
        "in flight",
        "associations",
        "messages/s",
        "time/message",
        "/ first",
        "server's CPU/message",
        "calls/message",
        "p99",
        "connecting",
        "rounds",
    ];
    let mut rows = Vec::new();
    let mut servers: Vec<&str> = figures.iter().map(|one| one.server).collect();
    servers.truncate(figures.len() / args.cases.len().max(1));
    for (server, many) in servers
        .iter()
        .flat_map(|server| in_flight(args).into_iter().map(move |many| (*server, many)))
    {
        let mut first = None;
        for one in of(figures, many).filter(|one| one.server == server) {
            let associations = one.case.associations.to_string();
            let mut row = vec![server.to_owned(), many.to_string(), associations];
            match &one.medians {
                Ok(medians) => {
                    let first = *first.get_or_insert(medians.rate);
                    row.extend([
                        format!("{:.0}", medians.rate),
                        format!("{:.1} µs", 1e6 / medians.rate),
                        format!("{:.2}", first / medians.rate),
                        format!("{:.1} µs", medians.cpu / 1e3),
                        format!("{:.2}", medians.calls),
                        report::time(medians.latency[1]),
                        report::time(medians.connecting),
                        report::rounds(one),
                    ]);
                }
                Err(why) => row.push(why.clone()),
            }
            row.resize(heading.len(), "-".to_owned());
            rows.push(row);
        }
    }
    table::format(&heading, &rows)
}
