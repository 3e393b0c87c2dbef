//! Terminations of an association.

use std::convert::Infallible;

use sctp_core::AbortReason;

/// Termination of an association. SCTP has exactly these two, so a `match` needs no wildcard.
///
/// Both close the whole association: SCTP has no half-closed state. Requests in flight on other
/// streams are dropped, and requests that arrive later are discarded.
///
/// An acknowledged message has reached the peer's SCTP, but not necessarily its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Orderly shutdown. The messages of this reply, and all that were queued before, are sent and
    /// acknowledged, followed by SHUTDOWN, SHUTDOWN ACK and SHUTDOWN COMPLETE. A peer that does not
    /// acknowledge within [`Config::shutdown_timeout`](crate::Config::shutdown_timeout) is aborted
    /// with the reason `shutdown timed out`.
    AfterAck,
    /// Immediate abort. Unsent messages are discarded, and an ABORT chunk with the cause
    /// User-Initiated Abort (code 12) and this reason is sent.
    Abort(AbortReason),
}

impl Shutdown {
    /// Creates an abort with a text as the reason, truncated to [`AbortReason::MAX_LEN`] bytes.
    ///
    /// Do not pass texts of errors, which may disclose internals to the peer.
    #[must_use]
    pub fn abort(reason: impl Into<String>) -> Self {
        Self::Abort(AbortReason::truncated(reason))
    }

    /// Returns `true` if unsent messages are discarded.
    #[must_use]
    pub fn is_abort(&self) -> bool {
        matches!(self, Self::Abort(_))
    }
}

impl From<AbortReason> for Shutdown {
    fn from(reason: AbortReason) -> Self {
        Self::Abort(reason)
    }
}

/// Allows `Infallible` as the error of a make-service.
impl From<Infallible> for Shutdown {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
