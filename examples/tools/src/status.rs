//! Exit statuses.

use std::{error::Error, fmt, io, path::Path};

use sctp_tokio::{ConnectError, End, Side};

use crate::signal::Stop;

/// The program itself failed, or its input was unusable.
pub(crate) const FAILED: u8 = 1;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 2;
/// The peer shut the association down while there was something left to do.
pub(crate) const SHUT_DOWN: u8 = 3;
/// The peer aborted the association.
pub(crate) const ABORTED: u8 = 4;
/// The peer stopped answering.
pub(crate) const LOST: u8 = 5;
/// The peer refused the association.
pub(crate) const REFUSED: u8 = 6;
/// The peer did not answer.
pub(crate) const SILENT: u8 = 7;
/// Fewer messages came than `--expect` asked for.
pub(crate) const TOO_FEW: u8 = 8;

/// The table of `--help`.
pub(crate) const TABLE: &str = "\
Exit status:
    0  done: all was sent, --expect was met, the association ended in order or as --end asks
    1  failed: an unknown host, an address that cannot be bound, malformed input, a message that
       cannot be sent (no such stream, too long), a file or pipe that cannot be read or written
    2  the command line is wrong
    3  the peer shut the association down while there was input, --expect or --wait left
    4  the peer aborted the association; its reason is on standard error
    5  the peer stopped answering
    6  the peer refused the association: nobody listens
    7  the peer did not answer in time, or there is no route to it
    8  fewer messages came than --expect asks for
  130  Ctrl-C
  143  SIGTERM";

/// Failure of a subcommand: an exit status, and a line for standard error.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    text: String,
}

impl Failure {
    pub(crate) fn new(status: u8, text: impl fmt::Display) -> Self {
        Self {
            status,
            text: text.to_string(),
        }
    }

    /// Failure of an association that the peer ended too early.
    pub(crate) fn closed(end: &End) -> Self {
        Self::new(status_of(end), format!("association closed: {end}"))
    }

    /// Failure to write a file.
    pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Self {
        Self::new(FAILED, format!("cannot write {}: {error}", path.display()))
    }

    /// Failure of `--expect`.
    pub(crate) fn too_few(received: u64, expected: u64) -> Self {
        let text = format!("{received} of {expected} expected messages came in time");
        Self::new(TOO_FEW, text)
    }

    pub(crate) fn stopped(signal: Stop) -> Self {
        let text = match signal {
            Stop::Interrupt => "interrupted",
            Stop::Terminate => "terminated",
        };
        Self::new(signal.status(), text)
    }

    pub(crate) fn status(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Failure {}

impl From<Stop> for Failure {
    fn from(signal: Stop) -> Self {
        Self::stopped(signal)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(FAILED, error)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let status = match &error {
            ConnectError::Refused { .. } => REFUSED,
            ConnectError::TimedOut { .. } | ConnectError::Unreachable { .. } => SILENT,
            ConnectError::Closed { end, .. } => status_of(end),
            _ => FAILED,
        };
        Self::new(status, format!("cannot connect: {error}"))
    }
}

/// Exit status for an association that ended before its time.
pub(crate) fn status_of(end: &End) -> u8 {
    match end {
        End::Shutdown { .. } => SHUT_DOWN,
        End::Aborted { by: Side::Peer, .. } => ABORTED,
        End::Aborted { .. } => FAILED,
        _ => LOST,
    }
}
