//! Server: `sctp listen --help`.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use sctp_tokio::{Association, Received, SctpListener, SendError, SocketBuilder};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{Instant, sleep, timeout},
};

use crate::{
    address,
    ending::{self, END_TIMEOUT, Ending},
    hex,
    output::{Format, Printer, log, log_unless},
    parse,
    session::{Session, Taken},
    signal::Signals,
    status::{self, FAILED, Failure},
    timing::{ACCEPT_PAUSE, until},
    trace::Trace,
};

/// Maximum number of associations. Others wait in the kernel, or are refused by it.
const MAX_ASSOCIATIONS: usize = 1024;

/// Takes associations, prints their messages, and answers as asked.
///
/// Each message is printed to standard output; associations, and the address that it listens on,
/// to standard error. Ctrl-C and SIGTERM stop it: it refuses further associations, shuts each one
/// down in order, and exits with 0, or with 8 if --expect is not met.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = format!("{}

Try it:
  sctp listen 127.0.0.1:9877 --print hex
  sctp listen 127.0.0.1:9877 --reply-hex '01 00' --shutdown after-ack
  sctp listen 127.0.0.1:0 --echo --expect 10 --wait 1m --trace it.pcapng", status::TABLE)
)]
pub(crate) struct ListenArgs {
    /// Listen on this address, HOST:PORT; port 0 lets the kernel choose one. Several addresses make
    /// the server multi-homed, and share one port
    #[arg(required = true, value_name = "ADDR")]
    addr: Vec<String>,

    /// Answer each message with itself
    #[arg(long, conflicts_with_all = ["reply", "reply_hex"])]
    echo: bool,
    /// Answer each message with this text, on its stream and with its identifier
    #[arg(long, value_name = "TEXT", conflicts_with = "reply_hex",
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reply: Option<String>,
    /// Answer each message with these bytes
    #[arg(long, value_name = "HEX", value_parser = reply_hex)]
    reply_hex: Option<Bytes>,
    /// End each association after its first message and the reply: after-ack (shut it down once the
    /// reply has been acknowledged), or abort=REASON
    #[arg(long, value_name = "HOW", value_parser = ending::of_server)]
    shutdown: Option<Ending>,
    /// Stop after this number of messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    expect: Option<u64>,
    /// Stop after this time
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration)]
    wait: Option<Duration>,

    /// Form in which messages are printed
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    print: Format,
    /// Print neither messages nor associations, only errors and the address
    #[arg(long, short, conflicts_with = "print")]
    quiet: bool,
    /// Write every message to this file, for Wireshark and tshark
    #[arg(long, value_name = "FILE.pcapng")]
    trace: Option<PathBuf>,
    /// Abort peers that send longer messages than this
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, default_value = "1M")]
    max_message_size: u32,
}

fn reply_hex(text: &str) -> Result<Bytes, String> {
    match hex::parse(text.as_bytes())? {
        bytes if bytes.is_empty() => Err("message is empty".to_owned()),
        bytes => Ok(bytes.into()),
    }
}

pub(crate) async fn run(args: ListenArgs, mut signals: Signals) -> Result<(), Failure> {
    let trace = Trace::create(args.trace.as_deref())?;
    let addrs = signals.unless(address::resolve(&args.addr)).await??;
    let sockets = SocketBuilder::new()
        .with_local_addrs(addrs)
        .with_max_message_size(args.max_message_size as usize);
    let mut listener = sockets.listen()?;
    log(format_args!(
        "listening on {}",
        address::list(&listener.local_addrs()?)
    ));
    let format = if args.quiet { Format::None } else { args.print };
    let (stop, stopped) = watch::channel(false);
    let server = Arc::new(Server {
        printer: Printer::start(format),
        trace,
        messages: AtomicU64::new(0),
        enough: watch::Sender::new(false),
        stopped,
        args,
    });
    let mut tasks = JoinSet::new();
    let done = tokio::select! {
        biased;
        _ = signals.first() => Ok(()),
        broken = server.printer.broken() => Err(broken),
        done = accept(&server, &mut listener, &mut tasks) => done,
    };
    listener.stop_listening()?;
    stop.send_replace(true);
    let drained = drain(&mut tasks).await;
    let printed = server.printer.flush().await;
    done.and(drained)
        .and(printed)
        .and(server.has_enough())
        .and(server.trace.finish())
}

