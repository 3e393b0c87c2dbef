//! Counts and measures what a server does, and shows it to Prometheus: a page of text over plain
//! TCP. Some clients come and go, and then the page is fetched as Prometheus would.
//!
//! ```text
//! cargo run --bin prometheus
//! ```
#![forbid(unsafe_code)]

use std::{error::Error, io, net::SocketAddr};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sctp_service::{
    Payload, Shutdown,
    handler::handler_fn,
    layer::{AssociationMetrics, MetricsLayer, TransportMetrics},
    serve,
};
use sctp_tokio::{Association, SctpListener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Duration, timeout},
};
use tower::ServiceBuilder;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The upper ends of the histogram's buckets, in seconds.
const BUCKETS: [f64; 6] = [1e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5];

async fn echo(Payload(payload): Payload) -> std::result::Result<Payload, Shutdown> {
    match &payload[..] {
        b"abort" => Err(Shutdown::abort("as you wish")),
        _ => Ok(Payload(payload)),
    }
}

#[tokio::main]
async fn main() -> Result {
    // The recorder comes first: what is registered before it is there is never recorded.
    let prometheus = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)?
        .install_recorder()?;
    let page = TcpListener::bind("127.0.0.1:0").await?;
    let page_addr = page.local_addr()?;
    // One series for each of up to 100 peers.
    let transport = TransportMetrics::new().with_peer_labels(100);
    tokio::spawn(show(page, prometheus, transport.clone()));

    let service = ServiceBuilder::new()
        .layer(MetricsLayer::new())
        .service(handler_fn(echo));
    let associations = AssociationMetrics::new();
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    serve(listener, service)
        .on_event(move |event| associations.record(event))
        .on_event(move |event| transport.record(event))
        .with_graceful_shutdown(async move {
            match clients(server, page_addr).await {
                Ok(text) => print!("{text}"),
                Err(error) => eprintln!("a client failed: {error}"),
            }
        })
        .await;
    Ok(())
}

/// Lets some clients come and go, and fetches the page while one more is there.
async fn clients(server: SocketAddr, page: SocketAddr) -> Result<String> {
    for words in [&["one", "two", "three"][..], &["abort"]] {
        let mut client = Association::connect(server).await?;
        for word in words {
            client.send(*word).await?;
            // An answer, or the abort that was asked for.
            if !matches!(client.recv().await, Ok(Some(_))) {
                break;
            }
        }
        if client.end().is_none() {
            client.shutdown().await?;
        }
    }
    let mut last = Association::connect(server).await?;
    last.send("four").await?;
    last.recv().await?;
    Ok(fetch(page).await?)
}

/// Answers every request with the page, one client at a time, and none for long. There is
/// nothing else here; a real server would leave this to an HTTP framework.
async fn show(page: TcpListener, prometheus: PrometheusHandle, transport: TransportMetrics) {
    while let Ok((client, _)) = page.accept().await {
        // Samples are kept in memory until somebody tidies them up: at least as often as this.
        prometheus.run_upkeep();
        // The kernel's statistics are read when they are asked for.
        transport.collect().await;
        match timeout(Duration::from_secs(5), answer(client, &prometheus)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("cannot answer: {error}"),
            Err(_) => eprintln!("a client was too slow"),
        }
    }
}

async fn answer(mut client: TcpStream, prometheus: &PrometheusHandle) -> io::Result<()> {
    let mut request = [0; 1024];
    let _ = client.read(&mut request).await?;
    let body = prometheus.render();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(body.as_bytes()).await?;
    client.shutdown().await
}

async fn fetch(page: SocketAddr) -> io::Result<String> {
    let mut page = TcpStream::connect(page).await?;
    page.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut text = String::new();
    page.read_to_string(&mut text).await?;
    Ok(text)
}
