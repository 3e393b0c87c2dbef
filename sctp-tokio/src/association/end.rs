//! End of an association.

use std::{
    fmt, io,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use sctp_core::{AssocChange, AssocChangeState, ErrorCause, ErrorCauses};

/// One of the two ends of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This end.
    Local,
    /// The peer.
    Peer,
}

/// Result of an association that was closed. It never changes once it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The SHUTDOWN handshake completed: the peer's SCTP has acknowledged every message.
    Shutdown {
        /// The end that was first seen to start the shutdown.
        by: Side,
    },
    /// An ABORT closed the association. Unacknowledged messages may be lost.
    ///
    /// An ABORT of the peer without a cause usually means that the peer's kernel does not know the
    /// association (RFC 9260 section 8.4): the peer restarted, or its own ABORT was lost. If the
    /// network reorders packets, such an ABORT can hide the real end. The peer answers a heartbeat
    /// or SACK that arrives after the association is closed with an ABORT, which may overtake the
    /// SHUTDOWN COMPLETE or an earlier ABORT with a reason.
    Aborted {
        /// The end that sent the ABORT.
        by: Side,
        /// The error causes of the peer's ABORT. Empty if this end sent it.
        causes: ErrorCauses,
    },
    /// The peer no longer answers, or the kernel gave up on the association.
    ///
    /// A lost ABORT of the peer has the same result, because an ABORT is not retransmitted. The
    /// kernel discards packets that arrive while a thread uses the socket and its receive buffer is
    /// full. On a socket with many associations, use a larger
    /// [buffer](crate::SocketBuilder::with_recv_buffer_size).
    Lost {
        /// The kernel's error: `TimedOut` if the peer no longer answers, or `NotConnected` if the
        /// kernel gives none. `ConnectionRefused` if the association could not be established. An
        /// [`Endpoint`](crate::Endpoint) never returns `TimedOut`, because a shared socket does not
        /// distinguish a timeout from an ABORT without a cause.
        error: io::ErrorKind,
    },
    /// The association is closed, and its end is queued behind unread messages. Never returned by a
    /// receive.
    Unread,
}

impl End {
    /// Returns `true` if the peer's SCTP has acknowledged every message that was sent.
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::Shutdown { .. })
    }

    /// Returns the upper layer's reason in the peer's ABORT, or `None` if the peer's user did not
    /// abort.
    #[must_use]
    pub fn reason(&self) -> Option<Bytes> {
        match self {
            Self::Aborted {
                by: Side::Peer,
                causes,
            } => causes.abort_reason(),
            _ => None,
        }
    }

    /// Returns the code of the first error cause in the peer's ABORT.
    #[must_use]
    pub fn cause_code(&self) -> Option<u16> {
        match self {
            Self::Aborted { causes, .. } => causes.iter().next().map(|cause| cause.code()),
            _ => None,
        }
    }
}

/// Formats the end in one line. The peer's reason is escaped, so a peer cannot forge log lines.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shutdown { by: Side::Local } => f.write_str("shut down"),
            Self::Shutdown { by: Side::Peer } => f.write_str("shut down by peer"),
            Self::Aborted {
                by: Side::Local, ..
            } => f.write_str("aborted"),
            Self::Aborted {
                by: Side::Peer,
                causes,
            } => {
                f.write_str("aborted by peer")?;
                match causes.iter().next() {
                    None => Ok(()),
                    Some(ErrorCause::UserInitiatedAbort(reason)) if reason.is_empty() => {
                        f.write_str(", no reason given")
                    }
                    Some(ErrorCause::UserInitiatedAbort(reason)) => {
                        write!(f, ", reason \"{}\"", reason.escape_ascii())
                    }
                    Some(cause) => match ErrorCause::name(cause.code()) {
                        Some(name) => write!(f, ", cause {} ({name})", cause.code()),
                        None => write!(f, ", cause {}", cause.code()),
                    },
                }
            }
            Self::Lost {
                error: io::ErrorKind::NotConnected,
            } => f.write_str("lost: no answer, or ABORT without a cause"),
            Self::Lost { error } => write!(f, "lost: {error}"),
            Self::Unread => f.write_str("closed; receive the remaining events for the reason"),
        }
    }
}

