//! What travels beside a message: where it goes, where it came from, what comes next.

use crate::{
    ids::{AssocId, StreamId},
    ppid::Ppid,
    reliability::Reliability,
};

/// How one message is to be sent (`SCTP_SNDINFO`, `SCTP_PRINFO` and `SCTP_AUTHINFO`, RFC 6458
/// sections 5.3.4, 5.3.7 and 5.3.8).
///
/// The default is stream 0, no payload protocol identifier, ordered, reliable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct SendInfo {
    /// The outbound stream. One that was not negotiated is refused by the kernel (`EINVAL`).
    pub stream: StreamId,
    /// The payload protocol identifier, in host byte order.
    pub ppid: Ppid,
    /// Deliver the message as soon as it arrives, outside the order of its stream
    /// (`SCTP_UNORDERED`).
    pub unordered: bool,
    /// Ask the peer to acknowledge at once (`SCTP_SACK_IMMEDIATELY`, RFC 7053).
    pub sack_immediately: bool,
    /// How long to try.
    pub reliability: Reliability,
    /// The shared key to authenticate the message with (RFC 4895); `None` is the active key.
    pub auth_key: Option<u16>,
    /// A number of the caller's that comes back in [`SendFailed`](crate::SendFailed).
    pub context: u32,
}

impl SendInfo {
    /// Begins with the defaults, on a stream.
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

    /// Sets whether the message goes outside the order of its stream.
    #[must_use]
    pub fn with_unordered(mut self, unordered: bool) -> Self {
        self.unordered = unordered;
        self
    }

    /// Sets whether the peer is asked to acknowledge at once.
    #[must_use]
    pub fn with_sack_immediately(mut self, sack_immediately: bool) -> Self {
        self.sack_immediately = sack_immediately;
        self
    }

    /// Sets how long the kernel tries to deliver the message.
    ///
    /// A message longer than one DATA chunk that is not fully reliable needs a stream of its own,
    /// or must be unordered: see [`Reliability`].
    #[must_use]
    pub fn with_reliability(mut self, reliability: Reliability) -> Self {
        self.reliability = reliability;
        self
    }

    /// Sets the shared key to authenticate the message with.
    #[must_use]
    pub fn with_auth_key(mut self, key: u16) -> Self {
        self.auth_key = Some(key);
        self
    }

    /// Sets the number that comes back if the message fails.
    #[must_use]
    pub fn with_context(mut self, context: u32) -> Self {
        self.context = context;
        self
    }
}

/// What the kernel said about a received message (`SCTP_RCVINFO`, RFC 6458 section 5.3.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct RecvInfo {
    /// The association it came on.
    pub assoc: AssocId,
    /// The inbound stream.
    pub stream: StreamId,
    /// The stream sequence number; 0 for unordered messages.
    pub ssn: u16,
    /// The payload protocol identifier, in host byte order.
    pub ppid: Ppid,
    /// Whether it was sent outside the order of its stream.
    pub unordered: bool,
    /// The transmission sequence number of its first chunk.
    pub tsn: u32,
    /// The cumulative TSN; Linux fills it in for unordered messages only.
    pub cumulative_tsn: u32,
    /// The number set by `SCTP_CONTEXT` for the association.
    pub context: u32,
}

impl RecvInfo {
    /// Where a reply goes: the same stream number, the same payload protocol identifier,
    /// ordered or not as the message was.
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

/// What the kernel said about the message behind the one received (`SCTP_NXTINFO`, RFC 6458
/// section 5.3.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct NextInfo {
    /// The association it belongs to.
    pub assoc: AssocId,
    /// The inbound stream.
    pub stream: StreamId,
    /// The payload protocol identifier, in host byte order.
    pub ppid: Ppid,
    /// How many bytes of it have arrived. RFC 6458 has a flag for a complete message; Linux never
    /// sets it.
    pub length: u32,
    /// Whether it was sent outside the order of its stream.
    pub unordered: bool,
    /// Whether it is a notification.
    pub notification: bool,
}
