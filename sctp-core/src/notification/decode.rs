//! Decoding of notifications.

use std::fmt;

use bytes::Bytes;

use super::{
    Notification,
    association::{Adaptation, AssocChange, Authentication, RemoteError},
    fields::Fields,
    message::{PartialDelivery, SendFailed},
    path::PeerAddrChange,
    reconfig::{AssocReset, StreamChange, StreamReset},
};
use crate::abi;

/// Error returned for bytes that are not a complete notification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// Type of the notification, if it could be read.
    pub kind: Option<u16>,
    /// Length of the input in bytes.
    pub len: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(
                f,
                "notification type {kind:#06x} truncated at {} bytes",
                self.len
            ),
            None => write!(f, "notification truncated at {} bytes", self.len),
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<DecodeError> for std::io::Error {
    fn from(error: DecodeError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

pub(super) fn notification(mut bytes: Bytes) -> Result<Notification, DecodeError> {
    let len = bytes.len();
    let header = Fields(&bytes);
    let read = |error: Option<u16>| DecodeError { kind: error, len };
    let kind = header.u16(0).ok_or_else(|| read(None))?;
    let flags = header.u16(2).ok_or_else(|| read(Some(kind)))?;
    let claimed = header.u32(4).ok_or_else(|| read(Some(kind)))?;
    let claimed = usize::try_from(claimed).map_err(|_| read(Some(kind)))?;
    if claimed > len {
        return Err(read(Some(kind)));
    }
    bytes.truncate(claimed);
    body(kind, flags, &bytes).ok_or_else(|| read(Some(kind)))
}

fn body(kind: u16, flags: u16, bytes: &Bytes) -> Option<Notification> {
    let fields = Fields(bytes);
    Some(match kind {
        abi::SCTP_ASSOC_CHANGE => Notification::AssocChange(AssocChange::decode(bytes)?),
        abi::SCTP_PEER_ADDR_CHANGE => Notification::PeerAddrChange(PeerAddrChange::decode(fields)?),
        abi::SCTP_SEND_FAILED => Notification::SendFailed(SendFailed::decode_deprecated(bytes)?),
        abi::SCTP_SEND_FAILED_EVENT => Notification::SendFailed(SendFailed::decode(bytes)?),
        abi::SCTP_REMOTE_ERROR => Notification::RemoteError(RemoteError::decode(bytes)?),
        abi::SCTP_SHUTDOWN_EVENT => Notification::Shutdown {
            assoc: fields.assoc(8)?,
        },
        abi::SCTP_PARTIAL_DELIVERY_EVENT => {
            Notification::PartialDelivery(PartialDelivery::decode(fields)?)
        }
        abi::SCTP_ADAPTATION_INDICATION => Notification::Adaptation(Adaptation::decode(fields)?),
        abi::SCTP_AUTHENTICATION_EVENT => {
            Notification::Authentication(Authentication::decode(fields)?)
        }
        abi::SCTP_SENDER_DRY_EVENT => Notification::SenderDry {
            assoc: fields.assoc(8)?,
        },
        abi::SCTP_STREAM_RESET_EVENT => {
            Notification::StreamReset(StreamReset::decode(fields, flags)?)
        }
        abi::SCTP_ASSOC_RESET_EVENT => Notification::AssocReset(AssocReset::decode(fields, flags)?),
        abi::SCTP_STREAM_CHANGE_EVENT => {
            Notification::StreamChange(StreamChange::decode(fields, flags)?)
        }
        _ => Notification::Other {
            kind,
            flags,
            bytes: bytes.clone(),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::AssocId;

    fn decode(bytes: Vec<u8>) -> Result<Notification, DecodeError> {
        Notification::decode(bytes.into())
    }

    fn with_header(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::from(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(u32::try_from(8 + body.len()).unwrap().to_ne_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn truncated_notifications_are_errors() {
        assert_eq!(
            decode(vec![]).unwrap_err().to_string(),
            "notification truncated at 0 bytes"
        );
        let truncated = with_header(abi::SCTP_SHUTDOWN_EVENT, 0, &[1, 0]);
        let error = decode(truncated).unwrap_err();
        assert_eq!(
            error.to_string(),
            "notification type 0x8005 truncated at 10 bytes"
        );
    }

    #[test]
    fn length_beyond_input_is_an_error() {
        let mut bytes = with_header(abi::SCTP_SHUTDOWN_EVENT, 0, &7i32.to_ne_bytes());
        bytes[4..8].copy_from_slice(&13u32.to_ne_bytes());
        assert!(decode(bytes).is_err());
    }

    #[test]
    fn trailing_bytes_are_ignored() {
        let mut bytes = with_header(abi::SCTP_SHUTDOWN_EVENT, 0, &7i32.to_ne_bytes());
        bytes.extend([9; 100]);
        assert_eq!(
            decode(bytes),
            Ok(Notification::Shutdown {
                assoc: AssocId::new(7)
            })
        );
    }

    #[test]
    fn unknown_types_are_preserved() {
        let bytes = with_header(0x9999, 3, &[1, 2, 3]);
        let expected = Notification::Other {
            kind: 0x9999,
            flags: 3,
            bytes: bytes.clone().into(),
        };
        assert_eq!(decode(bytes), Ok(expected));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_are_decoded_or_refused(
            kind in 0x8000u16..0x8010,
            flags: u16,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = decode(with_header(kind, flags, &body));
        }

        #[test]
        fn arbitrary_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            let _ = decode(bytes);
        }
    }
}
