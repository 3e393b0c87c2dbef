//! PR-SCTP: whether it can be used, and what became of messages.

use std::io;

use crate::{
    abi,
    ids::{AssocId, StreamId},
    socket::Socket,
};

/// Which messages to count (RFC 7496).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrPolicy {
    /// Those of every policy.
    All,
    /// Those of [`Reliability::Lifetime`](crate::Reliability::Lifetime).
    Lifetime,
    /// Those of [`Reliability::Retransmissions`](crate::Reliability::Retransmissions).
    Retransmissions,
    /// Those of [`Reliability::Priority`](crate::Reliability::Priority).
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

/// How many messages were given up (`struct sctp_prstatus`, RFC 7496 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct PrStatus {
    /// Those of which nothing had been sent.
    pub abandoned_unsent: u64,
    /// Those of which something had been sent.
    pub abandoned_sent: u64,
}

impl Socket {
    /// Sets whether associations to come may skip messages (`SCTP_PR_SUPPORTED`, RFC 7496
    /// section 4.5). Default on, by the sysctl `net.sctp.prsctp_enable`. It holds for the socket:
    /// Linux has no such setting of an association.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.8.
    #[doc(alias = "SCTP_PR_SUPPORTED")]
    pub fn set_pr_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_PR_SUPPORTED, on)
    }

    /// Returns whether an association can skip messages, that is, whether both ends offered it; for
    /// [`AssocId::FUTURE`], whether this end will.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.8.
    pub fn pr_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_PR_SUPPORTED, assoc)
    }

    /// Returns how many messages of an association were given up (`SCTP_PR_ASSOC_STATUS`, RFC 7496
    /// section 4.4). Linux counts chunks, not messages.
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

    /// Returns how many messages of an outbound stream were given up (`SCTP_PR_STREAM_STATUS`,
    /// RFC 7496 section 4.3). Linux counts chunks, not messages.
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
