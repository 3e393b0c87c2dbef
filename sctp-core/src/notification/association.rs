//! Notifications about an association as a whole.

use bytes::Bytes;

use super::decode::Fields;
use crate::{error_cause::ErrorCauses, ids::AssocId};

/// An association came up, ended, restarted or could not start (`SCTP_ASSOC_CHANGE`, RFC 6458
/// section 6.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssocChange {
    /// The association; [`AssocId::FUTURE`] (0) when one could not start.
    pub assoc: AssocId,
    /// What happened to it.
    pub state: AssocChangeState,
    /// The first error cause's code, in host byte order; 0 when there is none. Linux delivers it
    /// in network byte order, and this crate swaps it.
    pub error: u16,
    /// How many streams can be sent on.
    pub outbound_streams: u16,
    /// How many streams the peer can send on.
    pub inbound_streams: u16,
    /// The causes in the ABORT that the peer sent; empty when this end gave the association up.
    ///
    /// RFC 6458 has the whole ABORT chunk in `sac_info`; Linux leaves out its four bytes of
    /// header.
    pub causes: ErrorCauses,
}

/// What happened to an association (`sac_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AssocChangeState {
    /// It is ready for messages (`SCTP_COMM_UP`).
    CommUp,
    /// It failed: the peer aborted it, or does not answer (`SCTP_COMM_LOST`).
    CommLost,
    /// The peer started again under the same addresses (`SCTP_RESTART`).
    Restart,
    /// It was shut down in order (`SCTP_SHUTDOWN_COMP`).
    ShutdownComplete,
    /// It could not be set up (`SCTP_CANT_STR_ASSOC`).
    CantStart,
    /// A state that this crate does not know.
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

/// The peer reported an error without ending the association (`SCTP_REMOTE_ERROR`, RFC 6458
/// section 6.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteError {
    /// The association.
    pub assoc: AssocId,
    /// The error cause's code, in host byte order.
    pub error: u16,
    /// The causes of the ERROR chunk.
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

/// The peer named its adaptation layer (`SCTP_ADAPTATION_INDICATION`, RFC 5061 section 4.2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adaptation {
    /// The association.
    pub assoc: AssocId,
    /// The number that the peer's user chose.
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

/// Something happened to the authentication keys (`SCTP_AUTHENTICATION_EVENT`, RFC 6458
/// section 6.1.8).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authentication {
    /// The association.
    pub assoc: AssocId,
    /// What happened.
    pub indication: AuthIndication,
    /// The key that it happened to.
    pub key: u16,
    /// The key that was active before.
    pub previous_key: u16,
}

/// What happened to an authentication key (`auth_indication`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthIndication {
    /// The peer has begun to use a key (`SCTP_AUTH_NEW_KEY`).
    NewKey,
    /// A key is no longer in use and can be deleted (`SCTP_AUTH_FREE_KEY`).
    FreeKey,
    /// The peer does not support authentication (`SCTP_AUTH_NO_AUTH`); it comes right after
    /// the association's coming up, and with Linux's default settings always does.
    NoAuth,
    /// An indication that this crate does not know.
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
    fn an_abort_with_a_reason_is_decoded_as_linux_writes_it() {
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
