//! Stress of sctp-service on all processors, over its transport in memory.
//!
//! Servers, clients, pools, peers by hand, and threads that push run beside each other for a given
//! time. Every call and every push is followed to its outcome. A call must be answered once, or
//! fail with an error that the run can have caused; a push that was accepted must arrive, unless
//! its association ended otherwise than in order. Nothing may be pending for 5 seconds while the
//! rest makes progress.
//!
//! The last line is `N calls, N pushes, N hung, N lost`; the status is 1 if one of the last two is
//! not 0. Random choices follow from the seed; the scheduling of threads does not.
#![forbid(unsafe_code)]

mod book;
mod callers;
mod client;
mod duel;
mod equals;
mod execute;
mod fault;
mod handler;
mod helpers;
mod ledger;
mod outcome;
mod payload;
mod peer;
mod pool;
mod pushers;
mod rng;
mod run;
mod scripted;
mod server;
mod watch;
mod work;

use std::{process::ExitCode, thread::available_parallelism, time::Duration};

use clap::Parser;

/// Stress of sctp-service on all processors, over its transport in memory.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Duration in seconds
    #[arg(default_value_t = 60)]
    seconds: u64,
    /// Seed of the random choices; the clock by default
    #[arg(long)]
    seed: Option<u64>,
    /// Worker threads of the runtime; as many as there are processors by default
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let processors = available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(processors).max(1);
    let seed = args.seed.unwrap_or_else(rng::from_clock);
    println!(
        "{} s on {threads} threads and {processors} processors, seed {seed}",
        args.seconds
    );
    if processors < 2 {
        println!("with one processor, no two threads run at the same time");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_time()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let time = Duration::from_secs(args.seconds);
    let run = execute::execute(runtime.handle(), seed, threads, time);
    // What hangs would hold up the runtime.
    runtime.shutdown_background();
    if run.report() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
