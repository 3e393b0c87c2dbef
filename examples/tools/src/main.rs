//! The tool `sctp`: `sctp --help`.
//!
//! | module | what |
//! |---|---|
//! | `send`, `listen`, `probe`, `proxy`, `load` | the subcommands |
//! | `address`, `ending`, `input`, `parse`, `hex` | what the command line says |
//! | `session` | one association, printed and traced |
//! | `output`, `trace` | where messages go |
//! | `signal`, `status` | how the program ends |
//! | `timing` | waits |
#![forbid(unsafe_code)]

mod address;
mod ending;
mod hex;
mod input;
mod listen;
mod load;
mod output;
mod parse;
mod probe;
mod proxy;
mod send;
mod session;
mod signal;
mod status;
mod timing;
mod trace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::{
    listen::ListenArgs, output::log, probe::ProbeArgs, proxy::ProxyArgs, send::SendArgs,
    signal::Signals, status::Failure,
};

/// Talks to SCTP services: sends messages, answers them, probes servers, passes messages on, and
/// puts load on servers.
#[derive(Debug, Parser)]
#[command(name = "sctp", version, verbatim_doc_comment)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Send(SendArgs),
    Listen(ListenArgs),
    Probe(ProbeArgs),
    Proxy(ProxyArgs),
    Load(Box<load::args::CommandLine>),
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Send(args) => run(|signals| send::run(args, signals)),
        Command::Listen(args) => run(|signals| listen::run(args, signals)),
        Command::Probe(args) => run(|signals| probe::run(args, signals)),
        Command::Proxy(args) => run(|signals| proxy::run(args, signals)),
        Command::Load(line) => load::run(*line),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            log(&failure);
            ExitCode::from(failure.status())
        }
    }
}

/// Runs a subcommand until it is done.
fn run<F>(subcommand: impl FnOnce(Signals) -> F) -> Result<u8, Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let signals = Signals::catch()?;
        subcommand(signals).await
    });
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
    done.map(|()| 0)
}
