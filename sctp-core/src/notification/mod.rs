//! What the kernel reports about an association (RFC 6458 section 6.1).

mod association;
mod decode;
mod message;
mod path;
mod reconfig;

use bytes::Bytes;

pub use association::{
    Adaptation, AssocChange, AssocChangeState, AuthIndication, Authentication, RemoteError,
};
pub use decode::DecodeError;
pub use message::{PartialDelivery, SendFailed};
pub use path::{PeerAddrChange, PeerAddrChangeState};
pub use reconfig::{AssocReset, ReconfigOutcome, StreamChange, StreamReset};

use crate::ids::AssocId;

/// A report of the kernel about an association, its paths or its messages (RFC 6458
/// section 6.1).
///
/// Notifications arrive in the same queue as messages and in order with them. A type that this
/// crate does not know survives as [`Notification::Other`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// An association came up, ended, restarted or could not start (`SCTP_ASSOC_CHANGE`).
    AssocChange(AssocChange),
    /// A path changed its state (`SCTP_PEER_ADDR_CHANGE`).
    PeerAddrChange(PeerAddrChange),
    /// The peer reported an error (`SCTP_REMOTE_ERROR`).
    RemoteError(RemoteError),
    /// A message could not be delivered (`SCTP_SEND_FAILED_EVENT`).
    SendFailed(SendFailed),
    /// The peer began an orderly shutdown and sends nothing more (`SCTP_SHUTDOWN_EVENT`). On
    /// Linux there is no half close: from here on sends are refused.
    Shutdown {
        /// The association.
        assoc: AssocId,
    },
    /// The peer named its adaptation layer (`SCTP_ADAPTATION_INDICATION`).
    Adaptation(Adaptation),
    /// The rest of a partly delivered message will never come (`SCTP_PARTIAL_DELIVERY_EVENT`).
    PartialDelivery(PartialDelivery),
    /// Something happened to the authentication keys (`SCTP_AUTHENTICATION_EVENT`).
    Authentication(Authentication),
    /// Everything sent on the association has been acknowledged (`SCTP_SENDER_DRY_EVENT`).
    SenderDry {
        /// The association.
        assoc: AssocId,
    },
    /// Streams were reset, or could not be (`SCTP_STREAM_RESET_EVENT`, RFC 6525).
    StreamReset(StreamReset),
    /// Sequence numbers were reset, or could not be (`SCTP_ASSOC_RESET_EVENT`, RFC 6525).
    AssocReset(AssocReset),
    /// Streams were added, or could not be (`SCTP_STREAM_CHANGE_EVENT`, RFC 6525).
    StreamChange(StreamChange),
    /// A type that this crate does not know.
    Other {
        /// The notification's type, `sn_type`.
        kind: u16,
        /// The notification's flags, `sn_flags`.
        flags: u16,
        /// All of it, header included, as the kernel wrote it.
        bytes: Bytes,
    },
}

impl Notification {
    /// Decodes one complete notification, as it was received with `MSG_NOTIFICATION` set.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when there are fewer bytes than its type needs or than its own length
    /// field claims.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        decode::notification(bytes)
    }

    /// Returns the association it is about; `None` for a type that this crate does not know.
    #[must_use]
    pub fn assoc(&self) -> Option<AssocId> {
        Some(match self {
            Self::AssocChange(event) => event.assoc,
            Self::PeerAddrChange(event) => event.assoc,
            Self::RemoteError(event) => event.assoc,
            Self::SendFailed(event) => event.assoc,
            Self::Shutdown { assoc } | Self::SenderDry { assoc } => *assoc,
            Self::Adaptation(event) => event.assoc,
            Self::PartialDelivery(event) => event.assoc,
            Self::Authentication(event) => event.assoc,
            Self::StreamReset(event) => event.assoc,
            Self::AssocReset(event) => event.assoc,
            Self::StreamChange(event) => event.assoc,
            Self::Other { .. } => return None,
        })
    }
}
