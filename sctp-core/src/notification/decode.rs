//! Reading notifications out of the kernel's bytes.

use std::fmt;

use bytes::Bytes;

use super::{
    Adaptation, AssocChange, AssocReset, Authentication, Notification, PartialDelivery,
    PeerAddrChange, RemoteError, SendFailed, StreamChange, StreamReset,
};
use crate::{abi, ids::AssocId};

/// The bytes given as a notification are not one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// The notification's type as far as it could be read.
    pub kind: Option<u16>,
    /// How many bytes there were.
    pub len: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(
                f,
                "{} bytes are too few for notification type {kind:#06x}",
                self.len
            ),
            None => write!(f, "{} bytes are too few for a notification", self.len),
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

/// Fixed fields of a kernel structure, read by offset and never beyond its end.
///
/// Reading by offset instead of casting to a `repr(C)` struct needs neither alignment nor
/// `unsafe`, and leaves no length check to forget. The offsets are held against
/// `<linux/sctp.h>` by a test.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_ne_bytes)
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_ne_bytes)
    }

    pub(super) fn i32(self, at: usize) -> Option<i32> {
        self.array(at).map(i32::from_ne_bytes)
    }

    pub(super) fn assoc(self, at: usize) -> Option<AssocId> {
        self.i32(at).map(AssocId::new)
    }

    /// An error cause code: Linux leaves it in network byte order in each notification, against
    /// RFC 6458 (`sctp_ulpevent_make_assoc_change`).
    pub(super) fn cause(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    fn short_ones_are_errors() {
        assert_eq!(
            decode(vec![]).unwrap_err().to_string(),
            "0 bytes are too few for a notification"
        );
        let truncated = with_header(abi::SCTP_SHUTDOWN_EVENT, 0, &[1, 0]);
        let error = decode(truncated).unwrap_err();
        assert_eq!(
            error.to_string(),
            "10 bytes are too few for notification type 0x8005"
        );
    }

    #[test]
    fn a_length_field_beyond_the_bytes_is_an_error() {
        let mut bytes = with_header(abi::SCTP_SHUTDOWN_EVENT, 0, &7i32.to_ne_bytes());
        bytes[4..8].copy_from_slice(&13u32.to_ne_bytes());
        assert!(decode(bytes).is_err());
    }

    #[test]
    fn bytes_behind_the_length_field_are_not_read() {
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
    fn unknown_types_survive() {
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
        fn any_body_of_any_type_is_survived(
            kind in 0x8000u16..0x8010,
            flags: u16,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = decode(with_header(kind, flags, &body));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = decode(bytes);
        }
    }
}
