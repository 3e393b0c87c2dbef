//! The server of *UNIX Network Programming*, volume 1, section 10.7: `echo-server --help`.
#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use clap::{Parser, ValueEnum};
use sctp_examples::{
    address, program,
    service::{Ending, Settings, service},
    signal,
};
use sctp_service::{Listener, MakeService, Serve, serve, serve_endpoint};
use sctp_tokio::SocketBuilder;
use tracing_subscriber::filter::LevelFilter;

/// Answers each SCTP message with itself.
///
/// Prints the address that it listens on to standard output, and logs to standard error each
/// association's beginning and end, with how it ended and the reason that the peer gave. RUST_LOG
/// chooses what is logged: RUST_LOG=debug for more, RUST_LOG=off for nothing.
///
/// With --shutdown none, a client chooses how its association ends: the message "quit" gets its
/// echo and then an orderly shutdown, the message "abort REASON" an abort with that reason.
///
/// Ctrl-C or SIGTERM stop it: it accepts nobody any more, answers what it has read, and shuts
/// each association down in order.
#[derive(Parser)]
#[command(after_help = "\
Try it:
  echo-server &
  echo '[3]hello' | echo-client 127.0.0.1:9877")]
struct Args {
    /// Listen on this address, HOST:PORT; port 0 lets the kernel choose one. Several addresses
    /// make the server multi-homed, and share one port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9877")]
    listen: Vec<String>,
    /// Give each association a socket of its own, or keep all on one
    #[arg(long, value_enum, default_value_t = Style::PeelOff)]
    style: Style,
    /// Answer on the stream after the one that the message came on, and after the last one on
    /// stream 0
    #[arg(long)]
    stream_increment: bool,
    /// Effect of a reply on its association: none, after-ack (shut it down once the reply
    /// has been acknowledged), or abort=REASON (abort it, instead of a reply)
    #[arg(long, value_name = "HOW", default_value_t = Ending::None)]
    shutdown: Ending,
    /// Abort peers that send longer messages than this
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024)]
    max_message_size: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Style {
    /// Peel each association off to a socket of its own: a slow peer delays nobody
    PeelOff,
    /// One socket for all associations, as in the textbook
    OneToMany,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_log_at(LevelFilter::INFO);
    program::exit("echo-server", run(args).await)
}

async fn run(args: Args) -> io::Result<()> {
    let sockets = SocketBuilder::new()
        .with_local_addrs(address::resolve(&args.listen).await?)
        .with_max_message_size(args.max_message_size);
    let service = service(Settings {
        stream_increment: args.stream_increment,
        ending: args.shutdown,
    });
    match args.style {
        Style::PeelOff => run_until_stopped(serve(sockets.listen()?, service)).await?,
        Style::OneToMany => run_until_stopped(serve_endpoint(sockets.endpoint()?, service)).await?,
    }
    Ok(())
}

async fn run_until_stopped<L, M, K>(server: Serve<L, M, K>) -> io::Result<()>
where
    L: Listener,
    M: MakeService<K>,
    K: 'static,
{
    let stop = signal::stop()?;
    let addrs = server.local_addrs()?;
    let addrs: Vec<String> = addrs.iter().map(SocketAddr::to_string).collect();
    writeln!(io::stdout(), "listening on {}", addrs.join(" "))?;
    server.with_graceful_shutdown(stop).await;
    Ok(())
}
