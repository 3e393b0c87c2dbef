//! Sending: defaults of messages, sizes and bursts.

use std::io;

use super::raw::invalid;
use crate::{
    abi::{self, Layout as _},
    ids::{AssocId, StreamId},
    ppid::Ppid,
    reliability::Reliability,
    socket::Socket,
};

/// How a message is sent that says nothing about itself (`SCTP_DEFAULT_SNDINFO`, RFC 6458
/// section 8.1.31).
///
/// Every send of [`Socket`] says it all in its [`SendInfo`](crate::SendInfo): this is for code
/// that writes to the descriptor by `write(2)` or `send(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct DefaultSendInfo {
    /// The outbound stream.
    pub stream: StreamId,
    /// The payload protocol identifier, in host byte order.
    pub ppid: Ppid,
    /// Whether messages go outside the order of their stream.
    pub unordered: bool,
    /// The number that comes back in [`SendFailed`](crate::SendFailed).
    pub context: u32,
}

impl DefaultSendInfo {
    /// Begins with stream 0, no payload protocol identifier, ordered: the kernel's default.
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

    /// Sets whether messages go outside the order of their stream.
    #[must_use]
    pub fn with_unordered(mut self, unordered: bool) -> Self {
        self.unordered = unordered;
        self
    }

    /// Sets the number that comes back if a message fails.
    #[must_use]
    pub fn with_context(mut self, context: u32) -> Self {
        self.context = context;
        self
    }
}

/// Defaults of messages.
impl Socket {
    /// Sets how a message is sent that says nothing about itself.
    ///
    /// On Linux this also takes back what [`Socket::set_default_reliability`] set: set that
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

    /// Returns how a message is sent that says nothing about itself.
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

    /// Sets how long the kernel tries to deliver a message that says nothing about itself
    /// (`SCTP_DEFAULT_PRINFO`, RFC 6458 section 8.1.32). The default is
    /// [`Reliability::Reliable`].
    ///
    /// For code that writes to the descriptor by `write(2)` or `send(2)`. Do not combine it with
    /// the sends of [`Socket`]: for a message whose [`SendInfo`](crate::SendInfo) says
    /// [`Reliability::Reliable`], Linux forgets the policy and takes its number for a lifetime in
    /// milliseconds, so that the message is discarded if it is still unsent by then.
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

    /// Returns how long the kernel tries to deliver a message that says nothing about itself.
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

    /// Sets the number that comes with every message received on an association, in
    /// [`RecvInfo::context`](crate::RecvInfo::context) (`SCTP_CONTEXT`, RFC 6458 section 8.1.25).
    /// Default 0. It has nothing to do with the context of messages sent.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    #[doc(alias = "SCTP_CONTEXT")]
    pub fn set_context(&self, assoc: AssocId, context: u32) -> io::Result<()> {
        self.set_assoc_number(abi::SCTP_CONTEXT, assoc, context)
    }

    /// Returns the number that comes with every message received on an association.
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
    /// Sets the largest payload that goes into one DATA chunk, in bytes; longer messages are
    /// fragmented (`SCTP_MAXSEG`, RFC 6458 section 8.1.16). `None`, the default, leaves it to the
    /// path MTU, which bounds it anyway.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`], and
    /// for a size that is too small (below 464 on an IPv4 socket, 444 on an IPv6 one) or too large
    /// (above 65516).
    #[doc(alias = "SCTP_MAXSEG")]
    pub fn set_maxseg(&self, assoc: AssocId, bytes: Option<u32>) -> io::Result<()> {
        if bytes == Some(0) {
            return Err(invalid("a payload of 0 bytes"));
        }
        self.set_assoc_number(abi::SCTP_MAXSEG, assoc, bytes.unwrap_or(0))
    }

    /// Returns the largest payload that goes into one DATA chunk, in bytes.
    ///
    /// For [`AssocId::FUTURE`] this is what was set, `None` if nothing. For an association Linux
    /// tells what holds now, whatever was set: the smaller of that and what the path MTU allows.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    pub fn maxseg(&self, assoc: AssocId) -> io::Result<Option<u32>> {
        let bytes = self.assoc_number(abi::SCTP_MAXSEG, assoc)?;
        Ok((bytes != 0).then_some(bytes))
    }

    /// Sets how many packets may go out in one burst (`SCTP_MAX_BURST`, RFC 6458 section 8.1.24).
    /// Default 4; 0 is without a bound. The system's default is the sysctl `net.sctp.max_burst`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    #[doc(alias = "SCTP_MAX_BURST")]
    pub fn set_max_burst(&self, assoc: AssocId, packets: u32) -> io::Result<()> {
        self.set_assoc_number(abi::SCTP_MAX_BURST, assoc, packets)
    }

    /// Returns how many packets may go out in one burst; 0 is without a bound.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`].
    pub fn max_burst(&self, assoc: AssocId) -> io::Result<u32> {
        self.assoc_number(abi::SCTP_MAX_BURST, assoc)
    }

    /// Sets whether messages that do not fit into one DATA chunk, as [`Socket::maxseg`] has it, are
    /// refused with `EMSGSIZE` instead of being fragmented (`SCTP_DISABLE_FRAGMENTS`, RFC 6458
    /// section 8.1.11). Default off. It holds for the whole socket, associations that are up
    /// included.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SCTP_DISABLE_FRAGMENTS")]
    pub fn set_disable_fragments(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_DISABLE_FRAGMENTS, on)
    }

    /// Returns whether messages that do not fit into one DATA chunk are refused.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn disable_fragments(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_DISABLE_FRAGMENTS)
    }
}
