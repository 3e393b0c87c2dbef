//! NGAP between a gNB and an AMF of 5G (3GPP TS 38.413): `ngap --help`.
#![forbid(unsafe_code)]

mod amf;
mod gnb;

use std::{
    error::Error,
    fmt,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use oxirush_ngap::{helpers, ngap::PLMNIdentity};
use tracing_subscriber::EnvFilter;

/// Plays one end of NG Setup, and of registrations that the AMF rejects.
///
/// Prints a line for each event to standard output. RUST_LOG chooses what is logged to standard
/// error.
#[derive(Parser)]
#[command(after_help = "\
Try it:
  ngap amf &
  ngap gnb --connect 127.0.0.1:38412 --ues 3")]
struct Args {
    #[command(subcommand)]
    end: End,
}

#[derive(Subcommand)]
enum End {
    /// Accepts gNBs of its network, until SIGTERM or Ctrl-C
    Amf(amf::Args),
    /// Sets up NG with an AMF, registers terminals, and leaves when all were answered
    Gnb(gnb::Args),
}

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    let done = match args.end {
        End::Amf(args) => amf::run(args).await,
        End::Gnb(args) => gnb::run(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody can be told if standard error is gone.
            let _ = writeln!(io::stderr(), "ngap: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line about an event.
fn say(line: impl fmt::Display) {
    // Signalling goes on without a reader.
    let _ = writeln!(io::stdout(), "{line}");
}

/// Reads a network's identity, MCC-MNC.
fn plmn(text: &str) -> std::result::Result<PLMNIdentity, String> {
    let (mcc, mnc) = text.split_once('-').ok_or("it is MCC-MNC, as 208-93")?;
    helpers::plmn(mcc, mnc).map_err(|error| error.to_string())
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
