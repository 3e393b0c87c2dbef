//! Puts the same load on several servers in turn, again and again, and compares them.

use std::{io, path::PathBuf};

use super::{
    Case, Effort, compile, is_uml, median,
    server::{Program, Sample, Server},
    table,
};

/// Ports from here on are taken by the servers.
const FIRST_PORT: u16 = 42_100;

/// Standard of comparison: the best of these servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub(crate) heading: &'static str,
    pub(crate) servers: &'static [&'static str],
}

/// Target for some servers under some loads.
pub(crate) struct Target {
    pub(crate) what: &'static str,
    pub(crate) servers: &'static [&'static str],
    pub(crate) of: fn(Case) -> bool,
    pub(crate) value: fn(&Figures) -> Option<f64>,
    pub(crate) bound: Bound,
}

/// On which side of the figure to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// The medians of one server under one load.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    case: Case,
    server: &'static str,
    rate: f64,
    pub(crate) calls: f64,
    pub(crate) allocations: Option<f64>,
    /// The rate divided by that of each reference.
    pub(crate) ratios: Vec<f64>,
}

/// Servers that run, and the program that puts load on them.
pub(crate) struct Contest {
    servers: Vec<Server>,
    client: PathBuf,
    preload: String,
    references: &'static [Reference],
    effort: Effort,
}

impl Contest {
    /// Starts the servers.
    pub(crate) fn start(
        programs: &[(&'static str, Program)],
        references: &'static [Reference],
        effort: Effort,
    ) -> io::Result<Self> {
        let preload = clock()?;
        let client = compile::program("client")?;
        let servers = (FIRST_PORT..)
            .zip(programs)
            .map(|(port, (name, program))| Server::start(name, *program, port, &preload))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            servers,
            client,
            preload,
            references,
            effort,
        })
    }

    /// Measures all servers under all loads.
    pub(crate) fn run(&self, cases: &[Case]) -> io::Result<Vec<Figures>> {
        let mut figures = Vec::new();
        for case in cases {
            figures.extend(self.run_case(*case)?);
        }
        Ok(figures)
    }

    fn run_case(&self, case: Case) -> io::Result<Vec<Figures>> {
        let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); self.servers.len()];
        for _ in 0..self.effort.rounds {
            for (server, samples) in self.servers.iter().zip(&mut samples) {
                samples.push(server.measure(
                    (&self.client, &self.preload),
                    case,
                    self.effort.time,
                )?);
            }
        }
        let rates: Vec<f64> = samples
            .iter()
            .map(|samples| median(samples.iter().map(|sample| sample.rate)))
            .collect();
        let references: Vec<f64> = self
            .references
            .iter()
            .map(|reference| self.best(reference, &rates))
            .collect();
        let figures = self.servers.iter().zip(samples).zip(&rates);
        Ok(figures
            .map(|((server, samples), rate)| Figures {
                case,
                server: server.name,
                rate: *rate,
                calls: median(samples.iter().map(|sample| sample.calls)),
                allocations: samples[0]
                    .allocations
                    .map(|_| median(samples.iter().filter_map(|sample| sample.allocations))),
                ratios: references
                    .iter()
                    .map(|reference| rate / reference)
                    .collect(),
            })
            .collect())
    }

    fn best(&self, reference: &Reference, rates: &[f64]) -> f64 {
        let named = self.servers.iter().zip(rates);
        named
            .filter(|(server, _)| reference.servers.contains(&server.name))
            .map(|(_, rate)| *rate)
            .fold(f64::MIN_POSITIVE, f64::max)
    }

    /// Prints everything as one table.
    pub(crate) fn print(&self, figures: &[Figures]) {
        let mut heading = vec!["server", "associations", "in flight", "bytes", "messages/s"];
        heading.extend(self.references.iter().map(|reference| reference.heading));
        heading.extend(["calls/message", "allocations/message"]);
        let rows: Vec<Vec<String>> = figures.iter().map(row).collect();
        table::print(&heading, &rows);
    }
}

/// The library that lets a process of a guest read the clock as cheaply as others do.
pub(crate) fn clock() -> io::Result<String> {
    if is_uml() {
        Ok(compile::library("clock")?.display().to_string())
    } else {
        Ok(String::new())
    }
}

fn row(figures: &Figures) -> Vec<String> {
    let case = figures.case;
    let mut row = vec![
        figures.server.to_owned(),
        case.associations.to_string(),
        case.in_flight.to_string(),
        case.size.to_string(),
        format!("{:.0}", figures.rate),
    ];
    row.extend(figures.ratios.iter().map(|ratio| format!("{ratio:.2}")));
    row.push(format!("{:.2}", figures.calls));
    row.push(match figures.allocations {
        Some(allocations) => format!("{allocations:.3}"),
        None => "-".to_owned(),
    });
    row
}

/// Prints for each target whether it was met, under the least favourable load.
pub(crate) fn print_targets(targets: &[Target], figures: &[Figures]) {
    println!();
    for target in targets {
        for server in target.servers {
            let values = figures
                .iter()
                .filter(|figures| figures.server == *server && (target.of)(figures.case))
                .filter_map(target.value);
            let (worst, met) = match target.bound {
                Bound::AtLeast(bound) => {
                    let worst = values.fold(f64::INFINITY, f64::min);
                    (worst, worst >= bound)
                }
                Bound::AtMost(bound) => {
                    let worst = values.fold(f64::NEG_INFINITY, f64::max);
                    (worst, worst <= bound)
                }
            };
            let verdict = if met { "met" } else { "MISSED" };
            println!("{verdict:<6} {server}: {}: {worst:.3}", target.what);
        }
    }
}
