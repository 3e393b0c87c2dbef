//! An operations endpoint beside a server: health, metrics, and a page on which an operator sees the
//! associations, and drains or aborts one: `admin --help`.
#![forbid(unsafe_code)]

mod http;
mod table;

use std::{
    error::Error,
    fs, future,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use clap::Parser;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sctp_examples::{
    program::{self, say},
    signal,
};
use sctp_service::{
    IncomingAssociation, Shutdown,
    handler::handler_fn,
    layer::{AssociationMetrics, MetricsLayer, TransportMetrics, from_fn_with_state},
    serve,
};
use sctp_tokio::SctpListener;
use tokio::{
    net::TcpListener,
    time::{Duration, interval},
};
use tower::{ServiceBuilder, service_fn};
use tracing_subscriber::filter::LevelFilter;

use http::{Admin, Refusals};
use table::{Table, count};

/// The upper ends of the histogram's buckets, in seconds.
const BUCKETS: [f64; 6] = [1e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5];

/// Echoes messages, and shows its associations on a page.
///
/// The message "hang" is never answered, so that there is something to wait for when the server
/// drains. Actions of operators are logged, by default, with their address. The associations as JSON
/// are described in examples/docs/admin.md.
#[derive(Parser)]
#[command(after_help = "\
Try it:
  (umask 077; echo secret > token)
  admin --token-file token &
  curl http://127.0.0.1:9101/associations
  curl -H 'Authorization: Bearer secret' -d 'maintenance' http://127.0.0.1:9101/associations/1/abort")]
struct Args {
    /// Serve SCTP on this address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9877")]
    listen: SocketAddr,
    /// Serve HTTP on this address. Everybody who reaches it can read all; it is not encrypted
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9101")]
    admin: SocketAddr,
    /// Answer requests for this host name too, besides IP addresses and localhost
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Let those end associations who know the text in this file; without it nobody can
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Close a connection of HTTP after this time, whatever it is doing
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = program::seconds)]
    http_timeout: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_log_at(LevelFilter::INFO);
    program::exit("admin", run(args).await)
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let token = args.token_file.map(read_token).transpose()?;
    let stop = signal::stop()?;
    // The recorder comes first: what is registered before it is there is never recorded.
    let prometheus = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)?
        .install_recorder()?;
    tokio::spawn(keep_up(prometheus.clone()));
    let (table, draining) = (Arc::new(Table::default()), Arc::new(AtomicBool::new(false)));
    let (associations, transport) = (AssociationMetrics::new(), TransportMetrics::new());

    let http = TcpListener::bind(args.admin).await;
    let http = http.map_err(|error| format!("cannot bind {}: {error}", args.admin))?;
    let listener = SctpListener::bind(args.listen).await?;
    say(format_args!("listening on {}", listener.local_addrs()?[0]));
    say(format_args!("admin page at http://{}/", http.local_addr()?));
    let admin = Admin {
        table: Arc::clone(&table),
        draining: Arc::clone(&draining),
        prometheus,
        transport: transport.clone(),
        token,
        hosts: args.host,
        refusals: Refusals::default(),
    };
    // It answers until the last association has ended, and goes with the process.
    tokio::spawn(http::serve(http, admin, args.http_timeout));

    let make_service = service_fn(move |incoming: IncomingAssociation| {
        let row = table.add(incoming.handle().clone(), incoming.connect_info.clone());
        let service = ServiceBuilder::new()
            .layer(MetricsLayer::new())
            .layer(from_fn_with_state(row, count))
            .service(handler_fn(echo));
        future::ready(Ok::<_, Shutdown>(service))
    });
    serve(listener, make_service)
        .on_event(move |event| associations.record(event))
        .on_event(move |event| transport.record(event))
        .with_graceful_shutdown(async move {
            stop.await;
            draining.store(true, Ordering::Relaxed);
        })
        .await;
    Ok(())
}

/// Bounds the memory of a recorder that nobody asks.
async fn keep_up(prometheus: PrometheusHandle) {
    let mut ticks = interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        prometheus.run_upkeep();
    }
}

async fn echo(payload: Bytes) -> Bytes {
    if payload == "hang" {
        future::pending::<()>().await;
    }
    payload
}

fn read_token(file: PathBuf) -> Result<String, String> {
    let named = |error: &str| format!("{}: {error}", file.display());
    let token = fs::read_to_string(&file).map_err(|error| named(&error.to_string()))?;
    match token.trim() {
        "" => Err(named("no token in it")),
        token if !token.bytes().all(|byte| byte.is_ascii_graphic()) => Err(named(
            "token with other characters than letters, digits and signs",
        )),
        token => Ok(token.to_owned()),
    }
}
