//! NGAP between a gNB and an AMF of 5G (3GPP TS 38.413): `ngap --help`.
#![forbid(unsafe_code)]

mod amf;
mod gnb;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand};
use oxirush_ngap::{helpers, ngap::PLMNIdentity};
use sctp_examples::program;

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
    program::start_log();
    let done = match args.end {
        End::Amf(args) => amf::run(args).await,
        End::Gnb(args) => gnb::run(args).await,
    };
    program::exit("ngap", done)
}

/// Reads a network's identity, MCC-MNC.
fn plmn(text: &str) -> std::result::Result<PLMNIdentity, String> {
    let (mcc, mnc) = text.split_once('-').ok_or("expected MCC-MNC, as 208-93")?;
    helpers::plmn(mcc, mnc).map_err(|error| error.to_string())
}
