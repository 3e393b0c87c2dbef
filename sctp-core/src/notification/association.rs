//! Notifications about a whole association.

use bytes::Bytes;

use super::fields::Fields;
use crate::{error_cause::ErrorCauses, ids::AssocId};

/// Change of an association's state (`SCTP_ASSOC_CHANGE`, RFC 6458 section 6.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssocChange {
    /// The association, or [`AssocId::FUTURE`] (0) if it could not start.
    pub assoc: AssocId,
    /// The new state.
    pub state: AssocChangeState,
    /// Code of the first error cause, in host byte order; 0 if there is none.
    ///
    /// Linux delivers it in network byte order, and this crate converts it.
    pub error: u16,
    /// Number of outbound streams.
    pub outbound_streams: u16,
    /// Number of inbound streams.
    pub inbound_streams: u16,
    /// Error causes of the peer's ABORT; empty if this end aborted the association.
    ///
    /// RFC 6458 puts the whole ABORT chunk into `sac_info`; Linux omits the 4-byte chunk header.
    pub causes: ErrorCauses,
}

/// New state of an association (`sac_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AssocChangeState {
    /// The association is established (`SCTP_COMM_UP`).
    CommUp,
    /// The association failed: the peer aborted it or is unreachable (`SCTP_COMM_LOST`).
    CommLost,
    /// The peer restarted with the same addresses (`SCTP_RESTART`).
    Restart,
    /// The SHUTDOWN handshake completed (`SCTP_SHUTDOWN_COMP`).
    ShutdownComplete,
    /// The association could not be established (`SCTP_CANT_STR_ASSOC`).
    CantStart,
    /// A state unknown to this crate.
    Other(u16),
}

impl AssocChangeState {
    fn from_kernel(state: u16) -> Self {
        match state {
            0 => Self::CommUp,
            1 => Self::CommLost,
            2 => Self::Restart,
            3 => Self::ShutdownComplete,
            4 => Self::CantStart,
            other => Self::Other(other),
        }
    }
}

impl AssocChange {
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let fields = Fields(bytes);
        Some(Self {
            state: AssocChangeState::from_kernel(fields.u16(8)?),
            error: fields.cause(10)?,
            outbound_streams: fields.u16(12)?,
            inbound_streams: fields.u16(14)?,
            assoc: fields.assoc(16)?,
            causes: ErrorCauses::new(bytes.slice(20..)),
        })
    }
}

/// Error reported by the peer without ending the association (`SCTP_REMOTE_ERROR`, RFC 6458 section
/// 6.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteError {
    /// The association.
    pub assoc: AssocId,
    /// Code of the error cause, in host byte order.
    pub error: u16,
    /// Error causes of the ERROR chunk.
    pub causes: ErrorCauses,
}

impl RemoteError {
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let fields = Fields(bytes);
        Some(Self {
            error: fields.cause(8)?,
            assoc: fields.assoc(12)?,
            causes: ErrorCauses::new(bytes.slice(16..)),
        })
    }
}

/// Announcement of the peer's adaptation layer (`SCTP_ADAPTATION_INDICATION`, RFC 5061 section
/// 4.2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adaptation {
    /// The association.
    pub assoc: AssocId,
    /// Adaptation code point, chosen by the peer's upper layer.
    pub indication: u32,
}

impl Adaptation {
    pub(super) fn decode(fields: Fields<'_>) -> Option<Self> {
        Some(Self {
            indication: fields.u32(8)?,
            assoc: fields.assoc(12)?,
        })
    }
}

/// Change of an authentication key's state (`SCTP_AUTHENTICATION_EVENT`, RFC 6458 section 6.1.8).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authentication {
    /// The association.
    pub assoc: AssocId,
    /// The change.
    pub indication: AuthIndication,
    /// Shared key identifier.
    pub key: u16,
    /// Identifier of the previously active key.
    pub previous_key: u16,
}

/// Kind of change of an authentication key (`auth_indication`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthIndication {
    /// The peer started to use a key (`SCTP_AUTH_NEW_KEY`).
    NewKey,
    /// A key is no longer in use and can be deleted (`SCTP_AUTH_FREE_KEY`).
    FreeKey,
    /// The peer does not support authentication (`SCTP_AUTH_NO_AUTH`).
    ///
    /// Reported right after the association is established. With Linux's default settings, every
    /// association reports it.
    NoAuth,
    /// An indication unknown to this crate.
    Other(u32),
}

impl Authentication {
    pub(super) fn decode(fields: Fields<'_>) -> Option<Self> {
        Some(Self {
            key: fields.u16(8)?,
            previous_key: fields.u16(10)?,
            indication: match fields.u32(12)? {
                0 => AuthIndication::NewKey,
                1 => AuthIndication::FreeKey,
                2 => AuthIndication::NoAuth,
                other => AuthIndication::Other(other),
            },
            assoc: fields.assoc(16)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error_cause::ErrorCause, notification::Notification};

    #[test]
    fn linux_abort_reason_is_decoded() {
        let mut bytes = Vec::new();
        bytes.extend(0x8001u16.to_ne_bytes());
        bytes.extend(0u16.to_ne_bytes());
        bytes.extend(31u32.to_ne_bytes());
        bytes.extend(1u16.to_ne_bytes()); // COMM_LOST
        bytes.extend(12u16.to_be_bytes()); // network byte order, as measured
        bytes.extend(10u16.to_ne_bytes());
        bytes.extend(5u16.to_ne_bytes());
        bytes.extend(7i32.to_ne_bytes());
        bytes.extend(b"\x00\x0c\x00\x0bgo away");
        let Ok(Notification::AssocChange(event)) = Notification::decode(bytes.into()) else {
            panic!("not an AssocChange");
        };
        assert_eq!(event.state, AssocChangeState::CommLost);
        assert_eq!(event.error, ErrorCause::USER_INITIATED_ABORT);
        assert_eq!((event.outbound_streams, event.inbound_streams), (10, 5));
        assert_eq!(event.assoc, AssocId::new(7));
        assert_eq!(event.causes.abort_reason().unwrap(), "go away");
    }
}
