//! Error causes of ABORT and ERROR chunks.

use std::fmt;

use bytes::Bytes;

use crate::ids::StreamId;

/// Encoded error causes of an ABORT or ERROR chunk, without the chunk header (RFC 9260 section
/// 3.3.10).
///
/// Iteration decodes the causes and stops at the first malformed one. [`as_bytes`](Self::as_bytes)
/// returns all bytes, malformed ones included.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ErrorCauses(Bytes);

impl ErrorCauses {
    /// Wraps the encoded causes.
    #[must_use]
    pub fn new(causes: Bytes) -> Self {
        Self(causes)
    }

    /// Returns the encoded causes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Returns `true` if there is no cause.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns an iterator that decodes the causes in order.
    #[must_use]
    pub fn iter(&self) -> ErrorCauseIter {
        ErrorCauseIter {
            rest: self.0.clone(),
        }
    }

    /// Returns the reason of a user-initiated abort, if there is one.
    #[must_use]
    pub fn abort_reason(&self) -> Option<Bytes> {
        self.iter().find_map(|cause| match cause {
            ErrorCause::UserInitiatedAbort(reason) => Some(reason),
            _ => None,
        })
    }
}

impl fmt::Debug for ErrorCauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl IntoIterator for &ErrorCauses {
    type Item = ErrorCause;
    type IntoIter = ErrorCauseIter;

    fn into_iter(self) -> ErrorCauseIter {
        self.iter()
    }
}

/// Iterator over decoded error causes, returned by [`ErrorCauses::iter`].
#[derive(Clone, Debug)]
pub struct ErrorCauseIter {
    rest: Bytes,
}

impl Iterator for ErrorCauseIter {
    type Item = ErrorCause;

    fn next(&mut self) -> Option<ErrorCause> {
        let code = u16::from_be_bytes(*self.rest.first_chunk()?);
        let length = usize::from(u16::from_be_bytes(self.rest.get(2..4)?.try_into().ok()?));
        if length < 4 || length > self.rest.len() {
            self.rest.clear();
            return None;
        }
        let info = self.rest.slice(4..length);
        // Each cause but the last is padded to a multiple of four bytes.
        let padded = length.next_multiple_of(4).min(self.rest.len());
        self.rest = self.rest.slice(padded..);
        Some(ErrorCause::decode(code, info))
    }
}

/// One error cause (RFC 9260 section 3.3.10, RFC 5061 section 4.3, RFC 4895 section 4.2).
///
/// A cause whose body does not match its code decodes to [`ErrorCause::Other`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCause {
    /// Code 1: data was received on a stream that does not exist.
    InvalidStreamIdentifier(StreamId),
    /// Code 2: mandatory parameters were missing. Holds the encoded body.
    MissingMandatoryParameter(Bytes),
    /// Code 3: the cookie had expired.
    StaleCookie {
        /// Time since the cookie expired, in microseconds.
        staleness: u32,
    },
    /// Code 4: the peer lacks the resources for an association.
    OutOfResource,
    /// Code 5: the peer cannot use an address. Holds the encoded parameter.
    UnresolvableAddress(Bytes),
    /// Code 6: the peer does not know a chunk type. Holds the encoded chunk.
    UnrecognizedChunkType(Bytes),
    /// Code 7: a mandatory parameter has an invalid value.
    InvalidMandatoryParameter(Bytes),
    /// Code 8: the peer does not know some parameters. Holds the encoded parameters.
    UnrecognizedParameters(Bytes),
    /// Code 9: a DATA chunk had no data.
    NoUserData {
        /// Transmission sequence number of the chunk.
        tsn: u32,
    },
    /// Code 10: a cookie was received while the association was shutting down.
    CookieWhileShuttingDown,
    /// Code 11: an association was restarted with new addresses.
    RestartWithNewAddresses(Bytes),
    /// Code 12: the peer's upper layer aborted the association. Holds the reason, which may be
    /// empty.
    UserInitiatedAbort(Bytes),
    /// Code 13: the peer detected a protocol violation. Holds its explanation.
    ProtocolViolation(Bytes),
    /// Code 160: the last remaining address was to be deleted.
    DeleteLastAddress(Bytes),
    /// Code 161: an address change was refused for lack of resources.
    ResourceShortage(Bytes),
    /// Code 162: the source address of the packet was to be deleted.
    DeleteSourceAddress(Bytes),
    /// Code 163: the association was aborted because of an illegal ASCONF-ACK.
    IllegalAsconfAck(Bytes),
    /// Code 164: an address change was refused for lack of authorization.
    NoAuthorization(Bytes),
    /// Code 261 (0x0105): the HMAC algorithm is not supported.
    UnsupportedHmac {
        /// HMAC identifier.
        hmac: u16,
    },
    /// Any other code.
    Other {
        /// Cause code.
        code: u16,
        /// Cause-specific information.
        info: Bytes,
    },
}

impl ErrorCause {
    /// Code of [`ErrorCause::UserInitiatedAbort`].
    pub const USER_INITIATED_ABORT: u16 = 12;

