//! Makes the result of a run out of what was counted.

use std::time::Duration;

use clap::ValueEnum;
use hdrhistogram::CreationError;

use crate::load::{
    args::Load,
    control::{NEVER, Phases},
    result::{Associations, Calls, FORMAT, Outcome, Point, Settings, Summary},
    stats::Counts,
    worker::Shared,
};

pub(crate) fn outcome(
    shared: &Shared,
    phases: &Phases,
    began_at: u64,
    ended: u64,
    series: Vec<Point>,
) -> Result<Outcome, CreationError> {
    let load = &shared.load;
    let total = shared.stats.total()?;
    let associations = shared.stats.associations();
    let seconds = measured_seconds(load, phases, ended, &total.counts);
    Ok(Outcome {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        began_at,
        settings: settings(load),
        interrupted: phases.interrupted,
        seconds,
        calls: calls(load, seconds, &total.counts),
        latency: Summary::new(&total.latency),
        response: load.rate.map(|_| Summary::new(&total.response)),
        handshake: Summary::new(&associations.handshakes),
        associations: Associations {
            established: associations.established,
            refused: associations.refused.0.clone(),
            lost: associations.lost.0.clone(),
            fewest_streams: associations.fewest_streams,
        },
        series,
    })
}

/// Returns the measured time: up to the last reply for counted calls, otherwise the whole duration.
fn measured_seconds(load: &Load, phases: &Phases, ended: u64, counts: &Counts) -> f64 {
    if phases.measure == NEVER {
        return 0.0;
    }
    let end = match load.count {
        Some(_) => counts.last_answer,
        None => phases.end.min(ended),
    };
    end.saturating_sub(phases.measure) as f64 / 1e9
}

fn calls(load: &Load, seconds: f64, counts: &Counts) -> Calls {
    let tally = &counts.measured;
    // What came after the end does not count for the time before it.
    let in_time = if load.count.is_some() {
        tally.answered
    } else {
        counts.in_time
    };
    let per_second = |number: u64| {
        if seconds > 0.0 {
            number as f64 / seconds
        } else {
            0.0
        }
    };
    let share = match tally.answered {
        0 => 0.0,
        answered => in_time as f64 / answered as f64,
    };
    Calls {
        sent: tally.begun.saturating_sub(tally.unsent),
        answered: tally.answered,
        failed: tally.failed,
        unsent: tally.unsent,
        failures: counts.failures.0.clone(),
        // Of associations that were dropped, nobody has counted it.
        unanswered: tally.in_flight() + tally.unanswered,
        missed: counts.missed,
        late_replies: counts.late,
        unexpected_replies: counts.unexpected,
        per_second: per_second(in_time),
        bytes_sent_per_second: per_second(tally.bytes_begun.saturating_sub(tally.bytes_unsent)),
        bytes_received_per_second: per_second(tally.bytes_received) * share,
    }
}

fn settings(load: &Load) -> Settings {
    let name = |value: Option<clap::builder::PossibleValue>| {
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    };
    let seconds = |time: Duration| time.as_secs_f64();
    let source = |source: &crate::parse::Source| {
        let addrs: Vec<String> = source.0.iter().map(ToString::to_string).collect();
        addrs.join(",")
    };
    Settings {
        server: load.server.clone(),
        socket: name(load.socket.to_possible_value()),
        associations: load.associations,
        streams: load.streams,
        in_flight: load.window() as u64,
        rate: load.rate,
        arrivals: load.rate.map(|_| name(load.arrivals.to_possible_value())),
        size: load.size.to_string(),
        ppid: load.ppid,
        unordered: load.unordered,
        duration_seconds: load.measured_time().map(seconds),
        count: load.count,
        ramp_up_seconds: seconds(load.ramp_up),
        warm_up_seconds: seconds(load.warm_up),
        call_timeout_seconds: seconds(load.call_timeout),
        bind: load.bind.iter().map(source).collect(),
    }
}
