//! The figures as text: a table, ratios, JSON.

use std::{fs, process::Command, time::Duration};

use sctp_tools::format;
use serde_json::{Value, json};

use crate::{
    arena::{Figures, Medians},
    args::Args,
    contestants::{BATCH, Kind, TEXTBOOK},
    memory::Memory,
    support::{Case, is_uml, median, table},
    targets::{self, Verdict},
};

/// Returns the command, machine and date of the measurement.
pub(crate) fn heading(args: &Args) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output();
    let date = date.map(|output| output.stdout).unwrap_or_default();
    let given = match &*args.given {
        "" => String::new(),
        given => format!(" -- {given}"),
    };
    let uml = if is_uml() { " (User-Mode Linux)" } else { "" };
    let quick = if args.is_quick {
        "; a quick run: its figures mean nothing"
    } else {
        ""
    };
    format!(
        "cargo bench -p sctp-benches --bench echo{given}: kernel {}{uml}, {} processor(s), {}, \
         medians of interleaved rounds{quick}",
        kernel.trim(),
        processors(),
        String::from_utf8_lossy(&date).trim(),
    )
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// All figures, a row for each server and load.
pub(crate) fn table(figures: &[Figures]) -> String {
    let heading = [
        "server",
        "associations",
        "in flight",
        "bytes",
        "messages/s",
        "/ textbook",
        "/ C batch",
        "p50",
        "p99",
        "p99.9",
        "CPU/message",
        "calls/message",
        "allocations/message",
        "rounds",
    ];
    let rows: Vec<Vec<String>> = figures.iter().map(|one| row(one, figures)).collect();
    let mut text = table::format(&heading, &rows);
    for one in figures {
        if let Err(why) = &one.medians {
            text += &format!("\n{} under {}: {why}", one.server, load(one.case));
        }
    }
    text.trim_end().to_owned() + "\n"
}

fn row(one: &Figures, all: &[Figures]) -> Vec<String> {
    let mut row = vec![
        one.server.to_owned(),
        format::count(one.case.associations as u64),
        one.case.in_flight.to_string(),
        one.case.size.to_string(),
    ];
    let Ok(medians) = one.medians else {
        row.resize(14, "-".to_owned());
        return row;
    };
    row.push(format!("{:.0}", medians.rate));
    for reference in [TEXTBOOK, BATCH] {
        let rate = rate(all, reference, one.case);
        row.push(show(rate.map(|rate| medians.rate / rate), 2));
    }
    row.extend(medians.latency.map(time));
    row.push(time(Duration::from_secs_f64(medians.cpu / 1e9)));
    row.push(format!("{:.2}", medians.calls));
    row.push(show(medians.allocations, 3));
    row.push(rounds(one));
    row
}

/// Returns the number of rounds of a server, and their duration.
pub(crate) fn rounds(one: &Figures) -> String {
    let (rounds, time) = one.rounds;
    format!("{rounds} x {} ms", time.as_millis())
}

/// Table of the memory of an idle association on each server.
pub(crate) fn memory(memory: &[(&'static str, Memory)], associations: usize) -> String {
    let rows: Vec<Vec<String>> = memory
        .iter()
        .map(|(server, memory)| {
            let bytes = |bytes: f64| format!("{bytes:.0} B");
            vec![
                (*server).to_owned(),
                bytes(memory.unused),
                bytes(memory.used),
            ]
        })
        .collect();
    format!(
        "Memory of the server's process for an idle association, when {associations} came to a new \
         server:\n\n{}",
        table::format(&["server", "never used", "after echoes"], &rows)
    )
}

/// For each server the ratio to others, over all loads of a sort: the least, the median, the most.
pub(crate) fn ratios(figures: &[Figures]) -> String {
    let mut rows = Vec::new();
    let ours = figures.iter().filter(|one| one.kind == Kind::Ours);
    let mut names: Vec<&str> = ours.map(|one| one.server).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    let mut others: Vec<&str> = Vec::new();
    for one in figures.iter().filter(|one| one.kind != Kind::Ours) {
        if !others.contains(&one.server) {
            others.push(one.server);
        }
    }
    for name in names {
        for other in &others {
            let mut row = vec![name.to_owned(), (*other).to_owned()];
            for is_single in [true, false] {
                let cases = figures.iter().filter(|one| one.server == name);
                let cases = cases.filter(|one| (one.case.in_flight == 1) == is_single);
                let ratios: Vec<f64> = cases
                    .filter_map(|one| {
                        let theirs = rate(figures, other, one.case)?;
                        Some(one.medians.as_ref().ok()?.rate / theirs)
                    })
                    .collect();
                row.push(spread(&ratios));
            }
            rows.push(row);
        }
    }
    let heading = ["ours", "divided by", "1 in flight", "more in flight"];
    format!(
        "Messages/s, the least (median) most of the loads:\n\n{}",
        table::format(&heading, &rows)
    )
}

fn spread(ratios: &[f64]) -> String {
    if ratios.is_empty() {
        return "-".to_owned();
    }
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    format!(
        "{least:.2} ({:.2}) {most:.2}",
        median(ratios.iter().copied())
    )
}

/// Messages in a second, where there are any.
pub(crate) fn rate(figures: &[Figures], server: &str, case: Case) -> Option<f64> {
    let mut found = figures.iter();
    let one = found.find(|one| one.server == server && one.case == case)?;
    one.medians.as_ref().ok().map(|medians| medians.rate)
}

/// "16 x 64 x 1024 B".
pub(crate) fn load(case: Case) -> String {
    format!(
        "{} association{}, {} in flight, {} B",
        format::count(case.associations as u64),
        if case.associations == 1 { "" } else { "s" },
        case.in_flight,
        case.size
    )
}

/// A time with its unit.
pub(crate) fn time(time: Duration) -> String {
    format::latency(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn show(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}

/// The same for programs.
pub(crate) fn json(
    heading: &str,
    figures: &[Figures],
    memory: &[(&'static str, Memory)],
    verdicts: &[Verdict],
) -> serde_json::Result<String> {
    let figures: Vec<Value> = figures.iter().map(value).collect();
    let memory: serde_json::Map<String, Value> = memory
        .iter()
        .map(|(server, memory)| {
            let value = json!({"unused": memory.unused, "used": memory.used});
            ((*server).to_owned(), value)
        })
        .collect();
    serde_json::to_string_pretty(&json!({
        "heading": heading,
        "figures": figures,
        "idle_association_bytes": memory,
        "targets": targets::json(verdicts),
    }))
}

fn value(one: &Figures) -> Value {
    let mut value = json!({
        "server": one.server,
        "associations": one.case.associations,
        "in_flight": one.case.in_flight,
        "bytes": one.case.size,
        "rounds": one.rounds.0,
        "round_ms": u64::try_from(one.rounds.1.as_millis()).unwrap_or(u64::MAX),
    });
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    match &one.medians {
        Ok(Medians {
            rate,
            latency,
            cpu,
            calls,
            allocations,
            connecting,
        }) => {
            value["messages_per_second"] = json!(rate);
            value["latency_p50_p99_p999_ns"] = json!(latency.map(nanoseconds));
            value["cpu_ns_per_message"] = json!(cpu);
            value["calls_per_message"] = json!(calls);
            value["allocations_per_message"] = json!(allocations);
            value["connecting_ns"] = json!(nanoseconds(*connecting));
        }
        Err(why) => value["failed"] = json!(why),
    }
    value
}