    fn decode(code: u16, info: Bytes) -> Self {
        let word = || info.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let half = || info.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        let decoded = match code {
            1 => half().map(|id| Self::InvalidStreamIdentifier(StreamId::new(id))),
            3 => word().map(|staleness| Self::StaleCookie { staleness }),
            4 => Some(Self::OutOfResource),
            9 => word().map(|tsn| Self::NoUserData { tsn }),
            10 => Some(Self::CookieWhileShuttingDown),
            0x0105 => half().map(|hmac| Self::UnsupportedHmac { hmac }),
            _ => None,
        };
        if let Some(decoded) = decoded {
            return decoded;
        }
        match code {
            2 => Self::MissingMandatoryParameter(info),
            5 => Self::UnresolvableAddress(info),
            6 => Self::UnrecognizedChunkType(info),
            7 => Self::InvalidMandatoryParameter(info),
            8 => Self::UnrecognizedParameters(info),
            11 => Self::RestartWithNewAddresses(info),
            12 => Self::UserInitiatedAbort(info),
            13 => Self::ProtocolViolation(info),
            160 => Self::DeleteLastAddress(info),
            161 => Self::ResourceShortage(info),
            162 => Self::DeleteSourceAddress(info),
            163 => Self::IllegalAsconfAck(info),
            164 => Self::NoAuthorization(info),
            code => Self::Other { code, info },
        }
    }

    /// Returns the cause code.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::InvalidStreamIdentifier(_) => 1,
            Self::MissingMandatoryParameter(_) => 2,
            Self::StaleCookie { .. } => 3,
            Self::OutOfResource => 4,
            Self::UnresolvableAddress(_) => 5,
            Self::UnrecognizedChunkType(_) => 6,
            Self::InvalidMandatoryParameter(_) => 7,
            Self::UnrecognizedParameters(_) => 8,
            Self::NoUserData { .. } => 9,
            Self::CookieWhileShuttingDown => 10,
            Self::RestartWithNewAddresses(_) => 11,
            Self::UserInitiatedAbort(_) => Self::USER_INITIATED_ABORT,
            Self::ProtocolViolation(_) => 13,
            Self::DeleteLastAddress(_) => 160,
            Self::ResourceShortage(_) => 161,
            Self::DeleteSourceAddress(_) => 162,
            Self::IllegalAsconfAck(_) => 163,
            Self::NoAuthorization(_) => 164,
            Self::UnsupportedHmac { .. } => 0x0105,
            Self::Other { code, .. } => *code,
        }
    }

    /// Returns the name of a cause code in RFC 9260, or `None` for an unknown code.
    #[must_use]
    pub fn name(code: u16) -> Option<&'static str> {
        Some(match code {
            1 => "invalid stream identifier",
            2 => "missing mandatory parameter",
            3 => "stale cookie",
            4 => "out of resource",
            5 => "unresolvable address",
            6 => "unrecognized chunk type",
            7 => "invalid mandatory parameter",
            8 => "unrecognized parameters",
            9 => "no user data",
            10 => "cookie received while shutting down",
            11 => "restart of an association with new addresses",
            12 => "user-initiated abort",
            13 => "protocol violation",
            160 => "request to delete last remaining address",
            161 => "operation refused due to resource shortage",
            162 => "request to delete source address",
            163 => "association aborted due to illegal ASCONF-ACK",
            164 => "request refused, no authorization",
            0x0105 => "unsupported HMAC identifier",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn causes(bytes: &'static [u8]) -> Vec<ErrorCause> {
        ErrorCauses::new(Bytes::from_static(bytes)).iter().collect()
    }

    #[test]
    fn abort_reason_is_decoded() {
        assert_eq!(
            causes(b"\x00\x0c\x00\x0bgo away"),
            [ErrorCause::UserInitiatedAbort(Bytes::from_static(
                b"go away"
            ))]
        );
        assert_eq!(
            causes(b"\x00\x0c\x00\x04"),
            [ErrorCause::UserInitiatedAbort(Bytes::new())]
        );
    }

    #[test]
    fn padding_between_causes_is_skipped() {
        assert_eq!(
            causes(b"\x00\x01\x00\x06\x00\x07\xff\xff\x00\x04\x00\x04"),
            [
                ErrorCause::InvalidStreamIdentifier(StreamId::new(7)),
                ErrorCause::OutOfResource
            ]
        );
    }

    #[test]
    fn invalid_length_ends_iteration() {
        assert_eq!(causes(b"\x00\x0c\x00\x03"), []);
        assert_eq!(causes(b"\x00\x0c\xff\xffabc"), []);
        assert_eq!(causes(b"\x00\x0c\x00"), []);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_stay_within_bounds(bytes: Vec<u8>) {
            let len = bytes.len();
            let causes = ErrorCauses::new(bytes.into());
            prop_assert!(causes.iter().count() <= len / 4);
        }

        #[test]
        fn every_code_is_preserved(code: u16, info in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut wire = Vec::from(code.to_be_bytes());
            wire.extend(u16::try_from(info.len() + 4).unwrap().to_be_bytes());
            wire.extend(&info);
            let decoded: Vec<_> = ErrorCauses::new(wire.into()).iter().collect();
            prop_assert_eq!(decoded.len(), 1);
            prop_assert_eq!(decoded[0].code(), code);
        }
    }
}