/// Records which end closes an association. The kernel's last notification does not include it.
#[derive(Debug, Default)]
pub(crate) struct EndTracker {
    /// The end that was first seen to start the shutdown.
    shut_down_by: OnceLock<Side>,
    aborted_here: AtomicBool,
    /// Error of the socket that a send, shutdown or abort has returned. The kernel returns it once, to
    /// whichever call comes first.
    socket_error: OnceLock<io::ErrorKind>,
}

impl EndTracker {
    pub(crate) fn note_shutdown(&self, by: Side) {
        let _ = self.shut_down_by.set(by);
    }

    /// Records an abort. Called *before* the abort: another task may receive its notification first.
    pub(crate) fn note_abort(&self) {
        self.aborted_here.store(true, Ordering::Relaxed);
    }

    pub(crate) fn shut_down_by(&self) -> Side {
        self.shut_down_by.get().copied().unwrap_or(Side::Local)
    }

    /// Records the error of a call other than a receive, if it reveals the end.
    pub(crate) fn note_error(&self, error: &io::Error) {
        if reveals_end(error) {
            let _ = self.socket_error.set(error.kind());
        }
    }

    pub(crate) fn socket_error(&self) -> Option<io::ErrorKind> {
        self.socket_error.get().copied()
    }
}

/// Returns `true` if an error of the socket reveals how the association ended. `EPIPE` and `ENOTCONN`
/// only show that it did.
pub(crate) fn reveals_end(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::TimedOut
    )
}

/// Derives the end of an association from its last `SCTP_ASSOC_CHANGE`.
///
/// `socket_error` takes the pending error of a socket that carries no other association.
pub(crate) fn end_of(
    change: &AssocChange,
    tracker: &EndTracker,
    socket_error: impl FnOnce() -> Option<io::ErrorKind>,
) -> End {
    if change.state == AssocChangeState::ShutdownComplete {
        return End::Shutdown {
            by: tracker.shut_down_by(),
        };
    }
    let causes = change.causes.clone();
    if !causes.is_empty() {
        return End::Aborted {
            by: Side::Peer,
            causes,
        };
    }
    if tracker.aborted_here.load(Ordering::Relaxed) || change.error != 0 {
        // An error code without the peer's chunk is that of a local abort.
        return End::Aborted {
            by: Side::Local,
            causes,
        };
    }
    if change.state == AssocChangeState::CantStart {
        return End::Lost {
            error: io::ErrorKind::ConnectionRefused,
        };
    }
    // An ABORT without a cause looks like a loss, except on a socket of its own.
    match socket_error() {
        Some(io::ErrorKind::ConnectionReset) => End::Aborted {
            by: Side::Peer,
            causes,
        },
        Some(kind) => End::Lost { error: kind },
        None => End::Lost {
            error: io::ErrorKind::NotConnected,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_side_and_reason() {
        let aborted = |bytes: &'static [u8]| End::Aborted {
            by: Side::Peer,
            causes: ErrorCauses::new(Bytes::from_static(bytes)),
        };
        assert_eq!(
            aborted(b"\x00\x0c\x00\x0bgood\nby").to_string(),
            "aborted by peer, reason \"good\\nby\""
        );
        assert_eq!(
            aborted(b"\x00\x0c\x00\x04").to_string(),
            "aborted by peer, no reason given"
        );
        assert_eq!(aborted(b"").to_string(), "aborted by peer");
        assert_eq!(
            aborted(b"\x00\x0d\x00\x04").to_string(),
            "aborted by peer, cause 13 (protocol violation)"
        );
        assert_eq!(
            End::Lost {
                error: io::ErrorKind::TimedOut
            }
            .to_string(),
            "lost: timed out"
        );
    }

    #[test]
    fn reason_of_own_abort_is_none() {
        let causes = ErrorCauses::new(Bytes::from_static(b"\x00\x0c\x00\x05x"));
        let peers = End::Aborted {
            by: Side::Peer,
            causes: causes.clone(),
        };
        assert_eq!(peers.reason().unwrap(), "x");
        assert_eq!(
            End::Aborted {
                by: Side::Local,
                causes
            }
            .reason(),
            None
        );
    }
}
