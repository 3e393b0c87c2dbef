//! How an association ended.

use std::{
    fmt, io,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use sctp_core::{AssocChange, AssocChangeState, ErrorCause, ErrorCauses};

/// Which of the two ends did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This end.
    Local,
    /// The peer.
    Peer,
}

/// How an association ended. Once known it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Orderly: the SHUTDOWN handshake completed, so the peer's SCTP has acknowledged every
    /// message that was sent.
    Shutdown {
        /// Who asked for it first, as far as this end has seen.
        by: Side,
    },
    /// An ABORT ended it at once; what was unsent or unacknowledged may be lost.
    ///
    /// One of the peer's without any cause mostly says that the peer's kernel does not know the
    /// association (RFC 9260 section 8.4): it was restarted, or its own ABORT got lost. A network
    /// that reorders packets can hide another end behind such an ABORT: a heartbeat or SACK that
    /// reaches the peer after its association ended is answered by one, and that may overtake the
    /// SHUTDOWN COMPLETE, or the ABORT that has the reason.
    Aborted {
        /// Who sent the ABORT.
        by: Side,
        /// The error causes in the peer's ABORT; empty when this end sent it.
        causes: ErrorCauses,
    },
    /// The peer stopped answering, or the kernel gave the association up.
    Lost {
        /// What the kernel said: `TimedOut` when the peer stopped answering. `NotConnected` when
        /// it did not say, as on an [`Endpoint`](crate::Endpoint): where associations share a
        /// socket, an ABORT without a cause looks like silence.
        error: io::ErrorKind,
    },
    /// It is over; how is still to be received, behind messages that nobody has received yet if there
    /// are any. Never reported by a receive.
    Unread,
}

impl End {
    /// Whether every message that was sent is known to have arrived.
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::Shutdown { .. })
    }

    /// Returns the upper layer's reason in the peer's ABORT, byte for byte. `None` when it was
    /// not the peer's user who aborted.
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

/// Says it in a line, the peer's reason escaped so that it cannot forge a log.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shutdown { by: Side::Local } => f.write_str("shut down"),
            Self::Shutdown { by: Side::Peer } => f.write_str("shut down by the peer"),
            Self::Aborted {
                by: Side::Local, ..
            } => f.write_str("aborted"),
            Self::Aborted {
                by: Side::Peer,
                causes,
            } => {
                f.write_str("aborted by the peer")?;
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
            } => f.write_str("lost: no answer, or an ABORT without a cause"),
            Self::Lost { error } => write!(f, "lost: {error}"),
            Self::Unread => f.write_str("over, what is still to be received tells how"),
        }
    }
}

/// Who began the end of an association: what was done here and what the peer was seen to do. The
/// kernel's last notification does not say.
#[derive(Debug, Default)]
pub(crate) struct EndTracker {
    /// Who asked for an orderly end first, as far as this end has seen.
    shut_down_by: OnceLock<Side>,
    aborted_here: AtomicBool,
    /// The socket's own error, where a send or a termination was answered with it: the kernel
    /// tells it once, to whichever call comes first.
    socket_error: OnceLock<io::ErrorKind>,
}

impl EndTracker {
    pub(crate) fn note_shutdown(&self, by: Side) {
        let _ = self.shut_down_by.set(by);
    }

    /// Notes an abort *before* it is made: another task may read its notification before the call
    /// returns.
    pub(crate) fn note_abort(&self) {
        self.aborted_here.store(true, Ordering::Relaxed);
    }

    pub(crate) fn shut_down_by(&self) -> Side {
        self.shut_down_by.get().copied().unwrap_or(Side::Local)
    }

    /// Notes what a call other than a receive was answered, if it tells how the association ended.
    pub(crate) fn note_error(&self, error: &io::Error) {
        if reveals_end(error) {
            let _ = self.socket_error.set(error.kind());
        }
    }

    pub(crate) fn socket_error(&self) -> Option<io::ErrorKind> {
        self.socket_error.get().copied()
    }
}

/// Whether an error of the socket says how its association ended. `EPIPE` and `ENOTCONN` only say
/// that it did.
fn reveals_end(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::TimedOut
    )
}

/// Says what the last change of an association means. `socket_error` takes the pending error off
/// a socket that carries no other association.
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
        // A cause without the peer's chunk is this end's own doing.
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
    // An ABORT without any cause looks like a loss. A socket of its own knows better.
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
    fn says_what_happened() {
        let aborted = |bytes: &'static [u8]| End::Aborted {
            by: Side::Peer,
            causes: ErrorCauses::new(Bytes::from_static(bytes)),
        };
        assert_eq!(
            aborted(b"\x00\x0c\x00\x0bgood\nby").to_string(),
            "aborted by the peer, reason \"good\\nby\""
        );
        assert_eq!(
            aborted(b"\x00\x0c\x00\x04").to_string(),
            "aborted by the peer, no reason given"
        );
        assert_eq!(aborted(b"").to_string(), "aborted by the peer");
        assert_eq!(
            aborted(b"\x00\x0d\x00\x04").to_string(),
            "aborted by the peer, cause 13 (protocol violation)"
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
    fn a_reason_is_the_peers_only() {
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
