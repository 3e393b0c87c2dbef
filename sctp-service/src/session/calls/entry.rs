//! One call of an association.

use sctp_core::StreamId;
use sctp_tokio::Message;
use tokio::time::Instant;

use super::deadlines::Kind;
use crate::handle::{OwnedQueuePermit, call::Waiter, error::Fate};

/// A call in flight, or a cancelled call whose reply is still expected.
pub(super) struct Entry {
    pub(super) waiter: Option<Waiter>,
    /// Permit for the message, until the transport has taken it.
    pub(super) queue_permit: Option<OwnedQueuePermit>,
    /// The message, until it goes into the outbox.
    pub(super) message: Option<Message>,
    pub(super) stream: StreamId,
    pub(super) can_expire: bool,
    /// The transport has taken the message.
    pub(super) is_sent: bool,
    /// The kernel has reported that a part of the message was never sent.
    pub(super) has_unsent_part: bool,
    /// The kernel has abandoned a part of the message, and will not send it to a restarted peer.
    pub(super) has_failed: bool,
    /// The peer has restarted since, and the reply is discarded if it comes.
    pub(super) is_late: bool,
    pub(super) due: Option<(Kind, Instant)>,
}

impl Entry {
    /// Returns `true` if the peer may have the message, after a restart as well.
    pub(super) fn may_survive_restart(&self) -> bool {
        self.fate() == Fate::Unknown && !self.has_failed
    }

    pub(super) fn fate(&self) -> Fate {
        if self.is_sent && !self.has_unsent_part {
            Fate::Unknown
        } else {
            Fate::NotSent
        }
    }
}
