//! Client: `sctp send --help`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use sctp_tokio::{Message, SendError, SendHalf};
use tokio::{task::spawn_blocking, time::Instant};

use crate::{
    address::Peer,
    ending::{self, Ending},
    input::{Input, Source},
    output::{Format, Printer},
    parse,
    session::{Session, Taken},
    signal::Signals,
    status::{self, FAILED, Failure},
    timing::until,
    trace::Trace,
};

/// Time limit for the messages of `--expect`.
const EXPECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends messages to an SCTP server, and prints what comes back.
///
/// Messages are those of --message and --file, or else the lines of standard input, each sent as
/// soon as it is read. When all are sent, it waits as --expect and --wait say, and then ends the
/// association. Whatever comes until it is closed is printed to standard output.
///
/// The first message that cannot be read or sent ends the association, in order.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = format!("{}

Try it:
  sctp listen --echo 127.0.0.1:9877 &
  sctp send 127.0.0.1:9877 --message hello --expect 1
  seq 3 | sctp send 127.0.0.1:9877 --stream 2 --ppid ngap --expect 3 --print json
  sctp send 127.0.0.1:9877 --hex -m '01 00 00 14' --ppid diameter --end 'abort=so long'", status::TABLE)
)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    peer: Peer,
    #[command(flatten)]
    source: Source,

    /// Form in which messages are printed
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORM", help_heading = "Replies")]
    print: Format,
    /// Wait for this number of messages, for at most 10 seconds or --wait after the last one was
    /// sent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Replies")]
    expect: Option<u64>,
    /// Wait for messages for this time after the last one was sent
    #[arg(long, value_name = "TIME", value_parser = parse::duration, help_heading = "Replies")]
    wait: Option<Duration>,
    /// End of the association: shutdown, or abort=REASON once everything was acknowledged
    #[arg(long, value_name = "HOW", value_parser = ending::of_client,
          default_value = "shutdown", help_heading = "Replies")]
    end: Ending,
    /// Write every message to this file, for Wireshark and tshark
    #[arg(long, value_name = "FILE.pcapng", help_heading = "Replies")]
    trace: Option<PathBuf>,
}

pub(crate) async fn run(args: SendArgs, mut signals: Signals) -> Result<(), Failure> {
    let trace = Trace::create(args.trace.as_deref())?;
    // Mistakes of the command line are reported before there is an association.
    let source = args.source.clone();
    let given = signals
        .unless(spawn_blocking(move || source.given()))
        .await?;
    let given = given.map_err(|error| Failure::new(FAILED, error))??;
    let connected = signals
        .unless(args.peer.connect(args.source.stream()))
        .await?;
    let association = connected?;
    let printer = Printer::start(args.print);
    let mut session = Session::new(association, printer.clone(), &trace);
    let done = tokio::select! {
        biased;
        signal = signals.first() => Err(Failure::stopped(signal)),
        broken = printer.broken() => Err(broken),
        done = converse(&mut session, &args, args.source.open(given)) => done,
    };
    if done.is_err() && session.association.end().is_none() {
        session.leave().await;
    }
    let printed = printer.flush().await;
    done.and(printed).and(trace.finish())
}

async fn converse(session: &mut Session, args: &SendArgs, mut input: Input) -> Result<(), Failure> {
    let sender = session.sender();
    let info = args.source.info();
    let (mut reading, mut pending, mut received, mut deadline) = (true, None, 0, None);
    let enough = loop {
        if !reading && pending.is_none() {
            match (args.expect, args.wait) {
                (None, None) => break Ok(()),
                (Some(expected), _) if received >= expected => break Ok(()),
                (_, wait) => {
                    let wait = wait.unwrap_or(EXPECT_TIMEOUT);
                    deadline.get_or_insert_with(|| Instant::now() + wait);
                }
            }
        }
        tokio::select! {
            event = session.event() => match session.take(event?).await? {
                Taken::Message(_) => received += 1,
                Taken::Closed(end) => {
                    let is_awaited = match args.expect {
                        Some(expected) => received < expected,
                        None => args.wait.is_some(),
                    };
                    let is_sent = pending.is_none() && (!reading || input.has_ended().await);
                    return match end.is_orderly() && is_sent && !is_awaited {
                        true => Ok(()),
                        false => Err(Failure::closed(&end)),
                    };
                }
                Taken::Other => {}
            },
            message = input.next(), if reading && pending.is_none() => match message? {
                Some(payload) => pending = Some(Message::new(payload).with_info(info.clone())),
                None => reading = false,
            },
            sent = send(&sender, pending.as_ref()), if pending.is_some() => match sent {
                Ok(()) => if let Some(message) = pending.take() {
                    session.sent(&message);
                },
                // The end says why, and is received next.
                Err(SendError::Closed(_) | SendError::ShuttingDown) => {
                    return Err(until_closed(session).await);
                }
                Err(error) => return Err(Failure::new(FAILED, format!("cannot send: {error}"))),
            },
            () = until(deadline) => {
                break args.expect.map_or(Ok(()), |expected| {
                    Err(Failure::too_few(received, expected))
                });
            }
        }
    };
    session.end(&args.end).await?;
    enough
}

/// Receives the rest of an association that takes no more messages.
async fn until_closed(session: &mut Session) -> Failure {
    loop {
        let taken = match session.event().await {
            Ok(event) => session.take(event).await,
            Err(error) => return error,
        };
        match taken {
            Ok(Taken::Closed(end)) => return Failure::closed(&end),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

async fn send(sender: &SendHalf, message: Option<&Message>) -> Result<(), SendError> {
    match message {
        Some(message) => sender.send(message.clone()).await,
        None => Ok(()),
    }
}
