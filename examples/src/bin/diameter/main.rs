//! A node of Diameter's base protocol (RFC 6733): `diameter --help`.
#![forbid(unsafe_code)]

mod answers;
mod dial;
mod messages;
mod node;
mod peer;

use std::{error::Error, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use sctp_examples::{
    address,
    program::{self, note, say, seconds},
    signal,
};
use sctp_service::{
    Config, Correlation, PeerTable, RequestOrder, ServerEvent, client::Backoff, serve,
};
use sctp_tokio::{AssocId, SocketBuilder, options::DelayedSack};
use tower::service_fn;

use dial::{Dial, LONGEST_PAUSE};
use messages::HopByHop;
use node::Node;

/// Exchanges accounting messages with other Diameter nodes, in both directions.
///
/// Prints a line for each event to standard output. RUST_LOG chooses what is logged to standard
/// error. SIGTERM or Ctrl-C: it sends Disconnect-Peer-Request to every peer, waits for the answers,
/// and ends in order.
#[derive(Parser)]
#[command(after_help = "\
Try it:
  diameter --identity a.example --realm example --listen 127.0.0.1:3868 &
  diameter --identity b.example --realm example --peer 127.0.0.1 --ask 1")]
struct Args {
    /// Identity of this node, a domain name
    #[arg(long, value_name = "HOST")]
    identity: String,
    /// Realm of this node
    #[arg(long)]
    realm: String,
    /// Listen on this address, HOST or HOST:PORT; several make the node multi-homed. Port 0 lets the kernel
    /// choose one
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Connect to this peer: an address, or those of one multi-homed peer joined by commas
    #[arg(long, value_name = "ADDR")]
    peer: Vec<String>,
    /// Connect from this address, HOST or HOST:PORT
    #[arg(long, value_name = "ADDR")]
    local: Option<String>,
    /// Send a watchdog request when nothing was heard of a peer for so long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    watchdog: Duration,
    /// Send an accounting request to each open peer this often
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    ask: Option<Duration>,
    /// Number of accounting requests to send each time
    #[arg(long, value_name = "N", default_value_t = 1)]
    burst: usize,
    /// Abort peers that have not exchanged capabilities after so long; an election waits for a fifth
    /// of it
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    handshake_timeout: Duration,
}

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The port of Diameter.
const PORT: u16 = 3868;
/// Pause before a second attempt to connect.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_log();
    program::exit("diameter", run(args).await)
}

async fn run(args: Args) -> Result {
    let signal = signal::stop()?;
    let local = resolve(args.local.as_slice(), 0).await?;
    let peers = PeerTable::new();
    let mut dials = Vec::new();
    for peer in &args.peer {
        let addrs: Vec<String> = peer.split(',').map(str::to_owned).collect();
        let addrs = resolve(&addrs, PORT).await?;
        dials.push(Dial::new(addrs, socket(local.clone()), peers.clone()));
    }
    let known = dials.iter().map(|dial| Arc::clone(&dial.known)).collect();
    let node = Arc::new(Node::new(&args, peers, known));
    let listener = match args.listen.is_empty() {
        true => None,
        false => Some(socket(resolve(&args.listen, PORT).await?).listen()?),
    };
    let (serving, leaving) = (Arc::clone(&node), Arc::clone(&node));
    let make_service = service_fn(move |incoming| Arc::clone(&serving).open(incoming, None));
    let mut server = serve(listener, make_service)
        .with_config(config(&args))
        .with_correlation(Correlation::by_key(HopByHop::new))
        .on_drain(move |association| {
            let node = Arc::clone(&leaving);
            async move { peer::disconnect(&node.origin, &association).await }
        })
        .on_event(|event| {
            if let ServerEvent::ConnectFailed { error, .. } = event {
                note(format_args!("no association: {error}"));
            }
        })
        .with_graceful_shutdown(signal);
    for dial in dials {
        let (serving, known) = (Arc::clone(&node), Arc::clone(&dial.known));
        let make_service = service_fn(move |incoming| {
            Arc::clone(&serving).open(incoming, Some(Arc::clone(&known)))
        });
        server = server.with_dial_service(dial, make_service);
    }
    for addr in server.local_addrs()? {
        say(format_args!("listening on {addr}"));
    }
    server.await;
    node.finished().await;
    Ok(())
}

fn config(args: &Args) -> Config {
    Config::new()
        // Diameter knows no order between requests.
        .with_request_order(RequestOrder::Unordered)
        .with_handshake_timeout(args.handshake_timeout)
        .with_backoff(Backoff::new(FIRST_PAUSE, LONGEST_PAUSE))
        .with_max_calls(4096)
}

/// Sets sockets up. Peers whose small messages wait for what is on its way, as freeDiameter's do, must
/// not wait for a delayed acknowledgement each time.
fn socket(bind: Vec<SocketAddr>) -> SocketBuilder {
    SocketBuilder::new()
        .with_local_addrs(bind)
        .configure(|socket| socket.set_delayed_sack(AssocId::FUTURE, &DelayedSack::off()))
}

/// Resolves addresses that may be without a port.
async fn resolve(names: &[String], port: u16) -> Result<Vec<SocketAddr>> {
    let with_port = |name: &String| match name.parse() {
        Ok(addr) => SocketAddr::new(addr, port).to_string(),
        Err(_) if name.contains(':') => name.clone(),
        Err(_) => format!("{name}:{port}"),
    };
    let names: Vec<String> = names.iter().map(with_port).collect();
    Ok(address::resolve(&names).await?)
}
