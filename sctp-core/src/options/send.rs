//! Defaults, sizes and bursts of sent messages.

use std::io;

use super::raw::invalid;
use crate::{
    abi::{self, Layout as _},
    ids::{AssocId, StreamId},
    ppid::Ppid,
    reliability::Reliability,
    socket::Socket,
};

/// Parameters of messages without parameters of their own (`SCTP_DEFAULT_SNDINFO`, RFC 6458 section
/// 8.1.31).
///
/// Used by `write(2)` and `send(2)` on the descriptor. The send methods of [`Socket`] pass complete
/// parameters in [`SendInfo`](crate::SendInfo).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct DefaultSendInfo {
    /// Outbound stream.
    pub stream: StreamId,
    /// Payload protocol identifier, in host byte order.
    pub ppid: Ppid,
    /// Delivers messages outside the order of their stream.
    pub unordered: bool,
    /// Number that is returned in [`SendFailed`](crate::SendFailed).
    pub context: u32,
}

impl DefaultSendInfo {
    /// Creates the kernel's defaults: stream 0, no payload protocol identifier, ordered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the outbound stream.
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

    /// Sets whether messages are delivered outside the order of their stream.
    #[must_use]
    pub fn with_unordered(mut self, unordered: bool) -> Self {
        self.unordered = unordered;
        self
    }

    /// Sets the number that is returned if a message fails.
    #[must_use]
    pub fn with_context(mut self, context: u32) -> Self {
        self.context = context;
        self
    }
}

/// Defaults of messages.
impl Socket {
    /// Sets the parameters of messages without parameters of their own.
    ///
    /// On Linux this also resets [`Socket::set_default_reliability`]: set the reliability
    /// afterwards.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    #[doc(alias = "SCTP_DEFAULT_SNDINFO")]
    pub fn set_default_send_info(&self, assoc: AssocId, info: &DefaultSendInfo) -> io::Result<()> {
        let raw = abi::SndInfo {
            stream: info.stream.get(),
            flags: if info.unordered {
                abi::SCTP_UNORDERED
            } else {
                0
            },
            ppid: info.ppid.to_wire(),
            context: info.context,
            assoc,
        };
        self.set_option(abi::SCTP_DEFAULT_SNDINFO, &raw.encode())
    }

    /// Returns the parameters of messages without parameters of their own.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`].
    pub fn default_send_info(&self, assoc: AssocId) -> io::Result<DefaultSendInfo> {
        let request = abi::SndInfo {
            assoc,
            ..Default::default()
        };
        let raw = self.option(abi::SCTP_DEFAULT_SNDINFO, &request)?;
        Ok(DefaultSendInfo {
            stream: StreamId::new(raw.stream),
            ppid: Ppid::from_wire(raw.ppid),
            unordered: raw.flags & abi::SCTP_UNORDERED != 0,
            context: raw.context,
        })
    }

    /// Sets the reliability of messages without parameters of their own (`SCTP_DEFAULT_PRINFO`, RFC
    /// 6458 section 8.1.32).
    ///
    /// Defaults to [`Reliability::Reliable`]. Intended for `write(2)` and `send(2)` on the
    /// descriptor; do not combine it with the send methods of [`Socket`]. For a message whose
    /// [`SendInfo`](crate::SendInfo) is [`Reliability::Reliable`], Linux ignores the policy and
    /// interprets its value as a lifetime in milliseconds. The message is discarded if it is still
    /// unsent after that time.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    #[doc(alias = "SCTP_DEFAULT_PRINFO")]
    pub fn set_default_reliability(
        &self,
        assoc: AssocId,
        reliability: Reliability,
    ) -> io::Result<()> {
        let (policy, value) = reliability
            .to_prinfo()
            .unwrap_or((abi::SCTP_PR_SCTP_NONE, 0));
        let raw = abi::DefaultPrInfo {
            assoc,
            value,
            policy,
        };
        self.set_option(abi::SCTP_DEFAULT_PRINFO, &raw.encode())
    }

