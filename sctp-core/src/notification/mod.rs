//! Notifications from the kernel (RFC 6458 section 6.1).

mod association;
mod decode;
mod fields;
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

/// Event reported by the kernel about an association, its paths or its messages (RFC 6458 section
/// 6.1).
///
/// Notifications and messages share one receive queue and are delivered in order. An unknown type
/// decodes to [`Notification::Other`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// An association was established, restarted, shut down or lost, or could not be established
    /// (`SCTP_ASSOC_CHANGE`).
    AssocChange(AssocChange),
    /// The state of a path changed (`SCTP_PEER_ADDR_CHANGE`).
    PeerAddrChange(PeerAddrChange),
    /// The peer reported an error (`SCTP_REMOTE_ERROR`).
    RemoteError(RemoteError),
    /// A message could not be delivered (`SCTP_SEND_FAILED_EVENT`).
    SendFailed(SendFailed),
    /// The peer started an orderly shutdown and sends nothing more (`SCTP_SHUTDOWN_EVENT`).
    ///
    /// SCTP has no half-closed state (RFC 9260 section 9): sends fail from here on.
    Shutdown {
        /// The association.
        assoc: AssocId,
    },
    /// The peer announced its adaptation layer (`SCTP_ADAPTATION_INDICATION`).
    Adaptation(Adaptation),
    /// The rest of a partially delivered message was lost (`SCTP_PARTIAL_DELIVERY_EVENT`).
    PartialDelivery(PartialDelivery),
    /// The state of an authentication key changed (`SCTP_AUTHENTICATION_EVENT`).
    Authentication(Authentication),
    /// Everything sent on the association has been acknowledged (`SCTP_SENDER_DRY_EVENT`).
    SenderDry {
        /// The association.
        assoc: AssocId,
    },
    /// A request to reset streams completed (`SCTP_STREAM_RESET_EVENT`, RFC 6525).
    StreamReset(StreamReset),
    /// A request to reset the association completed (`SCTP_ASSOC_RESET_EVENT`, RFC 6525).
    AssocReset(AssocReset),
    /// A request to add streams completed (`SCTP_STREAM_CHANGE_EVENT`, RFC 6525).
    StreamChange(StreamChange),
    /// A type unknown to this crate.
    Other {
        /// Type of the notification (`sn_type`).
        kind: u16,
        /// Flags of the notification (`sn_flags`).
        flags: u16,
        /// The complete notification as the kernel wrote it, header included.
        bytes: Bytes,
    },
}

impl Notification {
    /// Decodes one complete notification, received with `MSG_NOTIFICATION` set.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are fewer than the type requires or than the length field
    /// states.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        decode::notification(bytes)
    }

    /// Returns the association of the notification, or `None` for an unknown type.
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
