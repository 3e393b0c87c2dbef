//! Cost of decoding: time and allocations per notification, and per received message with its
//! ancillary data.
//!
//! `cargo bench -p sctp-core --bench decode`. Add `-- --quick` for a short run without meaningful
//! figures.
//!
//! The decoder of ancillary data is private. It is measured as part of a receive: without ancillary
//! data, with `SCTP_RCVINFO`, and with `SCTP_NXTINFO` in addition. These figures consist mostly of
//! the system call.

mod notifications;
mod receive;

use std::{alloc::System, env, error::Error, fs, hint::black_box, process::Command, time::Instant};

use sctp_core::Notification;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Number of repetitions.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    calls: u32,
}

/// Cost per call in one round.
#[derive(Clone, Copy, Debug)]
struct Sample {
    nanoseconds: f64,
    allocations: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let given = |name: &str| env::args().any(|arg| arg == name);
    // `cargo bench` says `--bench`; `cargo test --benches` does not.
    let quick = given("--quick") || given("--test") || !given("--bench");
    let effort = Effort {
        rounds: if quick { 3 } else { 41 },
        calls: if quick { 100 } else { 10_000 },
    };
    print_heading(effort);
    println!("| decoded | ns | allocations |\n|---|---:|---:|");
    decode_notifications(effort)?;
    receive::messages(effort)
}

fn decode_notifications(effort: Effort) -> Result<(), Box<dyn Error>> {
    let subjects = notifications::all();
    for (name, bytes) in &subjects {
        // A notification that is refused or unknown would falsify its row.
        if matches!(
            Notification::decode(bytes.clone())?,
            Notification::Other { .. }
        ) {
            return Err(format!("{name} is not known").into());
        }
    }
    let clone = (
        "nothing (a clone of the buffer, as in all of these)",
        subjects[0].1.clone(),
    );
    let mut samples = vec![Vec::new(); subjects.len() + 1];
    for _ in 0..effort.rounds {
        samples[0].push(sample(effort.calls, || drop(black_box(clone.1.clone()))));
        for ((_, bytes), samples) in subjects.iter().zip(&mut samples[1..]) {
            samples.push(sample(effort.calls, || {
                drop(black_box(Notification::decode(black_box(bytes).clone())));
            }));
        }
    }
    let names = [&clone].into_iter().chain(&subjects).map(|(name, _)| *name);
    for (name, samples) in names.zip(&samples) {
        print_row(name, samples);
    }
    Ok(())
}

/// Measures several calls together.
fn sample(calls: u32, mut call: impl FnMut()) -> Sample {
    let region = Region::new(ALLOCATOR);
    let begin = Instant::now();
    for _ in 0..calls {
        call();
    }
    Sample::new(begin, &region, calls)
}

impl Sample {
    fn new(begin: Instant, region: &Region<'_, System>, calls: u32) -> Self {
        let time = begin.elapsed();
        let change = region.change();
        let allocations = change.allocations + change.reallocations;
        Self {
            nanoseconds: time.as_secs_f64() * 1e9 / f64::from(calls),
            allocations: allocations as f64 / f64::from(calls),
        }
    }
}

fn print_heading(effort: Effort) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output();
    let date = date.map(|output| output.stdout).unwrap_or_default();
    println!(
        "\ncargo bench -p sctp-core --bench decode, kernel {}, {}: medians of {} interleaved rounds of {} calls\n",
        kernel.trim(),
        String::from_utf8_lossy(&date).trim(),
        effort.rounds,
        effort.calls,
    );
}

fn print_row(name: &str, samples: &[Sample]) {
    let median = |field: fn(&Sample) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    let nanoseconds = median(|sample| sample.nanoseconds);
    let allocations = median(|sample| sample.allocations);
    println!("| {name} | {nanoseconds:.1} | {allocations:.3} |");
}
