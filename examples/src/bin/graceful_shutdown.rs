//! A server that stops when it is told to (SIGTERM, as Kubernetes and systemd send, or Ctrl-C):
//! it takes no new peers, finishes the calls in flight, shuts each association down in order,
//! and aborts what is left when its time is up.
//!
//! Three clients are connected when this program sends itself SIGTERM: one is idle, one has a call
//! in flight, and one has a call that never ends.
//!
//! ```text
//! cargo run --bin graceful_shutdown
//! ```
#![forbid(unsafe_code)]

use std::{error::Error, future, net::SocketAddr, process::Command, time::Duration};

use sctp_examples::signal;
use sctp_service::{ServerEvent, serve};
use sctp_tokio::{Association, Event, Message, SctpListener};
use tokio::time::sleep;

/// Time limit for calls in flight during a shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

async fn work(text: String) -> String {
    match text.as_str() {
        "work" => sleep(Duration::from_millis(200)).await,
        "hang" => future::pending().await,
        _ => {}
    }
    format!("done: {text}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    let serving = serve(listener, work)
        .with_graceful_shutdown(signal::stop()?)
        .with_drain_timeout(DRAIN_TIMEOUT)
        .on_event(|event| {
            if let ServerEvent::Closed { counts, .. } = event {
                println!("server: closed, {} calls dropped", counts.dropped_calls);
            }
        });
    let serving = tokio::spawn(serving.into_future());

    let mut clients = Vec::new();
    for text in ["idle", "work", "hang"] {
        let association = connect(server, text).await?;
        clients.push(tokio::spawn(until_the_end(association, text)));
    }
    // What `kill` does from outside. The signal is caught from `signal::stop()` on.
    let kill = format!("kill -TERM {}", std::process::id());
    Command::new("sh").args(["-c", &kill]).status()?;

    serving.await?; // every association is closed
    println!("server: stopped");
    for client in clients {
        client.await?;
    }
    let late = Association::connect(server).await;
    println!(
        "late: {}",
        late.map_or_else(|error| error.to_string(), |_| "?".to_owned())
    );
    Ok(())
}

/// Connects, and sends a text on stream 1. The answer to another on stream 2 tells that the server
/// has read both.
async fn connect(server: SocketAddr, text: &'static str) -> Result<Association, Box<dyn Error>> {
    let mut association = Association::connect(server).await?;
    association.send(Message::new(text).on_stream(1)).await?;
    association
        .send(Message::new("are you there?").on_stream(2))
        .await?;
    while let Some(reply) = association.recv().await? {
        if reply.info.stream.get() == 2 {
            break;
        }
    }
    Ok(association)
}

async fn until_the_end(mut association: Association, name: &str) {
    loop {
        match association.next_event().await {
            Ok(Event::Message(reply)) => println!("{name}: {:?}", reply.payload),
            Ok(Event::Closed(end)) => return println!("{name}: {end}"),
            Ok(_) => {}
            Err(error) => return println!("{name}: {error}"),
        }
    }
}
