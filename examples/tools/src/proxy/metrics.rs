//! Figures for Prometheus, over HTTP.

use std::{fmt::Write as _, io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::totals::{Figures, Totals};
use crate::timing::ACCEPT_PAUSE;

/// Time limit for a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers one request after the other. Whatever the path, the answer is the metrics.
pub(super) async fn serve(listener: TcpListener, totals: Arc<Totals>) {
    loop {
        match listener.accept().await {
            // A reader that is too slow, or leaves, loses only its own answer.
            Ok((stream, _)) => drop(timeout(REQUEST_TIMEOUT, answer(stream, &totals)).await),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn answer(mut stream: TcpStream, totals: &Totals) -> io::Result<()> {
    let mut request = [0; 4096];
    let mut read = 0;
    while read < request.len() && !request[..read].windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut request[read..]).await? {
            0 => break,
            more => read += more,
        }
    }
    let body = text(&totals.figures());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

fn text(figures: &Figures) -> String {
    let mut text = String::new();
    for (name, help, samples) in [
        (
            "associations_accepted",
            "Associations of clients that were accepted.",
            &[("", figures.accepted)][..],
        ),
        (
            "associations_refused",
            "Clients that were aborted because no server took them.",
            &[("", figures.without_server)],
        ),
        (
            "servers_replaced",
            "Servers that were replaced under a client.",
            &[("", figures.replaced_servers)],
        ),
        (
            "messages",
            "Messages that were passed on.",
            &[
                (r#"{to="server"}"#, figures.messages_to_server),
                (r#"{to="client"}"#, figures.messages_to_client),
            ],
        ),
        (
            "messages_lost",
            "Messages that were received and not passed on.",
            &[
                (r#"{to="server"}"#, figures.lost_to_server),
                (r#"{to="client"}"#, figures.lost_to_client),
            ],
        ),
        (
            "conversations_closed",
            "Conversations that are closed, by the end of the side that closed first.",
            &[
                (r#"{cause="shutdown"}"#, figures.shutdowns),
                (r#"{cause="abort"}"#, figures.aborts),
                (r#"{cause="lost"}"#, figures.losses),
                (r#"{cause="failure"}"#, figures.failures),
            ],
        ),
    ] {
        let name = format!("sctp_proxy_{name}_total");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}
