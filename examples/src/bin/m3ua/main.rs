//! M3UA (RFC 4666): an application server process or a signalling gateway: `m3ua --help`.
#![forbid(unsafe_code)]

mod asp;
mod codec;
mod contexts;
mod sgp;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand};
use sctp_examples::program;

/// Carries signalling messages between point codes of SS7.
///
/// Prints a line for each event to standard output. RUST_LOG chooses what is logged to standard
/// error. SIGTERM or Ctrl-C end it in order.
#[derive(Parser)]
#[command(after_help = "\
Try it:
  m3ua sgp --listen 127.0.0.1:2905 --route 1:10 --route 2:20 &
  m3ua asp --connect 127.0.0.1:2905 --routing-context 10 --pc 1 &
  m3ua asp --connect 127.0.0.1:2905 --routing-context 20 --pc 2 --send 1:hello")]
struct Args {
    #[command(subcommand)]
    end: End,
}

#[derive(Subcommand)]
enum End {
    /// An application server process: connects to a gateway, and again when the association ends
    Asp(asp::Args),
    /// A signalling gateway process: passes messages on between application servers
    Sgp(sgp::Args),
}

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_log();
    let done = match args.end {
        End::Asp(args) => asp::run(args).await,
        End::Sgp(args) => sgp::run(args).await,
    };
    program::exit("m3ua", done)
}

/// Reads a point code: a number, or three parts of 3, 8 and 3 bits, as 1-2-3.
fn point_code(text: &str) -> std::result::Result<u32, String> {
    let parts: Vec<u32> = text
        .split('-')
        .map(|part| part.parse().map_err(|_| format!("{part:?} is no number")))
        .collect::<std::result::Result<_, _>>()?;
    match parts[..] {
        [code] if code < 1 << 24 => Ok(code),
        [zone @ 0..8, area @ 0..256, point @ 0..8] => Ok(zone << 11 | area << 3 | point),
        _ => Err("expected a number below 2^24, or three parts of 3, 8 and 3 bits".to_owned()),
    }
}