/// State of all associations.
struct Server {
    args: ListenArgs,
    printer: Printer,
    trace: Trace,
    /// Number of messages that came.
    messages: AtomicU64,
    /// Set when as many messages came as were expected.
    enough: watch::Sender<bool>,
    /// Set when the associations are to end.
    stopped: watch::Receiver<bool>,
}

/// Accepts associations until there were enough messages, or the time is over.
async fn accept(
    server: &Arc<Server>,
    listener: &mut SctpListener,
    tasks: &mut JoinSet<Result<(), Failure>>,
) -> Result<(), Failure> {
    let deadline = server.args.wait.map(|wait| Instant::now() + wait);
    let mut enough = server.enough.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept(), if tasks.len() < MAX_ASSOCIATIONS => match accepted {
                Ok(association) => {
                    tasks.spawn(Arc::clone(server).serve(association));
                }
                Err(error) => {
                    log(format_args!("cannot accept: {error}"));
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = tasks.join_next() => result(ended)?,
            _ = enough.wait_for(|enough| *enough) => return Ok(()),
            () = until(deadline) => return Ok(()),
        }
    }
}

/// Waits for the ends of all associations.
async fn drain(tasks: &mut JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            result(ended)?;
        }
        Ok(())
    };
    match timeout(END_TIMEOUT, all).await {
        Ok(drained) => drained,
        Err(_) => {
            log(format_args!(
                "{} associations did not end in time",
                tasks.len()
            ));
            Ok(())
        }
    }
}

fn result(ended: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    match ended {
        Ok(served) => served,
        Err(error) => Err(Failure::new(
            FAILED,
            format!("an association's task failed: {error}"),
        )),
    }
}

impl Server {
    /// Serves an association until its end. Fails only if messages cannot be printed.
    async fn serve(self: Arc<Self>, association: Association) -> Result<(), Failure> {
        let mut session = Session::new(association, self.printer.clone(), &self.trace);
        let peer = session.peer;
        let quiet = self.args.quiet;
        log_unless(
            quiet,
            format_args!(
                "{peer}: association established, {} streams in, {} out",
                session.association.inbound_streams(),
                session.association.outbound_streams(),
            ),
        );
        let mut stopped = self.stopped.clone();
        let ending = loop {
            let event = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break Ending::Shutdown,
                event = session.event() => event,
            };
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    // The library has aborted the peer, or the association is of no more use.
                    log(format_args!("{peer}: {error}"));
                    return Ok(());
                }
            };
            match session.take(event).await? {
                Taken::Message(message) => {
                    self.answer(&mut session, &message).await;
                    self.count();
                    if let Some(ending) = &self.args.shutdown {
                        break ending.clone();
                    }
                }
                Taken::Closed(end) => {
                    log_unless(quiet, format_args!("{peer}: association closed: {end}"));
                    return Ok(());
                }
                Taken::Other => {}
            }
        };
        match session.end(&ending).await {
            Ok(end) => log_unless(quiet, format_args!("{peer}: association closed: {end}")),
            Err(error) => log(format_args!("{peer}: {error}")),
        }
        Ok(())
    }

    async fn answer(&self, session: &mut Session, message: &Received) {
        let args = &self.args;
        let payload = match (&args.reply, &args.reply_hex) {
            _ if args.echo => message.payload.clone(),
            (Some(text), _) => Bytes::from(text.clone()),
            (_, Some(bytes)) => bytes.clone(),
            (None, None) => return,
        };
        // The peer may have more streams in its direction.
        let streams = session.association.outbound_streams().max(1);
        let stream = message.info.stream.get() % streams;
        let reply = message.reply(payload).on_stream(stream);
        match session.association.send(reply.clone()).await {
            Ok(()) => session.sent(&reply),
            // The end is reported when it is received.
            Err(SendError::Closed(_) | SendError::ShuttingDown) => {}
            Err(error) => log(format_args!("{}: cannot reply: {error}", session.peer)),
        }
    }

    /// Counts a message, once it is answered.
    fn count(&self) {
        let count = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        if self.args.expect.is_some_and(|expected| count >= expected) {
            self.enough.send_replace(true);
        }
    }

    fn has_enough(&self) -> Result<(), Failure> {
        let count = self.messages.load(Ordering::Relaxed);
        match self.args.expect {
            Some(expected) if count < expected => Err(Failure::too_few(count, expected)),
            _ => Ok(()),
        }
    }
}
