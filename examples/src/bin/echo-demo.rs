//! The echo server and three clients in one process, over loopback: `echo-demo --help`.
#![forbid(unsafe_code)]

use std::{error::Error, net::SocketAddr, process::ExitCode};

use clap::Parser;
use sctp_examples::{
    line, program,
    service::{Settings, service},
};
use sctp_service::{ServerEvent, serve};
use sctp_tokio::{AbortReason, Association, Event, Message, SctpListener};
use tokio::sync::{mpsc, oneshot};

/// Plays a short conversation between an SCTP echo server and three clients, over loopback.
///
/// It shows the streams of an association, and the two ways in which it ends: an orderly
/// shutdown behind a reply, and an abort with a reason, from either side. RUST_LOG=debug also
/// shows what the framework logs.
#[derive(Parser)]
struct Args {}

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    Args::parse();
    program::start_log();
    program::exit("echo-demo", play().await)
}

async fn play() -> Result {
    let listener = SctpListener::bind("127.0.0.1:0").await?;
    let addr = *listener.local_addrs()?.first().ok_or("no address")?;
    let (stop, stopped) = oneshot::channel::<()>();
    let (closed, mut closings) = mpsc::unbounded_channel();
    let server = serve(listener, service(Settings::default()))
        .on_event(move |event| {
            report(event);
            if let ServerEvent::Closed { .. } = event {
                // The demo has gone, and nobody waits for this.
                let _ = closed.send(());
            }
        })
        .with_graceful_shutdown(async {
            // The sender dropped or used: either way it is over.
            let _ = stopped.await;
        });
    let server = tokio::spawn(server.into_future());
    say("server", &format!("listening on {addr}"));

    title("Streams, each in order by itself; then `quit`: the server shuts down behind its reply");
    streams(addr).await?;
    closings.recv().await;

    title("`abort REASON`: the server aborts, and the client reads the reason");
    aborted_by_server(addr).await?;
    closings.recv().await;

    title("The client aborts, and the server reads the reason");
    aborted_by_client(addr).await?;
    closings.recv().await;

    title("The server stops: it shuts down whoever is left");
    drop(stop);
    server.await?;
    Ok(())
}

/// Prints what the server hears of its associations.
fn report(event: &ServerEvent<'_>) {
    match event {
        ServerEvent::Up { connect_info, .. } => say("server", &format!("{connect_info} is up")),
        ServerEvent::Closed {
            connect_info,
            end,
            reason,
            ..
        } => {
            let how = line::end(end, *reason);
            say("server", &format!("{connect_info} is over: {how}"));
        }
        // It follows at once where no handshake is to be made.
        ServerEvent::Open { .. } => {}
        other => say("server", &format!("{other:?}")),
    }
}

async fn streams(server: SocketAddr) -> Result {
    let mut association = Association::connect(server).await?;
    for (stream, text) in [(0, "zero"), (1, "one"), (2, "two"), (0, "zero again")] {
        send(&association, Message::new(text).on_stream(stream)).await?;
    }
    for _ in 0..4 {
        receive(&mut association).await?;
    }
    send(&association, Message::new("quit").on_stream(3)).await?;
    receive(&mut association).await?;
    ended(&mut association).await
}

async fn aborted_by_server(server: SocketAddr) -> Result {
    let mut association = Association::connect(server).await?;
    send(&association, "hello".into()).await?;
    receive(&mut association).await?;
    send(&association, "abort that was rude".into()).await?;
    ended(&mut association).await
}

async fn aborted_by_client(server: SocketAddr) -> Result {
    const GOODBYE: AbortReason = AbortReason::from_static("goodbye");
    let mut association = Association::connect(server).await?;
    send(&association, "hello".into()).await?;
    receive(&mut association).await?;
    say("client", &format!("aborts with the reason \"{GOODBYE}\""));
    association.abort(&GOODBYE)?;
    ended(&mut association).await
}

async fn send(association: &Association, message: Message) -> Result {
    let text = line::printable(&message.payload);
    say("client", &format!("sends [{}]{text}", message.info.stream));
    Ok(association.send(message).await?)
}

async fn receive(association: &mut Association) -> Result {
    let message = association.recv().await?;
    let message = message.ok_or("the association is over before its time")?;
    say("client", &line::reply(&message));
    Ok(())
}

/// Waits for the end, and says how it was.
async fn ended(association: &mut Association) -> Result {
    let end = loop {
        if let Event::Closed(end) = association.next_event().await? {
            break end;
        }
    };
    say("client", &format!("the association is over: {end}"));
    Ok(())
}

fn title(text: &str) {
    program::say(format_args!("\n# {text}"));
}

fn say(who: &str, text: &str) {
    program::say(format_args!("{who}  {text}"));
}
