//! Notifications about stream reconfiguration (RFC 6525).

use super::fields::Fields;
use crate::ids::{AssocId, StreamId};

const INCOMING: u16 = 0x1;
const OUTGOING: u16 = 0x2;
const DENIED: u16 = 0x4;
const FAILED: u16 = 0x8;

/// Outcome of a request to reconfigure an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconfigOutcome {
    /// The request was performed.
    Done,
    /// The peer denied the request.
    Denied,
    /// The request failed.
    Failed,
}

impl ReconfigOutcome {
    fn from_flags(flags: u16) -> Self {
        match flags {
            flags if flags & DENIED != 0 => Self::Denied,
            flags if flags & FAILED != 0 => Self::Failed,
            _ => Self::Done,
        }
    }
}

/// Reset of streams to sequence number 0 (`SCTP_STREAM_RESET_EVENT`, RFC 6525 section 6.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamReset {
    /// The association.
    pub assoc: AssocId,
    /// Outcome of the request.
    pub outcome: ReconfigOutcome,
    /// Set if the request covers inbound streams.
    pub incoming: bool,
    /// Set if the request covers outbound streams.
    pub outgoing: bool,
    /// Numbers of the streams; empty if the request covers all streams.
    pub streams: Vec<StreamId>,
}

impl StreamReset {
    pub(super) fn decode(fields: Fields<'_>, flags: u16) -> Option<Self> {
        let list = fields.0.get(12..)?;
        Some(Self {
            assoc: fields.assoc(8)?,
            outcome: ReconfigOutcome::from_flags(flags),
            incoming: flags & INCOMING != 0,
            outgoing: flags & OUTGOING != 0,
            streams: list
                .chunks_exact(2)
                .map(|id| StreamId::new(u16::from_ne_bytes([id[0], id[1]])))
                .collect(),
        })
    }
}

/// Reset of all sequence numbers of an association (`SCTP_ASSOC_RESET_EVENT`, RFC 6525 section
/// 6.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssocReset {
    /// The association.
    pub assoc: AssocId,
    /// Outcome of the request.
    pub outcome: ReconfigOutcome,
    /// Next transmission sequence number of this end.
    pub local_tsn: u32,
    /// Next transmission sequence number of the peer.
    pub remote_tsn: u32,
}

impl AssocReset {
    pub(super) fn decode(fields: Fields<'_>, flags: u16) -> Option<Self> {
        Some(Self {
            assoc: fields.assoc(8)?,
            outcome: ReconfigOutcome::from_flags(flags),
            local_tsn: fields.u32(12)?,
            remote_tsn: fields.u32(16)?,
        })
    }
}

/// Addition of streams to an association (`SCTP_STREAM_CHANGE_EVENT`, RFC 6525 section 6.1.3).
///
/// The RFC reports the new totals. Linux reports the number of *added* streams, and 0 for the other
/// direction (`sctp_process_strreset_addstrm_out`). [`Socket::status`](crate::Socket::status)
/// returns the totals.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamChange {
    /// The association.
    pub assoc: AssocId,
    /// Outcome of the request.
    pub outcome: ReconfigOutcome,
    /// Number of added inbound streams.
    pub added_inbound_streams: u16,
    /// Number of added outbound streams.
    pub added_outbound_streams: u16,
}

impl StreamChange {
    pub(super) fn decode(fields: Fields<'_>, flags: u16) -> Option<Self> {
        Some(Self {
            assoc: fields.assoc(8)?,
            outcome: ReconfigOutcome::from_flags(flags),
            added_inbound_streams: fields.u16(12)?,
            added_outbound_streams: fields.u16(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::Notification;

    #[test]
    fn reset_streams_are_listed() {
        let mut bytes = Vec::new();
        bytes.extend(0x800au16.to_ne_bytes());
        bytes.extend((OUTGOING | DENIED).to_ne_bytes());
        bytes.extend(16u32.to_ne_bytes());
        bytes.extend(5i32.to_ne_bytes());
        bytes.extend(1u16.to_ne_bytes());
        bytes.extend(9u16.to_ne_bytes());
        let expected = StreamReset {
            assoc: AssocId::new(5),
            outcome: ReconfigOutcome::Denied,
            incoming: false,
            outgoing: true,
            streams: vec![StreamId::new(1), StreamId::new(9)],
        };
        assert_eq!(
            Notification::decode(bytes.into()),
            Ok(Notification::StreamReset(expected))
        );
    }
}