    /// Returns the reliability of messages without parameters of their own.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`].
    pub fn default_reliability(&self, assoc: AssocId) -> io::Result<Reliability> {
        let request = abi::DefaultPrInfo {
            assoc,
            ..Default::default()
        };
        let raw = self.option(abi::SCTP_DEFAULT_PRINFO, &request)?;
        Ok(Reliability::from_prinfo(raw.policy, raw.value))
    }

    /// Sets the number that accompanies every message received on an association (`SCTP_CONTEXT`,
    /// RFC 6458 section 8.1.25).
    ///
    /// [`RecvInfo::context`](crate::RecvInfo::context) returns it. Defaults to 0. Unrelated to the
    /// context of sent messages.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    #[doc(alias = "SCTP_CONTEXT")]
    pub fn set_context(&self, assoc: AssocId, context: u32) -> io::Result<()> {
        self.set_assoc_number(abi::SCTP_CONTEXT, assoc, context)
    }

    /// Returns the number that accompanies every message received on an association.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`].
    pub fn context(&self, assoc: AssocId) -> io::Result<u32> {
        self.assoc_number(abi::SCTP_CONTEXT, assoc)
    }
}

/// Sizes and bursts.
impl Socket {
    /// Sets the maximum payload of a DATA chunk in bytes (`SCTP_MAXSEG`, RFC 6458 section 8.1.16).
    ///
    /// Longer messages are fragmented. `None`, the default, leaves the limit to the path MTU, which
    /// always applies.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`], and
    /// for a size that is too small (below 464 on an IPv4 socket, 444 on an IPv6 one) or too large
    /// (above 65516).
    #[doc(alias = "SCTP_MAXSEG")]
    pub fn set_maxseg(&self, assoc: AssocId, bytes: Option<u32>) -> io::Result<()> {
        if bytes == Some(0) {
            return Err(invalid("maximum payload is 0 bytes"));
        }
        self.set_assoc_number(abi::SCTP_MAXSEG, assoc, bytes.unwrap_or(0))
    }

    /// Returns the maximum payload of a DATA chunk in bytes.
    ///
    /// For [`AssocId::FUTURE`], returns the configured value, or `None`. For an association, Linux
    /// returns the effective value: the smaller of the configured one and that of the path MTU.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    pub fn maxseg(&self, assoc: AssocId) -> io::Result<Option<u32>> {
        let bytes = self.assoc_number(abi::SCTP_MAXSEG, assoc)?;
        Ok((bytes != 0).then_some(bytes))
    }

    /// Sets the maximum number of packets per burst (`SCTP_MAX_BURST`, RFC 6458 section 8.1.24).
    ///
    /// 0 removes the limit. Defaults to 4, or to the sysctl `net.sctp.max_burst`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    #[doc(alias = "SCTP_MAX_BURST")]
    pub fn set_max_burst(&self, assoc: AssocId, packets: u32) -> io::Result<()> {
        self.set_assoc_number(abi::SCTP_MAX_BURST, assoc, packets)
    }

    /// Returns the maximum number of packets per burst; 0 for no limit.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`].
    pub fn max_burst(&self, assoc: AssocId) -> io::Result<u32> {
        self.assoc_number(abi::SCTP_MAX_BURST, assoc)
    }

    /// Sets whether messages that exceed one DATA chunk are refused (`SCTP_DISABLE_FRAGMENTS`, RFC
    /// 6458 section 8.1.11).
    ///
    /// Such messages then fail with `EMSGSIZE` instead of being fragmented; [`Socket::maxseg`] is
    /// the limit. Defaults to off. Applies to the whole socket, established associations included.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SCTP_DISABLE_FRAGMENTS")]
    pub fn set_disable_fragments(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_DISABLE_FRAGMENTS, on)
    }

    /// Returns `true` if messages that exceed one DATA chunk are refused.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn disable_fragments(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_DISABLE_FRAGMENTS)
    }
}
