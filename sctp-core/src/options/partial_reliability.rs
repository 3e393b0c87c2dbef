//! Support for partial reliability (PR-SCTP), and counts of abandoned messages.

use std::io;

use crate::{
    abi,
    ids::{AssocId, StreamId},
    socket::Socket,
};

/// Policy whose abandoned messages are counted (RFC 7496).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrPolicy {
    /// All policies.
    All,
    /// [`Reliability::Lifetime`](crate::Reliability::Lifetime).
    Lifetime,
    /// [`Reliability::Retransmissions`](crate::Reliability::Retransmissions).
    Retransmissions,
    /// [`Reliability::Priority`](crate::Reliability::Priority).
    Priority,
}

impl PrPolicy {
    fn to_kernel(self) -> u16 {
        match self {
            Self::All => abi::SCTP_PR_SCTP_ALL,
            Self::Lifetime => abi::SCTP_PR_SCTP_TTL,
            Self::Retransmissions => abi::SCTP_PR_SCTP_RTX,
            Self::Priority => abi::SCTP_PR_SCTP_PRIO,
        }
    }
}

/// Counts of abandoned messages (`struct sctp_prstatus`, RFC 7496 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct PrStatus {
    /// Messages abandoned before any part was sent.
    pub abandoned_unsent: u64,
    /// Messages abandoned after a part was sent.
    pub abandoned_sent: u64,
}

impl Socket {
    /// Sets whether future associations may abandon messages (`SCTP_PR_SUPPORTED`, RFC 7496 section
    /// 4.5).
    ///
    /// Defaults to on, or to the sysctl `net.sctp.prsctp_enable`. The option belongs to the socket:
    /// Linux has no such setting per association.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.8.
    #[doc(alias = "SCTP_PR_SUPPORTED")]
    pub fn set_pr_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_PR_SUPPORTED, on)
    }

    /// Returns `true` if an association can abandon messages, which both ends must have offered.
    ///
    /// For [`AssocId::FUTURE`], returns whether this end offers it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`](super::UnsupportedOption)
    /// before Linux 4.8.
    pub fn pr_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_PR_SUPPORTED, assoc)
    }

    /// Returns the number of abandoned messages of an association (`SCTP_PR_ASSOC_STATUS`, RFC 7496
    /// section 4.4). Linux counts chunks instead of messages.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for [`AssocId::FUTURE`];
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.8.
    #[doc(alias = "SCTP_PR_ASSOC_STATUS")]
    pub fn pr_assoc_status(&self, assoc: AssocId, policy: PrPolicy) -> io::Result<PrStatus> {
        self.pr_status(
            abi::SCTP_PR_ASSOC_STATUS,
            assoc,
            StreamId::default(),
            policy,
        )
    }

    /// Returns the number of abandoned messages of an outbound stream (`SCTP_PR_STREAM_STATUS`, RFC
    /// 7496 section 4.3). Linux counts chunks instead of messages.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, for [`AssocId::FUTURE`], and for a stream that
    /// was not negotiated; [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.12.
    #[doc(alias = "SCTP_PR_STREAM_STATUS")]
    pub fn pr_stream_status(
        &self,
        assoc: AssocId,
        stream: StreamId,
        policy: PrPolicy,
    ) -> io::Result<PrStatus> {
        self.pr_status(abi::SCTP_PR_STREAM_STATUS, assoc, stream, policy)
    }

    fn pr_status(
        &self,
        option: i32,
        assoc: AssocId,
        stream: StreamId,
        policy: PrPolicy,
    ) -> io::Result<PrStatus> {
        let request = abi::PrStatus {
            assoc,
            stream: stream.get(),
            policy: policy.to_kernel(),
            ..Default::default()
        };
        let raw = self.option(option, &request)?;
        Ok(PrStatus {
            abandoned_unsent: raw.abandoned_unsent,
            abandoned_sent: raw.abandoned_sent,
        })
    }
}
