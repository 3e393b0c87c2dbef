//! Progress on standard error: a display on a terminal, else plain lines.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};

use sctp_tools::format::{count, data_rate, latency, plural, rate, time};

use crate::load::{
    args::Load,
    control::{NEVER, Phases},
    result::Point,
    stats::{Causes, Counts, Stats},
};

/// Number of cells of the progress bar.
const BAR: usize = 20;
/// Maximum number of displayed causes.
const CAUSES: usize = 4;
/// Terminals cut long lines instead of wrapping them, while the display is on.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// Display of the progress.
#[derive(Debug)]
pub(crate) struct Live {
    style: Style,
    server: String,
    associations: u64,
    count: Option<u64>,
    /// Number of lines of the display on the screen.
    height: usize,
    /// Of the last drawing: when, and how much had been answered and received.
    last: (u64, u64, u64),
}

#[derive(Debug, PartialEq, Eq)]
enum Style {
    Display,
    Lines,
    Nothing,
}

impl Live {
    pub(crate) fn new(load: &Load) -> Self {
        let style = match (load.quiet, io::stderr().is_terminal()) {
            (true, _) => Style::Nothing,
            (false, true) => Style::Display,
            (false, false) => Style::Lines,
        };
        Self {
            style,
            server: load.server.join(" "),
            associations: load.associations.into(),
            count: load.count,
            height: 0,
            last: (0, 0, 0),
        }
    }

    /// Prints a line about a piece of the run.
    pub(crate) fn line(&self, point: &Point, phases: &Phases) {
        if self.style != Style::Lines {
            return;
        }
        let now = point.at * 1e9;
        let mut line = format!(
            "{:7.1} s  {:<10}  {:>9} calls/s",
            point.at,
            phase(phases, nanoseconds(now)),
            rate(point.per_second()),
        );
        if point.answered > 0 {
            // Writing to a string cannot fail.
            let _ = write!(
                line,
                "  p50 {}  p99 {}  p99.9 {}  max {}",
                latency(point.p50),
                latency(point.p99),
                latency(point.p999),
                latency(point.max)
            );
        }
        let _ = write!(line, "  {} up, {} failed", point.up, point.failed);
        // A failure cannot be reported if standard error is gone.
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// Draws the display anew.
    pub(crate) fn draw(
        &mut self,
        now: u64,
        stats: &Stats,
        phases: &Phases,
        latest: Option<&Point>,
    ) {
        if self.style != Style::Display {
            return;
        }
        let counts = stats.counts();
        let mut lines = vec![self.headline(now, phases, &counts)];
        {
            let associations = stats.associations();
            lines.push(format!(
                "associations  {} up of {}, {} connecting, {} refused, {} lost",
                count(associations.up),
                count(self.associations),
                count(associations.connecting),
                count(associations.refused.total()),
                count(associations.lost.total()),
            ));
            lines.push(self.throughput(now, &counts));
            lines.push(latencies(latest));
            lines.extend(causes("refused", &associations.refused));
            lines.extend(causes("lost", &associations.lost));
        }
        lines.extend(causes("failed", &counts.failures));
        let frame = self.frame(&lines);
        let _ = io::stderr().write_all(frame.as_bytes());
    }

    fn headline(&self, now: u64, phases: &Phases, counts: &Counts) -> String {
        let done = match self.count {
            Some(calls) => counts.measured.answered as f64 / calls as f64,
            None if now < phases.measure => 0.0,
            None => {
                (now - phases.measure) as f64 / phases.end.saturating_sub(phases.measure) as f64
            }
        };
        let of = match self.count {
            Some(calls) => format!(
                "{} of {}",
                count(counts.measured.answered),
                plural(calls, "call")
            ),
            None if now < phases.measure => String::new(),
            None => {
                let seconds = |time: u64| time.saturating_sub(phases.measure) as f64 / 1e9;
                let end = phases.end;
                format!("{:.0} s of {:.0} s", seconds(now.min(end)), seconds(end))
            }
        };
        let (server, phase) = (&self.server, phase(phases, now));
        format!("sctp load {server}  {phase}  [{}]  {of}", bar(done))
    }

    fn throughput(&mut self, now: u64, counts: &Counts) -> String {
        let (then, answered, bytes) = self.last;
        let all = &counts.all;
        self.last = (now, all.answered, all.bytes_received);
        let seconds = (now - then) as f64 / 1e9;
        let answered = (all.answered - answered) as f64 / seconds;
        let bytes = (all.bytes_received - bytes) as f64 / seconds;
        format!(
            "calls         {} /s, {}, {} answered, {} open, {} failed",
            rate(answered),
            data_rate(bytes),
            count(all.answered),
            count(all.in_flight()),
            count(all.failed)
        )
    }

    /// Returns the text that replaces the display by these lines. It overwrites, so that nothing
    /// flickers.
    fn frame(&mut self, lines: &[String]) -> String {
        let mut text = self.first_line();
        text.push_str(NO_WRAP);
        for line in lines {
            text.push_str(line);
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J");
        text.push_str(WRAP);
        self.height = lines.len();
        text
    }

    /// Goes back to where the display begins.
    fn first_line(&mut self) -> String {
        match std::mem::take(&mut self.height) {
            0 => String::new(),
            height => format!("\x1b[{height}A\r"),
        }
    }

    /// Leaves the screen to the results.
    pub(crate) fn finish(&mut self) {
        if self.height > 0 {
            let text = self.first_line() + "\x1b[J";
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

/// The name of the part of the run that a moment lies in.
fn phase(phases: &Phases, now: u64) -> &'static str {
    match phases {
        phases if now >= phases.end => "finishing",
        phases if phases.measure == NEVER && phases.go == NEVER => "connecting",
        phases if phases.measure == NEVER => "ramping up",
        phases if now < phases.measure => "warming up",
        _ => "measuring",
    }
}

fn bar(done: f64) -> String {
    let cells = (0..BAR).map(|cell| (cell as f64 + 0.5) < done * BAR as f64);
    cells.map(|full| if full { '#' } else { '.' }).collect()
}

fn latencies(latest: Option<&Point>) -> String {
    match latest {
        Some(point) if point.answered > 0 => {
            let last = time(nanoseconds((point.seconds * 10.0).round() * 1e8));
            let name = format!("in last {last}");
            format!(
                "{name:<12}  p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
                latency(point.p50),
                latency(point.p90),
                latency(point.p99),
                latency(point.p999),
                latency(point.max),
            )
        }
        _ => "latency       not yet known".to_owned(),
    }
}

fn causes(what: &str, causes: &Causes) -> Vec<String> {
    let mut list: Vec<_> = causes.0.iter().collect();
    list.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let shown = list.iter().take(CAUSES);
    let mut lines: Vec<_> = shown
        .map(|(cause, number)| format!("{what:<12}  {} x {cause}", count(**number)))
        .collect();
    if list.len() > CAUSES {
        lines.push(format!("{what:<12}  and other causes"));
    }
    lines
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of a run are above 0 and short"
)]
fn nanoseconds(time: f64) -> u64 {
    time as u64
}

#[cfg(test)]
mod tests;
