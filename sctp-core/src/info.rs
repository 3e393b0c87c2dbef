//! Metadata of messages: destination, origin, and the next message in the queue.

use crate::{
    ids::{AssocId, StreamId},
    ppid::Ppid,
    reliability::Reliability,
};

/// Parameters of one message to send (`SCTP_SNDINFO`, `SCTP_PRINFO` and `SCTP_AUTHINFO`, RFC 6458
/// sections 5.3.4, 5.3.7 and 5.3.8).
///
/// Defaults to stream 0, no payload protocol identifier, ordered and reliable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct SendInfo {
    /// Outbound stream. The kernel refuses a stream that was not negotiated (`EINVAL`).
    pub stream: StreamId,
    /// Payload protocol identifier, in host byte order.
    pub ppid: Ppid,
    /// Delivers the message as soon as it arrives, outside the order of its stream
    /// (`SCTP_UNORDERED`).
    pub unordered: bool,
    /// Requests an immediate acknowledgement from the peer (`SCTP_SACK_IMMEDIATELY`, RFC 7053).
    pub sack_immediately: bool,
    /// Partial reliability policy of the message (RFC 3758).
    pub reliability: Reliability,
    /// Shared key that authenticates the message (RFC 4895). `None` selects the active key.
    pub auth_key: Option<u16>,
    /// Number chosen by the caller, returned in [`SendFailed`](crate::SendFailed).
    pub context: u32,
}

impl SendInfo {
    /// Creates the default parameters for a stream.
    #[must_use]
    pub fn on_stream(stream: impl Into<StreamId>) -> Self {
        Self {
            stream: stream.into(),
            ..Self::default()
        }
    }

    /// Sets the payload protocol identifier.
    #[must_use]
    pub fn with_ppid(mut self, ppid: impl Into<Ppid>) -> Self {
        self.ppid = ppid.into();
        self
    }

    /// Sets whether the message is delivered outside the order of its stream.
    #[must_use]
    pub fn with_unordered(mut self, unordered: bool) -> Self {
        self.unordered = unordered;
        self
    }

    /// Sets whether the peer should acknowledge immediately.
    #[must_use]
    pub fn with_sack_immediately(mut self, sack_immediately: bool) -> Self {
        self.sack_immediately = sack_immediately;
        self
    }

    /// Sets the partial reliability policy of the message.
    ///
    /// A partially reliable message longer than one DATA chunk needs a stream of its own, or must
    /// be unordered; see [`Reliability`].
    #[must_use]
    pub fn with_reliability(mut self, reliability: Reliability) -> Self {
        self.reliability = reliability;
        self
    }

    /// Sets the shared key that authenticates the message.
    #[must_use]
    pub fn with_auth_key(mut self, key: u16) -> Self {
        self.auth_key = Some(key);
        self
    }

    /// Sets the number that [`SendFailed`](crate::SendFailed) returns if the message cannot be
    /// delivered.
    #[must_use]
    pub fn with_context(mut self, context: u32) -> Self {
        self.context = context;
        self
    }
}

/// Metadata of a received message (`SCTP_RCVINFO`, RFC 6458 section 5.3.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct RecvInfo {
    /// Association of the message.
    pub assoc: AssocId,
    /// Inbound stream.
    pub stream: StreamId,
    /// Stream sequence number; 0 for unordered messages.
    pub ssn: u16,
    /// Payload protocol identifier, in host byte order.
    pub ppid: Ppid,
    /// Set for a message that was sent outside the order of its stream.
    pub unordered: bool,
    /// Transmission sequence number of the first chunk.
    pub tsn: u32,
    /// Cumulative TSN. Linux sets it for unordered messages only.
    pub cumulative_tsn: u32,
    /// Number set by `SCTP_CONTEXT` for the association.
    pub context: u32,
}

impl RecvInfo {
    /// Returns the parameters of a reply: the same stream number and payload protocol identifier,
    /// ordered or unordered like the message.
    #[must_use]
    pub fn reply(&self) -> SendInfo {
        SendInfo::on_stream(self.stream)
            .with_ppid(self.ppid)
            .with_unordered(self.unordered)
    }

    /// Sets the association.
    #[must_use]
    pub fn with_assoc(mut self, assoc: AssocId) -> Self {
        self.assoc = assoc;
        self
    }

    /// Sets the inbound stream.
    #[must_use]
    pub fn with_stream(mut self, stream: impl Into<StreamId>) -> Self {
        self.stream = stream.into();
        self
    }

    /// Sets the payload protocol identifier.
    #[must_use]
    pub fn with_ppid(mut self, ppid: impl Into<Ppid>) -> Self {
        self.ppid = ppid.into();
        self
    }

    /// Sets whether the message was unordered.
    #[must_use]
    pub fn with_unordered(mut self, unordered: bool) -> Self {
        self.unordered = unordered;
        self
    }
}

/// Metadata of the next message in the receive queue (`SCTP_NXTINFO`, RFC 6458 section 5.3.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct NextInfo {
    /// Association of the message.
    pub assoc: AssocId,
    /// Inbound stream.
    pub stream: StreamId,
    /// Payload protocol identifier, in host byte order.
    pub ppid: Ppid,
    /// Number of bytes of the message that have arrived. RFC 6458 defines a flag for a complete
    /// message (`SCTP_COMPLETE`), which Linux never sets.
    pub length: u32,
    /// Set for a message that was sent outside the order of its stream.
    pub unordered: bool,
    /// Set for a notification.
    pub notification: bool,
}
