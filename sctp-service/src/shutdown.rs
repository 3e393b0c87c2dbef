//! The two ways to end an association.

use std::convert::Infallible;

use sctp_core::AbortReason;

/// One of the two terminations of an association that SCTP has. There is no third one, so a `match` needs
/// no wildcard.
///
/// Both are final, and for the whole association: SCTP has no half close. Calls in flight on
/// other streams are dropped, and requests that arrive later are discarded.
///
/// "Acknowledged" is the transport's word: the peer's SCTP has the messages, not necessarily
/// its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Graceful. The messages of this reply, and all that were queued before, are sent and
    /// acknowledged; then SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE. A peer that does not
    /// acknowledge within [`Config::shutdown_timeout`](crate::Config::shutdown_timeout) is
    /// aborted, with the reason `shutdown timed out`.
    AfterAck,
    /// At once. What is unsent is discarded; an ABORT chunk goes out with the
    /// user-initiated-abort cause (code 12) and this reason, and nothing waits for an answer.
    Abort(AbortReason),
}

impl Shutdown {
    /// Ends at once with a text as the reason, cut at [`AbortReason::MAX_LEN`] bytes.
    ///
    /// Take care with texts of errors: the peer reads them.
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

/// So that a make-service that cannot fail needs no error type of its own.
impl From<Infallible> for Shutdown {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
