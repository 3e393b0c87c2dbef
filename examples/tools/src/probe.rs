//! Question whether a peer takes associations: `sctp probe --help`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use sctp_tools::format::latency;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    address::{Peer, list},
    ending::Ending,
    output::{Format, Printer},
    session::Session,
    signal::Signals,
    status::{self, Failure},
    trace::Trace,
};

/// Sets an association up and shuts it down: the exit status says whether the peer takes
/// associations.
///
/// Prints the peer's addresses, the negotiated streams and the round-trip time. The peer's kernel
/// answers for its program: this does not show that the program serves the association. For that,
/// send a message: sctp send ADDR --message ping --expect 1.
///
/// As a readiness probe in Kubernetes it needs no shell in the image:
///   exec: { command: ["/sctp", "probe", "--quiet", "127.0.0.1:9877"] }
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_help = status::TABLE)]
pub(crate) struct ProbeArgs {
    #[command(flatten)]
    peer: Peer,
    /// Print a JSON object on a line; times are in nanoseconds
    #[arg(long)]
    json: bool,
    /// Print nothing: the exit status says it
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
    /// Write the end of the association to this file, for Wireshark and tshark
    #[arg(long, value_name = "FILE.pcapng")]
    trace: Option<PathBuf>,
}

/// Findings about a peer.
#[derive(Serialize)]
struct Findings {
    peer_addrs: Vec<SocketAddr>,
    local_addrs: Vec<SocketAddr>,
    outbound_streams: u16,
    inbound_streams: u16,
    mtu: Option<u32>,
    /// Time of the setup, which takes two round trips.
    setup: u64,
    rtt: u64,
}

impl Findings {
    fn of(session: &Session, took: Duration) -> Self {
        let association = &session.association;
        let setup = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        Self {
            peer_addrs: association.initial_peer_addrs().to_vec(),
            local_addrs: association.initial_local_addrs().to_vec(),
            outbound_streams: association.outbound_streams(),
            inbound_streams: association.inbound_streams(),
            mtu: association
                .control()
                .status()
                .ok()
                .map(|status| status.primary.mtu),
            setup,
            rtt: setup / 2,
        }
    }

    fn text(&self) -> String {
        let mtu = self
            .mtu
            .map_or_else(|| "not known".to_owned(), |mtu| format!("{mtu} bytes"));
        format!(
            "\
peer      {}
local     {}
streams   {} outbound, {} inbound
path MTU  {mtu}
setup     {}
rtt       {} (half of the setup, which takes two round trips)
",
            list(&self.peer_addrs),
            list(&self.local_addrs),
            self.outbound_streams,
            self.inbound_streams,
            latency(self.setup),
            latency(self.rtt),
        )
    }
}

pub(crate) async fn run(args: ProbeArgs, mut signals: Signals) -> Result<(), Failure> {
    let trace = Trace::create(args.trace.as_deref())?;
    let began = Instant::now();
    let association = signals.unless(args.peer.connect(0)).await??;
    let took = began.elapsed();
    let printer = Printer::start(Format::None);
    let mut session = Session::new(association, printer.clone(), &trace);
    if !args.quiet {
        let findings = Findings::of(&session, took);
        let lines = match args.json {
            // Strings and numbers: this cannot fail.
            true => serde_json::to_string(&findings).unwrap_or_default() + "\n",
            false => findings.text(),
        };
        printer.print(lines).await?;
    }
    let done = tokio::select! {
        biased;
        signal = signals.first() => {
            session.leave().await;
            Err(Failure::stopped(signal))
        }
        ended = session.end(&Ending::Shutdown) => ended.map(drop),
    };
    let printed = printer.flush().await;
    done.and(printed).and(trace.finish())
}
