//! A server that sends of its own accord: a client subscribes once, and is sent every alarm that
//! anybody raises, for as long as its association lives. The reply to the subscription is a
//! channel: a task holds the other end of it, and sends into it.
//!
//! The subscription occupies its stream, since requests of one stream are answered in order; the
//! association's other streams stay free for requests.
//!
//! ```text
//! cargo run --bin server_push
//! ```
#![forbid(unsafe_code)]

use std::{error::Error, net::SocketAddr};

use sctp_service::{Drain, Handler, IntoReply, Reply, ReplySender, Request, State, serve};
use sctp_tokio::{Association, Message, SctpListener};
use tokio::sync::broadcast;

type Result = std::result::Result<(), Box<dyn Error>>;
type Alarms = broadcast::Sender<String>;

async fn alarms(State(alarms): State<Alarms>, drain: Drain, request: Request) -> Reply {
    match &request.payload()[..] {
        b"subscribe" => {
            // Waits for the client to read what it was sent: a slow client slows its task alone.
            let (sender, reply) = Reply::channel(16);
            tokio::spawn(push(alarms.subscribe(), sender, drain));
            reply.with_message("subscribed") // goes out before what the channel brings
        }
        alarm => {
            let alarm = alarm.escape_ascii().to_string();
            // Fails if there is no subscriber.
            let subscribers = alarms.send(alarm).unwrap_or(0);
            format!("raised, {subscribers} subscribers").into_reply()
        }
    }
}

/// Sends alarms to one client until its association ends, or the server is to stop.
async fn push(mut alarms: broadcast::Receiver<String>, client: ReplySender, drain: Drain) {
    loop {
        let alarm = tokio::select! {
            alarm = alarms.recv() => alarm,
            () = client.closed() => break,
            () = drain.started() => break,
        };
        let message = match alarm {
            Ok(alarm) => format!("alarm: {alarm}"),
            Err(broadcast::error::RecvError::Lagged(missed)) => format!("{missed} alarms missed"),
            Err(broadcast::error::RecvError::Closed) => break,
        };
        if client.send(message).await.is_err() {
            break;
        }
    }
    println!("server: a subscriber has gone");
}

#[tokio::main]
async fn main() -> Result {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addrs()?[0];
    let (alarm, _) = broadcast::channel(64);
    tokio::select! {
        () = serve(listener, alarms.with_state(alarm.clone())) => Ok(()),
        done = clients(server) => done,
    }?;
    // The associations are closed in the background: wait for the task that sent.
    alarm.closed().await;
    Ok(())
}

async fn clients(server: SocketAddr) -> Result {
    let mut watcher = Association::connect(server).await?;
    let mut reporter = Association::connect(server).await?;
    watcher.send(Message::new("subscribe").on_stream(1)).await?;
    print("watcher", &mut watcher).await?;
    for alarm in ["link 3 is down", "link 3 is up"] {
        reporter.send(alarm).await?;
        print("reporter", &mut reporter).await?;
        print("watcher", &mut watcher).await?;
    }
    println!("watcher: {}", watcher.shutdown().await?);
    println!("reporter: {}", reporter.shutdown().await?);
    Ok(())
}

async fn print(name: &str, association: &mut Association) -> Result {
    let reply = association.recv().await?.ok_or("over too early")?;
    println!("{name}: stream {}: {:?}", reply.info.stream, reply.payload);
    Ok(())
}
