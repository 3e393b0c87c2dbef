//! A server and a pool of clients that are set up by a file: `configured --help`.
#![forbid(unsafe_code)]

mod settings;
mod socket;
mod values;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;
use sctp_examples::program;
use sctp_service::{Payload, client::pool::Target, serve};
use settings::Settings;
use tokio::sync::oneshot;

/// Sets up a server and a pool of clients as a TOML file says, and makes one call.
///
/// The file has socket options, limits and timers. A key that it leaves out has the library's
/// default; a key that does not exist, or a value out of range, is an error, with status 2.
#[derive(Parser)]
#[command(after_help = "\
Try it:
  configured examples/src/bin/configured/sample.toml")]
struct Args {
    /// The file; sample.toml has all keys
    file: PathBuf,
    /// Check the file, and do nothing else
    #[arg(long)]
    check: bool,
    /// Print all settings as they are in effect, and do nothing else
    #[arg(long, conflicts_with = "check")]
    dump: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_log();
    let settings = match Settings::read(&args.file) {
        Ok(settings) => settings,
        Err(error) => {
            program::note(format_args!("configured: {error}"));
            return ExitCode::from(2);
        }
    };
    let done = if args.check {
        program::say(format_args!("{}: valid", args.file.display()));
        Ok(())
    } else if args.dump {
        dump(&settings)
    } else {
        run(&settings).await
    };
    program::exit("configured", done)
}

fn dump(settings: &Settings) -> Result<(), Box<dyn Error>> {
    program::say(settings.in_effect()?.trim_end());
    Ok(())
}

async fn run(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let listener = settings.server.socket.builder().listen()?;
    let addr = *listener.local_addrs()?.first().ok_or("no address")?;
    let (stop, stopped) = oneshot::channel::<()>();
    let echo = async |Payload(payload): Payload| Payload(payload);
    let server = serve(listener, echo)
        .with_config(settings.server.config())
        .with_graceful_shutdown(async { drop(stopped.await) });
    let serving = tokio::spawn(server.into_future());

    // Without servers the pool has the one of this program.
    let mut servers = settings.pool.servers.clone();
    if servers.is_empty() {
        servers.push(vec![addr]);
    }
    let servers = servers.into_iter().map(Target::from);
    let pool = settings.pool.builder().fixed(servers);
    let reply = pool.request("hello").await?;
    program::say(format_args!("the pool has a reply: {:?}", reply.payload));
    for server in pool.servers() {
        let info = pool
            .client(&server)
            .and_then(|client| client.connect_info());
        if let Some(info) = info {
            let (inbound, outbound) = (info.inbound_streams(), info.outbound_streams());
            program::say(format_args!(
                "streams: {inbound} inbound, {outbound} outbound"
            ));
        }
    }

    pool.graceful_shutdown().await;
    drop(stop);
    serving.await?;
    Ok(())
}
