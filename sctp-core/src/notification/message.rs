//! Notifications about messages.

use bytes::Bytes;

use super::fields::Fields;
use crate::{
    ids::{AssocId, StreamId},
    ppid::Ppid,
};

// Flags of a DATA chunk (RFC 9260 section 3.3.1), which Linux puts into `snd_flags`.
const LAST_FRAGMENT: u16 = 0x1;
const FIRST_FRAGMENT: u16 = 0x2;
const UNORDERED: u16 = 0x4;
// sizeof(struct sctp_send_failed), sizeof(struct sctp_send_failed_event)
const DEPRECATED_LEN: usize = 48;
const EVENT_LEN: usize = 32;

/// Failure to deliver a message, or a fragment of one (`SCTP_SEND_FAILED_EVENT`, RFC 6458 section
/// 6.1.11).
///
/// Linux reports each fragment of a long message separately, in order. `first_fragment` and
/// `last_fragment` mark the first and the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendFailed {
    /// The association, or [`AssocId::FUTURE`] (0) if it could not start.
    pub assoc: AssocId,
    /// Set if the message was sent at least once. The peer may have received it.
    pub sent: bool,
    /// Code of the error cause, in host byte order; 0 if there is none.
    pub error: u16,
    /// Outbound stream of the message.
    pub stream: StreamId,
    /// Payload protocol identifier of the message.
    pub ppid: Ppid,
    /// Set for a message that was sent outside the order of its stream.
    pub unordered: bool,
    /// Value of [`SendInfo::context`](crate::SendInfo::context) given with the message.
    pub context: u32,
    /// Set for the first fragment of the message.
    pub first_fragment: bool,
    /// Set for the last fragment of the message.
    pub last_fragment: bool,
    /// Payload of the fragment.
    pub payload: Bytes,
}

impl SendFailed {
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let fields = Fields(bytes);
        let chunk_flags = fields.u16(14)?;
        Some(Self {
            sent: fields.u16(2)? == 1,
            error: fields.cause(8)?,
            stream: StreamId::new(fields.u16(12)?),
            unordered: chunk_flags & UNORDERED != 0,
            first_fragment: chunk_flags & FIRST_FRAGMENT != 0,
            last_fragment: chunk_flags & LAST_FRAGMENT != 0,
            ppid: Ppid::from_wire(fields.u32(16)?),
            context: fields.u32(20)?,
            assoc: fields.assoc(28)?,
            payload: bytes.get(EVENT_LEN..).map(|_| bytes.slice(EVENT_LEN..))?,
        })
    }

    /// Decodes the deprecated form, which holds the same fields in a `sctp_sndrcvinfo`.
    pub(super) fn decode_deprecated(bytes: &Bytes) -> Option<Self> {
        let fields = Fields(bytes);
        let chunk_flags = fields.u16(16)?;
        Some(Self {
            sent: fields.u16(2)? == 1,
            error: fields.cause(8)?,
            stream: StreamId::new(fields.u16(12)?),
            unordered: chunk_flags & UNORDERED != 0,
            first_fragment: chunk_flags & FIRST_FRAGMENT != 0,
            last_fragment: chunk_flags & LAST_FRAGMENT != 0,
            ppid: Ppid::from_wire(fields.u32(20)?),
            context: fields.u32(24)?,
            assoc: fields.assoc(44)?,
            payload: bytes
                .get(DEPRECATED_LEN..)
                .map(|_| bytes.slice(DEPRECATED_LEN..))?,
        })
    }
}

/// Loss of the rest of a partially delivered message (`SCTP_PARTIAL_DELIVERY_EVENT`, RFC 6458
/// section 6.1.7).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartialDelivery {
    /// The association.
    pub assoc: AssocId,
    /// Flags (`pdapi_flags`). RFC 6458 defines none. Linux sets the lowest bit for an unordered
    /// message if messages are interleaved (I-DATA).
    pub flags: u16,
    /// Kind of event. Only 0 is defined: `SCTP_PARTIAL_DELIVERY_ABORTED`.
    pub indication: u32,
    /// Stream of the message. Linux leaves it 0 unless messages are interleaved (I-DATA).
    pub stream: u32,
    /// Sequence number of the message. Linux leaves it 0 unless messages are interleaved (I-DATA).
    pub sequence: u32,
}

impl PartialDelivery {
    /// Returns `true` for an unordered message. Linux reports this only with I-DATA; see
    /// [`flags`](Self::flags).
    #[must_use]
    pub fn is_unordered(&self) -> bool {
        /// Flag of `sctp_intl_abort_pd`, which has no name in the kernel.
        const UNORDERED: u16 = 0x1;
        self.flags & UNORDERED != 0
    }

    pub(super) fn decode(fields: Fields<'_>) -> Option<Self> {
        Some(Self {
            flags: fields.u16(2)?,
            indication: fields.u32(8)?,
            assoc: fields.assoc(12)?,
            stream: fields.u32(16)?,
            sequence: fields.u32(20)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::Notification;

    #[test]
    fn partial_delivery_reports_order_of_message() {
        for (flags, unordered) in [(0u16, false), (1, true)] {
            let mut bytes = Vec::new();
            bytes.extend(0x8006u16.to_ne_bytes());
            bytes.extend(flags.to_ne_bytes());
            for field in [24u32, 0, 7, 3, 9] {
                bytes.extend(field.to_ne_bytes());
            }
            let Ok(Notification::PartialDelivery(event)) = Notification::decode(bytes.into())
            else {
                panic!("not a PartialDelivery");
            };
            assert_eq!((event.flags, event.is_unordered()), (flags, unordered));
            assert_eq!((event.assoc, event.stream), (AssocId::new(7), 3));
            assert_eq!(event.sequence, 9);
        }
    }

    #[test]
    fn unsent_message_is_returned_whole() {
        let mut bytes = Vec::new();
        bytes.extend(0x800du16.to_ne_bytes());
        bytes.extend(0u16.to_ne_bytes());
        bytes.extend(36u32.to_ne_bytes());
        bytes.extend([0, 12, 0, 0]); // the cause in network byte order
        bytes.extend(3u16.to_ne_bytes());
        bytes.extend(3u16.to_ne_bytes());
        bytes.extend(46u32.to_be_bytes());
        bytes.extend(99u32.to_ne_bytes());
        bytes.extend(0i32.to_ne_bytes());
        bytes.extend(5i32.to_ne_bytes());
        bytes.extend(b"data");
        let Ok(Notification::SendFailed(event)) = Notification::decode(bytes.into()) else {
            panic!("not a SendFailed");
        };
        assert!(!event.sent && event.first_fragment && event.last_fragment && !event.unordered);
        assert_eq!(
            (event.error, event.stream.get(), event.context),
            (12, 3, 99)
        );
        assert_eq!((event.ppid, event.assoc), (Ppid::DIAMETER, AssocId::new(5)));
        assert_eq!(event.payload, "data");
    }
}
