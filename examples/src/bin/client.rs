//! A client as a tower service: `client --help`.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use sctp_examples::{address, line, program};
use sctp_service::{
    CallError, Message,
    client::{Client, ClientConfig, Remote},
};
use tower::{Service, ServiceBuilder, ServiceExt};

/// Calls an SCTP server with each word, all at once, and prints the replies as they come.
///
/// Each call has a stream of its own, so none waits for another. The client is a tower service:
/// here it is behind a stock timeout. If the association ends, another one is set up.
#[derive(Parser)]
#[command(after_help = "\
Try it:
  echo-server &
  client 127.0.0.1:9877 one two three")]
struct Args {
    /// The server's address, HOST:PORT
    server: String,
    /// Words to send
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_log();
    program::exit("client", run(args).await)
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let addrs = address::resolve(&[args.server]).await?;
    let client = Client::builder()
        .with_config(ClientConfig::new().with_call_timeout(Duration::from_secs(10)))
        .connect(Remote::multi_homed(addrs))
        .await?;
    let service = ServiceBuilder::new()
        .timeout(Duration::from_secs(5))
        .service(client.clone());
    let calls: Vec<_> = args
        .words
        .into_iter()
        .map(|word| tokio::spawn(call(service.clone(), word)))
        .collect();
    for call in calls {
        writeln!(io::stdout(), "{}", call.await?)?;
    }
    // Finishes what is in flight, then SHUTDOWN.
    if let Some(end) = client.graceful_shutdown().await {
        writeln!(io::stdout(), "the association is over: {end}")?;
    }
    Ok(())
}

/// Makes a call, and says in a line what came of it.
async fn call<S>(service: S, word: String) -> String
where
    S: Service<Message, Response = sctp_service::Received, Error = tower::BoxError>,
{
    let payload = word.clone();
    match service.oneshot(payload.into()).await {
        Ok(reply) => format!("{word}: {}", line::reply(&reply)),
        Err(error) => match error.downcast::<CallError>() {
            Ok(error) if error.is_safe_to_retry() => format!("{word}: {error}; try again"),
            Ok(error) => format!("{word}: {error}"),
            Err(error) => format!("{word}: {error}"),
        },
    }
}
