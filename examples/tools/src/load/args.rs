//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    load::{schedule::Arrivals, sizes::Sizes},
    parse::{self, Source},
};

/// Puts load on an SCTP server that echoes, and measures throughput and latency.
///
/// Sends messages on one or many associations, waits for the reply to each, and reports how many
/// calls were answered per second and how long they took. Any server will do that answers each
/// message with one message: with an echo that begins like the message, replies may come in any
/// order; otherwise they are taken in the order of their stream.
///
/// CLOSED OR OPEN LOOP. By default each association keeps --in-flight calls open and begins
/// the next when one is answered: this finds the highest throughput. With --rate, calls are due
/// at fixed times whether or not the server keeps up, and latency counts from those times: this
/// finds what callers see, who do not wait for each other. It includes the delay of timers; the
/// column "from sending" does not.
///
/// A RUN is: the associations come up (spread over --ramp-up), --warm-up, the measured part
/// (--duration or --count), and the wait for the last replies. Ctrl-C ends it early and reports;
/// a second Ctrl-C waits for nothing.
#[derive(Debug, Parser)]
#[command(
    name = "sctp load",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    verbatim_doc_comment,
    after_help = "\
Results go to standard output, progress to standard error.

Exit status:
  0  every call was answered, except those that a signal cut off, and no association was refused
     or lost; with --tolerate, in any case
  1  a call failed, was missed or was not answered, or an association was refused or lost
  2  the command line is wrong
  3  the run could not be made, or its results not be written

Try it:
  sctp listen --echo --quiet 127.0.0.1:9877 &
  sctp load 127.0.0.1:9877
  sctp load 127.0.0.1:9877 --associations 16 --in-flight 64 --json a.json
  sctp load 127.0.0.1:9877 --rate 5k --size 64:9,16k:1 --duration 1m --plot load.svg
  sctp load compare a.json b.json"
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) load: Load,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare two result files that --json wrote: each figure, and the second over the first
    Compare {
        /// The result to compare with
        before: PathBuf,
        /// The result to compare
        after: PathBuf,
    },
}

/// Style of the socket of each association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SocketKind {
    /// A one-to-many socket (SOCK_SEQPACKET) for each association
    OneToMany,
    /// A one-to-one socket (SOCK_STREAM) for each association
    OneToOne,
}

#[derive(Args, Debug)]
pub(crate) struct Load {
    /// The server's address, HOST:PORT; further ones are other addresses of the same server
    #[arg(required = true, value_name = "ADDR")]
    pub(crate) server: Vec<String>,

