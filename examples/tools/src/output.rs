//! Messages as they are printed.

use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use clap::ValueEnum;
use sctp_tokio::{Ppid, Received};
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    hex,
    status::{FAILED, Failure},
};

/// Number of messages that wait to be printed.
const WAITING: usize = 64;
/// Time limit for whoever reads the output, at the program's end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Form in which messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The text of each message on a line; control characters are escaped
    Text,
    /// A line with stream, identifier and numbers, and a hex dump
    Hex,
    /// A JSON object on a line: peer, stream, ppid, ssn, tsn, unordered, length, hex, and text if
    /// it is UTF-8
    Json,
    /// Nothing
    None,
}

/// Fields of a message in JSON.
#[derive(Serialize)]
struct Fields<'a> {
    peer: String,
    stream: u16,
    ppid: u32,
    protocol: Option<&'static str>,
    ssn: u16,
    tsn: u32,
    unordered: bool,
    length: usize,
    text: Option<&'a str>,
    hex: String,
}

impl Format {
    /// Lines for a message, with the line ends.
    fn show(self, peer: SocketAddr, message: &Received) -> String {
        let (info, payload) = (&message.info, &message.payload);
        match self {
            Self::Text => format!("{}\n", printable(payload)),
            Self::Hex => {
                let order = if info.unordered { "unordered " } else { "" };
                format!(
                    "{peer} stream {} ppid {} {order}ssn {} tsn {}, {} bytes\n{}",
                    info.stream,
                    named(info.ppid),
                    info.ssn,
                    info.tsn,
                    payload.len(),
                    hex::dump(payload)
                )
            }
            Self::Json => {
                let fields = Fields {
                    peer: peer.to_string(),
                    stream: info.stream.get(),
                    ppid: info.ppid.get(),
                    protocol: info.ppid.name(),
                    ssn: info.ssn,
                    tsn: info.tsn,
                    unordered: info.unordered,
                    length: payload.len(),
                    text: std::str::from_utf8(payload).ok(),
                    hex: hex::digits(payload),
                };
                // Strings and numbers: this cannot fail.
                serde_json::to_string(&fields).unwrap_or_default() + "\n"
            }
            Self::None => String::new(),
        }
    }
}

/// The number of an identifier, with its name: `60 (NGAP)`.
fn named(ppid: Ppid) -> String {
    match ppid.name() {
        Some(name) if ppid != Ppid::UNSPECIFIED => format!("{ppid} ({name})"),
        _ => ppid.to_string(),
    }
}

/// Bytes of a peer as text that cannot do anything to a terminal.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// Standard output, written in a thread of its own: a reader that stops reading delays messages,
/// but neither signals nor timeouts.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    format: Format,
    lines: mpsc::Sender<Job>,
    /// Error that ended the writing.
    error: Arc<OnceLock<io::Error>>,
}

#[derive(Debug)]
enum Job {
    Print(String),
    /// Reports that all earlier lines are written.
    Flush(oneshot::Sender<()>),
}

impl Printer {
    pub(crate) fn start(format: Format) -> Self {
        let (lines, mut receiver) = mpsc::channel(WAITING);
        let error = Arc::new(OnceLock::new());
        let failed = Arc::clone(&error);
        thread::spawn(move || {
            while let Some(job) = receiver.blocking_recv() {
                match job {
                    Job::Print(lines) => {
                        if let Err(error) = write(&lines) {
                            // Whoever prints next, or waits for this, reports it.
                            let _ = failed.set(error);
                            return;
                        }
                    }
                    Job::Flush(written) => {
                        // The receiver may have timed out.
                        let _ = written.send(());
                    }
                }
            }
        });
        Self {
            format,
            lines,
            error,
        }
    }

    /// Prints a message, and waits while many others wait already.
    pub(crate) async fn message(
        &self,
        peer: SocketAddr,
        message: &Received,
    ) -> Result<(), Failure> {
        match self.format {
            Format::None => Ok(()),
            format => self.print(format.show(peer, message)).await,
        }
    }

    pub(crate) async fn print(&self, lines: String) -> Result<(), Failure> {
        let sent = self.lines.send(Job::Print(lines)).await;
        sent.map_err(|_| self.failure())
    }

    /// Waits until everything was written, unless nobody reads it.
    pub(crate) async fn flush(&self) -> Result<(), Failure> {
        let (sender, written) = oneshot::channel();
        let flushed = async {
            let asked = self.lines.send(Job::Flush(sender)).await;
            asked.is_ok() && written.await.is_ok()
        };
        match timeout(LAST_WAIT, flushed).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.failure()),
            Err(_) => Err(Failure::new(FAILED, "nobody reads standard output")),
        }
    }

    /// Waits until nothing can be written any more.
    pub(crate) async fn broken(&self) -> Failure {
        self.lines.closed().await;
        self.failure()
    }

    fn failure(&self) -> Failure {
        let error = self
            .error
            .get()
            .map_or_else(String::new, |error| format!(": {error}"));
        Failure::new(FAILED, format!("cannot write to standard output{error}"))
    }
}

fn write(lines: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines.as_bytes())?;
    stdout.flush()
}

/// Prints a line to standard error.
pub(crate) fn log(line: impl fmt::Display) {
    // A failure cannot be reported if standard error is gone.
    let _ = writeln!(io::stderr(), "sctp: {line}");
}

/// Prints a line about one association, unless the user wants none.
pub(crate) fn log_unless(quiet: bool, line: fmt::Arguments<'_>) {
    if !quiet {
        log(line);
    }
}

#[cfg(test)]
mod tests {
    use sctp_tokio::RecvInfo;

    use super::*;

    fn show(format: Format, payload: &'static [u8]) -> String {
        let info = RecvInfo::default().with_stream(3).with_ppid(Ppid::NGAP);
        format.show(
            SocketAddr::from(([10, 0, 0, 1], 99)),
            &Received::new(payload, info),
        )
    }

    #[test]
    fn text_cannot_control_the_terminal() {
        assert_eq!(
            show(Format::Text, "né\x1b[2J\n".as_bytes()),
            "né\\u{1b}[2J\\n\n"
        );
    }

    #[test]
    fn hex_has_numbers_and_a_dump() {
        let text = show(Format::Hex, b"hi");
        let (head, dump) = text.split_once('\n').unwrap();
        assert_eq!(
            head,
            "10.0.0.1:99 stream 3 ppid 60 (NGAP) ssn 0 tsn 0, 2 bytes"
        );
        assert!(
            dump.starts_with("00000000  68 69 ") && dump.ends_with("|hi|\n"),
            "{dump}"
        );
    }

    #[test]
    fn json_has_text_only_if_it_is_utf8() {
        let value: serde_json::Value = serde_json::from_str(&show(Format::Json, b"h\n")).unwrap();
        assert_eq!(value["text"], "h\n");
        assert_eq!((&value["stream"], &value["ppid"]), (&3.into(), &60.into()));
        assert_eq!(value["protocol"], "NGAP");
        let value: serde_json::Value = serde_json::from_str(&show(Format::Json, b"\xff")).unwrap();
        assert_eq!((&value["text"], &value["hex"]), (&().into(), &"ff".into()));
    }
}
