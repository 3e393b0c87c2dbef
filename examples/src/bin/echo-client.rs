//! The client of *UNIX Network Programming*, volume 1, section 10.7: `echo-client --help`.
#![forbid(unsafe_code)]

use std::{error::Error, fmt, io, process::ExitCode};

use clap::Parser;
use sctp_examples::{
    address,
    client::{self, Options, status},
    line, program,
};
use sctp_tokio::{AbortReason, Association, SocketBuilder};

/// Sends lines to an SCTP echo server and prints its replies.
///
/// A line `[N]text` on standard input sends the text as one message on stream N. Each reply is
/// printed as "From str:N seq:S (assoc:0xA): text": its stream, its sequence number on that
/// stream, and the association. The next line is read when the one before has been answered.
///
/// At the end of the input the association is shut down in order, or with --abort aborted.
#[derive(Parser)]
#[command(after_help = "\
Exit status:
  0  the association ended from here: shut down in order, or aborted as --abort asks
  1  there was no association (no such name, nobody listening, no SCTP in the kernel), or the
     client itself failed
  2  the command line is wrong
  3  the server shut the association down
  4  the server aborted the association; its reason is on standard error
  5  the server stopped answering

Try it:
  echo-server &
  echo '[3]hello' | echo-client 127.0.0.1:9877")]
struct Args {
    /// The server's address, HOST:PORT; further ones are other addresses of the same server
    #[arg(required = true, value_name = "ADDR")]
    server: Vec<String>,
    /// Send each line, as it is, on every stream, with ".msg.N" for stream N at its end
    #[arg(long)]
    echo_all: bool,
    /// At the end of the input, abort the association with this reason
    #[arg(long, value_name = "REASON", value_parser = line::reason)]
    abort: Option<AbortReason>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_log();
    let status = run(args).await.unwrap_or_else(|error| {
        complain(&error);
        status::FAILED
    });
    ExitCode::from(status)
}

async fn run(args: Args) -> Result<u8, Box<dyn Error>> {
    let mut association = connect(&args.server).await?;
    let options = Options {
        echo_all: args.echo_all,
        abort: args.abort,
    };
    let input = client::lines_of_stdin();
    let end = client::talk(&mut association, input, io::stdout(), &options).await?;
    let status = client::status_of(&end);
    if status != status::DONE {
        complain(&format_args!("the association is over: {end}"));
    }
    Ok(status)
}

async fn connect(server: &[String]) -> Result<Association, Box<dyn Error>> {
    if let [only] = server {
        // The addresses of one name may be different hosts, and are tried one after the other.
        let connected = Association::connect(only).await;
        return connected.map_err(|error| format!("cannot connect: {error}").into());
    }
    let addrs = address::resolve(server).await?;
    let connected = SocketBuilder::new().connect(&addrs).await;
    connected.map_err(|error| format!("cannot connect: {error}").into())
}

fn complain(message: &dyn fmt::Display) {
    program::note(format_args!("echo-client: {message}"));
}
