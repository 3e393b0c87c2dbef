//! Shared parts of the loopback benchmarks: they start servers as child processes, put the same load
//! on each in turn, and print medians and ratios.
//!
//! The benchmarks of `sctp-service` and the examples include this folder by its path.
#![allow(dead_code, reason = "no benchmark needs all of it")]

pub(crate) mod compile;
pub(crate) mod contest;
pub(crate) mod control;
pub(crate) mod server;
pub(crate) mod table;

use std::{env, fs, io, process::Command, time::Duration};

/// Duration and number of measurements. Quickly, as CI and `cargo test --benches` do, is only to
/// see that everything runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

impl Effort {
    /// Reads the arguments that cargo passes on: `cargo bench -- --quick`.
    pub(crate) fn from_args() -> Self {
        let given = |name: &str| env::args().any(|arg| arg == name);
        // `cargo bench` says `--bench`; `cargo test --benches` does not.
        let quick = given("--quick") || given("--test") || !given("--bench");
        Self {
            rounds: if quick { 1 } else { 15 },
            time: Duration::from_millis(if quick { 20 } else { 100 }),
        }
    }
}

/// One load: how many associations, messages in flight on each, and bytes in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) associations: usize,
    pub(crate) in_flight: usize,
    pub(crate) size: usize,
}

/// Prints where and when the figures below were measured.
pub(crate) fn print_heading(command: &str, effort: Effort) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output();
    let date = date.map(|output| output.stdout).unwrap_or_default();
    println!(
        "\n{command}, kernel {}{}, {}: medians of {} interleaved rounds of {} ms\n",
        kernel.trim(),
        if is_uml() {
            " (User-Mode Linux, its clock read as elsewhere: clock.c)"
        } else {
            ""
        },
        String::from_utf8_lossy(&date).trim(),
        effort.rounds,
        effort.time.as_millis(),
    );
}

/// Lets sockets have the 4 MiB of buffers that they ask for, in a guest that nobody else uses.
/// Elsewhere that is for the administrator to decide; with the kernel's defaults 64 messages of
/// 16 KiB do not fit, and what is measured is a closed window.
pub(crate) fn make_room() -> io::Result<()> {
    if !is_guest() {
        return Ok(());
    }
    for limit in ["rmem_max", "wmem_max"] {
        fs::write(format!("/proc/sys/net/core/{limit}"), "8388608")?;
    }
    Ok(())
}

/// Returns `true` in a guest of our own, whose settings may be changed.
pub(crate) fn is_guest() -> bool {
    env::var_os("SCTP_KERNEL_GUEST").is_some()
}

pub(crate) fn is_uml() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("User Mode Linux"))
}

/// The median; 0 for nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}
