//! Calls of a client: what `Client` costs above a loop on `Association`, and how long short calls
//! take while a long one is being answered. ../README.md says how to run it.
#![forbid(unsafe_code)]

mod contestants;
mod latency;
#[path = "../../../sctp-tokio/tests/support/netns.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared with sctp-tokio's tests"
)]
mod netns;
mod picture;
mod rate;
mod server;
#[path = "../../../sctp-tokio/benches/support/mod.rs"]
mod support;

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

const HELP: &str = "\
cargo bench -p sctp-benches --bench calls -- [OPTION...]

  --quick        only to see that everything runs
  --rate         only the calls in a second
  --latency      only short calls beside a long one
";

/// Duration and number of measurements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

fn main() -> Result<(), contestants::Failure> {
    // `cargo bench` says `--bench`; `cargo test --benches` does not.
    let mut is_quick = !env::args().any(|word| word == "--bench");
    let (mut rate, mut latency) = (true, true);
    for word in env::args().skip(1) {
        match word.as_str() {
            "--bench" => {}
            "--quick" | "--test" => is_quick = true,
            "--rate" => latency = false,
            "--latency" => rate = false,
            "--help" => {
                print!("{HELP}");
                return Ok(());
            }
            other => return Err(format!("there is no {other}; see --help").into()),
        }
    }
    let effort = Effort {
        rounds: if is_quick { 2 } else { 15 },
        time: Duration::from_millis(if is_quick { 20 } else { 200 }),
    };
    support::make_room()?;
    let heading = heading(effort);
    let mut text = format!("{heading}\n");
    println!("\n{heading}");
    if rate {
        let table = rate::table(&rate::measure(effort)?);
        print!("\n{table}");
        text += &format!("\n{table}");
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("calls");
    fs::create_dir_all(&folder)?;
    if latency {
        let figures = latency::measure(effort)?;
        let table = latency::table(&figures);
        print!("\n{table}");
        text += &format!("\n{table}");
        fs::write(folder.join("calls.svg"), picture::svg(&heading, &figures))?;
    }
    fs::write(folder.join("calls.md"), text)?;
    println!("\nalso in {}: calls.md, calls.svg", folder.display());
    Ok(())
}

/// Where, when and how the figures below are measured.
fn heading(effort: Effort) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output();
    let date = date.map(|output| output.stdout).unwrap_or_default();
    format!(
        "cargo bench -p sctp-benches --bench calls, kernel {}{}, {}: {} interleaved rounds",
        kernel.trim(),
        if support::is_uml() {
            " (User-Mode Linux)"
        } else {
            ""
        },
        String::from_utf8_lossy(&date).trim(),
        effort.rounds,
    )
}
