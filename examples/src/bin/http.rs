//! HTTP by hyper over SCTP: a server that says whom it serves, and a client that asks it.
//!
//! ```sh
//! .kernel/run cargo run --bin http
//! ```
use std::{convert::Infallible, error::Error};

use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client, server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use sctp_tokio::{Association, ByteStream, SctpListener};

type Failure = Box<dyn Error + Send + Sync>;

/// hyper needs bytes in both directions.
fn byte_stream(association: Association) -> std::io::Result<TokioIo<ByteStream>> {
    ByteStream::new(association, 0).map(TokioIo::new)
}

async fn serve(association: Association) -> Result<(), Failure> {
    let peer = association.initial_peer_addrs().to_vec();
    let answer = service_fn(async |request: Request<Incoming>| {
        let text = format!("{} for {peer:?}\n", request.uri().path());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
    });
    let connection = server::conn::http1::Builder::new();
    connection
        .serve_connection(byte_stream(association)?, answer)
        .await?;
    Ok(())
}

async fn get(association: Association, path: &str) -> Result<Bytes, Failure> {
    let (mut sender, connection) =
        client::conn::http1::handshake(byte_stream(association)?).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let text = response.into_body().collect().await?.to_bytes();
    // Without another request the connection ends, and with it the association.
    drop(sender);
    connection.await??;
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut listener = SctpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addrs()?[0];
    let server = tokio::spawn(async move { serve(listener.accept().await?).await });
    let answer = get(Association::connect(addr).await?, "/status").await?;
    print!("{}", String::from_utf8_lossy(&answer));
    server.await?
}
