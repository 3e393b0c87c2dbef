//! Proxy: `sctp proxy --help`.
//!
//! | module | what |
//! |---|---|
//! | `backends` | the servers, and the choice among them |
//! | `relay`, `half` | one conversation: its two associations, and how they end |
//! | `totals`, `metrics` | what is counted |

mod backends;
mod half;
mod metrics;
mod relay;
mod totals;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::Args;
use sctp_tokio::{SctpListener, SocketBuilder};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use self::{
    backends::{Backends, Balance},
    relay::Relay,
    totals::Totals,
};
use crate::{
    address,
    ending::END_TIMEOUT,
    output::{Format, Printer, log},
    parse,
    signal::Signals,
    status::{FAILED, Failure},
    timing::ACCEPT_PAUSE,
};

/// Passes the messages of clients on to servers, and back.
///
/// Each client gets an association of its own with one of the servers. Messages keep their stream,
/// their payload protocol identifier, and whether they are ordered; a lifetime ends at the proxy.
/// When one side shuts down or aborts, so is the other, with the same reason, once it has what was
/// sent before. A side that is lost becomes an abort whose reason says so.
///
/// A message that the proxy has and cannot pass on is lost. It is counted, and reported in the line
/// about its conversation: messages that a client sends while its server shuts down, and replies to
/// a client that has left. What is on its way to a peer that is lost is counted as well, and what is
/// on its way to a peer that aborts is not.
///
/// Ctrl-C and SIGTERM drain it: it refuses further clients, reads no more messages, passes replies
/// on until none has come for 200 ms, and then shuts each client down. What clients have sent
/// meanwhile still reaches the servers. The counters are then printed to standard output, as JSON.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Exit status:
  0  it was stopped, and every conversation has ended
  1  an unknown host, an address that cannot be bound, or it failed otherwise
  2  the command line is wrong

Try it:
  sctp listen --echo --quiet 127.0.0.1:9001 & sctp listen --echo --quiet 127.0.0.1:9002 &
  sctp proxy --listen 127.0.0.1:9877 --to 127.0.0.1:9001 --to 127.0.0.1:9002 &
  sctp load 127.0.0.1:9877 --associations 16"
)]
pub(crate) struct ProxyArgs {
    /// Listen on this address, HOST:PORT; several make the proxy multi-homed, and share one port
    #[arg(long, required = true, value_name = "ADDR")]
    listen: Vec<String>,
    /// A server; addresses joined by commas belong to the same one. A name is looked up for each
    /// association
    #[arg(long, required = true, value_name = "ADDR[,ADDR...]")]
    to: Vec<String>,
    /// Choice among several servers; one that was not reached within the last second comes last
    #[arg(long, value_enum, default_value_t = Balance::RoundRobin)]
    balance: Balance,
    /// Keep a client whose server goes, and go on with another server. For protocols without a
    /// handshake: the new server knows nothing of the client
    #[arg(long)]
    survive: bool,

    /// Maximum number of clients; others wait in the kernel
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_associations: u32,
    /// Abort peers that send longer messages than this
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, default_value = "1M")]
    max_message_size: u32,
    /// Try the next server after this time
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration, default_value = "2s")]
    connect_timeout: Duration,
    /// Shut a client down after this time of a drain even if replies still come
    #[arg(long, value_name = "TIME", value_parser = parse::duration, default_value = "10s")]
    drain_timeout: Duration,

    /// Serve the counters for Prometheus over HTTP on this address
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// Print no line about each conversation
    #[arg(long, short)]
    quiet: bool,
}

/// State of all conversations.
struct Proxy {
    args: ProxyArgs,
    backends: Backends,
    totals: Arc<Totals>,
    /// Set when the conversations are to end.
    stopped: watch::Receiver<bool>,
}

pub(crate) async fn run(args: ProxyArgs, mut signals: Signals) -> Result<(), Failure> {
    let sockets = SocketBuilder::new().with_max_message_size(args.max_message_size as usize);
    // A misspelt name is reported now, and not to each client.
    for server in &args.to {
        let addrs: Vec<_> = server.split(',').map(str::to_owned).collect();
        signals.unless(address::resolve(&addrs)).await??;
    }
    let listen = signals.unless(address::resolve(&args.listen)).await??;
    let mut listener = sockets.clone().with_local_addrs(listen).listen()?;
    let totals = Arc::new(Totals::default());
    if let Some(addr) = args.metrics {
        let failed = |error| Failure::new(FAILED, format!("cannot bind {addr}: {error}"));
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        log(format_args!(
            "metrics on http://{}/metrics",
            listener.local_addr()?
        ));
        tokio::spawn(metrics::serve(listener, Arc::clone(&totals)));
    }
    log(format_args!(
        "listening on {}",
        address::list(&listener.local_addrs()?)
    ));
    let (stop, stopped) = watch::channel(false);
    let proxy = Arc::new(Proxy {
        backends: Backends::new(
            &args.to,
            args.balance,
            sockets.with_connect_timeout(args.connect_timeout),
        ),
        totals,
        stopped,
        args,
    });
    let mut tasks = JoinSet::new();
    tokio::select! {
        biased;
        _ = signals.first() => {}
        () = accept(&proxy, &mut listener, &mut tasks) => {}
    }
    listener.stop_listening()?;
    stop.send_replace(true);
    let drained = drain(&proxy, &mut tasks).await;
    let printer = Printer::start(Format::None);
    // Numbers: this cannot fail.
    let figures = serde_json::to_string(&proxy.totals.figures()).unwrap_or_default();
    printer.print(figures + "\n").await?;
    printer.flush().await?;
    drained
}

async fn accept(proxy: &Arc<Proxy>, listener: &mut SctpListener, tasks: &mut JoinSet<()>) {
    let limit = proxy.args.max_associations as usize;
    loop {
        tokio::select! {
            accepted = listener.accept(), if tasks.len() < limit => match accepted {
                Ok(client) => {
                    proxy.totals.accepted();
                    let proxy = Arc::clone(proxy);
                    tasks.spawn(async move {
                        if let Some(relay) = Relay::begin(&proxy, client).await {
                            relay.run().await;
                        }
                    });
                }
                Err(error) => {
                    log(format_args!("cannot accept: {error}"));
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = tasks.join_next() => if let Err(error) = ended {
                log(format_args!("a conversation's task failed: {error}"));
            },
        }
    }
}

/// Waits for the ends of all conversations: those that drain, then what their ends may take.
async fn drain(proxy: &Proxy, tasks: &mut JoinSet<()>) -> Result<(), Failure> {
    let all = async { while tasks.join_next().await.is_some() {} };
    let limit = proxy.args.drain_timeout.saturating_add(3 * END_TIMEOUT);
    let ended = timeout(limit, all).await;
    ended.map_err(|_| {
        let text = format!("{} conversations did not end in time", tasks.len());
        Failure::new(FAILED, text)
    })
}
