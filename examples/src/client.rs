//! The echo client: lines become messages, replies become lines.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, BufRead, Write},
    thread,
    time::Duration,
};

use sctp_tokio::{AbortReason, Association, End, Event, Message, RecvError, SendError, Side};
use tokio::{sync::mpsc, time::timeout};

use crate::{line, program};

/// Time limit for acknowledgements once the input has ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// Abort reason after that time.
const TIMED_OUT: AbortReason = AbortReason::from_static("shutdown timed out");

/// Settings of the client.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Sends each line on every stream.
    pub echo_all: bool,
    /// Aborts with this reason at the end of the input. Without it, shuts down.
    pub abort: Option<AbortReason>,
}

/// Talks to a server until the input has ended or the server has ended the association, and
/// returns how it ended.
///
/// The next line is read when every message of the one before has been answered, as the
/// textbook's client does.
///
/// # Errors
///
/// When the input cannot be read or the output not written, and what the kernel says.
pub async fn talk(
    association: &mut Association,
    mut input: mpsc::Receiver<io::Result<Vec<u8>>>,
    mut output: impl Write,
    options: &Options,
) -> io::Result<End> {
    let sender = association.sender();
    let mut outbox = VecDeque::new();
    let mut unanswered = 0;
    loop {
        // Sending and receiving go on side by side: were the client to send first and then to
        // receive, it and a server with full buffers could wait for each other.
        tokio::select! {
            event = association.next_event() => match event {
                Ok(Event::Message(reply)) => {
                    unanswered = usize::saturating_sub(unanswered, 1);
                    writeln!(output, "{}", line::reply(&reply))?;
                }
                Ok(Event::Closed(end)) => return Ok(end),
                Ok(_) => {}
                Err(error) => complain(&error),
            },
            sent = sender.send_queue(&mut outbox), if !outbox.is_empty() => {
                if let Err(error) = sent {
                    unanswered -= 1;
                    refused(&error);
                }
            }
            line = input.recv(), if unanswered == 0 => match line.transpose()? {
                Some(line) => {
                    outbox = messages(&line, association.outbound_streams(), options);
                    unanswered = outbox.len();
                }
                None => return finish(association, options).await,
            },
        }
    }
}

/// The messages that a line stands for.
fn messages(line: &[u8], streams: u16, options: &Options) -> VecDeque<Message> {
    if options.echo_all {
        let on_stream = |stream: u16| {
            let payload = [line, format!(".msg.{stream}").as_bytes()].concat();
            Message::new(payload).on_stream(stream)
        };
        return (0..streams).map(on_stream).collect();
    }
    match line::message(line) {
        Ok(message) => VecDeque::from([message]),
        Err(error) => {
            complain(&error);
            VecDeque::new()
        }
    }
}

/// Ends the association from here.
async fn finish(association: &mut Association, options: &Options) -> io::Result<End> {
    let reason = match &options.abort {
        Some(reason) => reason,
        None => match timeout(SHUTDOWN_TIMEOUT, association.shutdown()).await {
            Ok(end) => return end,
            Err(_) => &TIMED_OUT,
        },
    };
    association.abort(reason)?;
    loop {
        match association.next_event().await {
            Ok(Event::Closed(end)) => return Ok(end),
            Ok(_) | Err(RecvError::TooLarge { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Says why a message did not go out. That the association has ended is told by its end.
fn refused(error: &SendError) {
    if !matches!(error, SendError::Closed(_) | SendError::ShuttingDown) {
        complain(error);
    }
}

/// Tells the user, and lets the session go on.
fn complain(error: &dyn fmt::Display) {
    program::note(format_args!("echo-client: {error}"));
}

/// Reads the lines of standard input, in a thread of its own: tokio's standard input would keep
/// the process alive until the user presses Enter once more.
#[must_use]
pub fn lines_of_stdin() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        for line in io::stdin().lock().split(b'\n') {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The client's exit statuses.
pub mod status {
    /// The association ended from here, as it was asked to.
    pub const DONE: u8 = 0;
    /// There was no association, or the client itself failed.
    pub const FAILED: u8 = 1;
    /// The server shut the association down.
    pub const SHUT_DOWN: u8 = 3;
    /// The server aborted the association.
    pub const ABORTED: u8 = 4;
    /// The server stopped answering.
    pub const LOST: u8 = 5;
}

/// The exit status that tells how the association ended.
#[must_use]
pub fn status_of(end: &End) -> u8 {
    match end {
        End::Shutdown { by: Side::Local }
        | End::Aborted {
            by: Side::Local, ..
        } => status::DONE,
        End::Shutdown { by: Side::Peer } => status::SHUT_DOWN,
        End::Aborted { by: Side::Peer, .. } => status::ABORTED,
        _ => status::LOST,
    }
}