    /// Number of associations
    #[arg(long, short, value_name = "N", default_value_t = 1, help_heading = "Load",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) associations: u32,
    /// Number of streams that each association uses, in turn
    #[arg(long, short, value_name = "N", default_value_t = 1, help_heading = "Load",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) streams: u16,
    /// Maximum number of open calls per association [default: 1; with --rate 256]
    #[arg(long, short = 'c', value_name = "N", help_heading = "Load",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) in_flight: Option<u32>,
    /// Open loop: so many calls per second, of all associations together
    #[arg(long, short, value_name = "RATE", value_parser = parse::rate, help_heading = "Load")]
    pub(crate) rate: Option<f64>,
    /// Distribution of the calls of an open loop
    #[arg(long, value_enum, default_value_t = Arrivals::Even, requires = "rate",
          help_heading = "Load")]
    pub(crate) arrivals: Arrivals,
    /// Bytes per message: 64, any length of a range as in 64-1k, or lengths with weights as in
    /// 64:9,16k:1
    #[arg(
        long,
        value_name = "SIZES",
        default_value = "64",
        help_heading = "Load"
    )]
    pub(crate) size: Sizes,
    /// The payload protocol identifier of each message
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Load")]
    pub(crate) ppid: u32,
    /// Send messages unordered
    #[arg(long, help_heading = "Load")]
    pub(crate) unordered: bool,

    /// Duration of the measurement [default: 10s]
    #[arg(long, short, value_name = "TIME", value_parser = parse::some_duration,
          help_heading = "Run")]
    pub(crate) duration: Option<Duration>,
    /// Number of calls to measure, instead of a duration
    #[arg(long, short = 'n', value_name = "N", conflicts_with = "duration", help_heading = "Run",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Spread the beginnings of the associations over this time
    #[arg(long, value_name = "TIME", value_parser = parse::duration, default_value = "0",
          help_heading = "Run")]
    pub(crate) ramp_up: Duration,
    /// Put on the load for this time before measuring
    #[arg(long, value_name = "TIME", value_parser = parse::duration, default_value = "0",
          help_heading = "Run")]
    pub(crate) warm_up: Duration,
    /// Give a call up after this time
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration, default_value = "5s",
          help_heading = "Run")]
    pub(crate) call_timeout: Duration,
    /// Give a connect up after this time
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration, default_value = "5s",
          help_heading = "Run")]
    pub(crate) connect_timeout: Duration,
    /// Give an association up on which calls were made and no reply came for this time
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration, default_value = "15s",
          help_heading = "Run")]
    pub(crate) give_up: Duration,
    /// Set associations up again that were refused or lost, once a second
    #[arg(long, help_heading = "Run")]
    pub(crate) reconnect: bool,

    /// Style of the sockets
    #[arg(long, value_enum, default_value_t = SocketKind::OneToMany, help_heading = "Sockets")]
    pub(crate) socket: SocketKind,
    /// Send from this address; given several times, associations take them in turn; several
    /// joined by commas belong to one association (multi-homing)
    #[arg(long, value_name = "IP[,IP...]", value_parser = parse::source,
          help_heading = "Sockets")]
    pub(crate) bind: Vec<Source>,
    /// Size of each send buffer, which also bounds messages [default: the kernel's]
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, help_heading = "Sockets")]
    pub(crate) send_buffer: Option<u32>,
    /// Size of each receive buffer; several long messages in flight need a larger one than the
    /// kernel's default, or the window closes and replies wait for a timer
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, help_heading = "Sockets")]
    pub(crate) recv_buffer: Option<u32>,
    /// Threads to work with [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Sockets",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Write the results to this file as JSON; times are in nanoseconds
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) json: Option<PathBuf>,
    /// Draw throughput and latency over time in this file, as SVG
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) plot: Option<PathBuf>,
    /// Interval between points of the series over time
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration, default_value = "1s",
          help_heading = "Results")]
    pub(crate) interval: Duration,
    /// Write every message to this file, for Wireshark and tshark
    #[arg(long, value_name = "FILE.pcapng", help_heading = "Results")]
    pub(crate) trace: Option<PathBuf>,
    /// Show no progress
    #[arg(long, short, help_heading = "Results")]
    pub(crate) quiet: bool,
    /// Exit with 0 even if calls failed or associations were lost
    #[arg(long, help_heading = "Results")]
    pub(crate) tolerate: bool,
}

impl Load {
    /// Duration of the measurement. `None` if calls are counted.
    pub(crate) fn measured_time(&self) -> Option<Duration> {
        match self.count {
            Some(_) => None,
            None => Some(self.duration.unwrap_or(Duration::from_secs(10))),
        }
    }

    /// Maximum number of open calls per association.
    pub(crate) fn window(&self) -> usize {
        let default = if self.rate.is_some() { 256 } else { 1 };
        self.in_flight.unwrap_or(default) as usize
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn load(args: &str) -> Result<Load, clap::Error> {
        let args = ["load"].into_iter().chain(args.split(' '));
        CommandLine::try_parse_from(args).map(|line| line.load)
    }

    #[test]
    fn command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn defaults_depend_on_the_loop() {
        let closed = load("h:1").unwrap();
        assert_eq!(closed.window(), 1);
        assert_eq!(closed.measured_time(), Some(Duration::from_secs(10)));
        let open = load("h:1 --rate 10 -n 5").unwrap();
        assert_eq!(open.window(), 256);
        assert_eq!(open.measured_time(), None);
    }

    #[test]
    fn contradictions_are_refused() {
        for args in [
            "h:1 -n 5 -d 1s",
            "h:1 --arrivals poisson",
            "h:1 -a 0",
            "h:1 --streams 0",
            "h:1 --in-flight 0",
            "h:1 --count 0",
            "h:1 --duration 0",
            "h:1 --bind localhost",
            "h:1 --size 0",
            "compare a.json",
        ] {
            assert!(load(args).is_err(), "{args}");
        }
    }

    #[test]
    fn compare_needs_no_server() {
        let line = CommandLine::try_parse_from(["sctp load", "compare", "a", "b"]).unwrap();
        assert!(matches!(line.command, Some(Command::Compare { .. })));
    }
}
