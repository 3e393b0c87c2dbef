//! Stream schedulers and message interleaving (RFC 8260).

use std::io;

use crate::{
    abi::{self, Layout as _},
    ids::{AssocId, StreamId},
    socket::Socket,
};

/// Order in which messages of different streams are sent (RFC 8260 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamScheduler {
    /// First come, first served (`SCTP_SS_FCFS`). The default.
    FirstComeFirstServed,
    /// The stream with the numerically smallest value first (`SCTP_SS_PRIO`).
    Priority,
    /// Streams are served round-robin (`SCTP_SS_RR`).
    RoundRobin,
    /// Streams share the capacity evenly (`SCTP_SS_FC`). Linux 6.4 and later.
    FairCapacity,
    /// Streams share the capacity in proportion to their values (`SCTP_SS_WFQ`). Linux 6.4 and
    /// later.
    WeightedFairQueueing,
    /// A scheduler unknown to this crate.
    Other(u32),
}

impl StreamScheduler {
    fn from_kernel(number: u32) -> Self {
        match number {
            abi::SCTP_SS_FCFS => Self::FirstComeFirstServed,
            abi::SCTP_SS_PRIO => Self::Priority,
            abi::SCTP_SS_RR => Self::RoundRobin,
            abi::SCTP_SS_FC => Self::FairCapacity,
            abi::SCTP_SS_WFQ => Self::WeightedFairQueueing,
            other => Self::Other(other),
        }
    }

    fn to_kernel(self) -> u32 {
        match self {
            Self::FirstComeFirstServed => abi::SCTP_SS_FCFS,
            Self::Priority => abi::SCTP_SS_PRIO,
            Self::RoundRobin => abi::SCTP_SS_RR,
            Self::FairCapacity => abi::SCTP_SS_FC,
            Self::WeightedFairQueueing => abi::SCTP_SS_WFQ,
            Self::Other(other) => other,
        }
    }
}

impl Socket {
    /// Sets the stream scheduler (`SCTP_STREAM_SCHEDULER`, RFC 8260 section 4.3.2).
    ///
    /// A change of an association's scheduler discards the values of
    /// [`Socket::set_stream_scheduler_value`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; `Unsupported` for a scheduler that the kernel
    /// lacks; [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.15.
    #[doc(alias = "SCTP_STREAM_SCHEDULER")]
    pub fn set_stream_scheduler(
        &self,
        assoc: AssocId,
        scheduler: StreamScheduler,
    ) -> io::Result<()> {
        let number = scheduler.to_kernel();
        let result = self.set_assoc_number(abi::SCTP_STREAM_SCHEDULER, assoc, number);
        // EINVAL means an unknown scheduler or an unknown association. A getter tells them apart.
        match result {
            Err(error)
                if number > abi::SCTP_SS_RR
                    && error.raw_os_error() == Some(libc::EINVAL)
                    && (assoc <= AssocId::ALL || self.stream_scheduler(assoc).is_ok()) =>
            {
                Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("kernel does not support stream scheduler {number}"),
                ))
            }
            result => result,
        }
    }

    /// Returns the stream scheduler.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`];
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.15.
    pub fn stream_scheduler(&self, assoc: AssocId) -> io::Result<StreamScheduler> {
        self.assoc_number(abi::SCTP_STREAM_SCHEDULER, assoc)
            .map(StreamScheduler::from_kernel)
    }

    /// Sets the scheduler's value of an outbound stream (`SCTP_STREAM_SCHEDULER_VALUE`, RFC 8260
    /// section 4.3.3).
    ///
    /// The value is the priority (smaller first, 0 by default) or the weight of the stream. Other
    /// schedulers ignore it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::FUTURE`] and [`AssocId::ALL`], and for
    /// a stream that was not negotiated; [`UnsupportedOption`](super::UnsupportedOption) before
    /// Linux 4.15. On a one-to-one socket that is not connected, the kernel reports success and
    /// does nothing.
    #[doc(alias = "SCTP_STREAM_SCHEDULER_VALUE")]
    pub fn set_stream_scheduler_value(
        &self,
        assoc: AssocId,
        stream: StreamId,
        value: u16,
    ) -> io::Result<()> {
        let raw = abi::StreamValue {
            assoc,
            stream: stream.get(),
            value,
        };
        self.set_option(abi::SCTP_STREAM_SCHEDULER_VALUE, &raw.encode())
    }

    /// Returns the scheduler's value of an outbound stream; 0 for a scheduler without values.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::FUTURE`], [`AssocId::CURRENT`] and
    /// [`AssocId::ALL`], and for a stream that was not negotiated;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.15.
    pub fn stream_scheduler_value(&self, assoc: AssocId, stream: StreamId) -> io::Result<u16> {
        let request = abi::StreamValue {
            assoc,
            stream: stream.get(),
            value: 0,
        };
        self.option(abi::SCTP_STREAM_SCHEDULER_VALUE, &request)
            .map(|answer| answer.value)
    }

    /// Sets whether future associations may interleave messages of different streams
    /// (`SCTP_INTERLEAVING_SUPPORTED`, I-DATA, RFC 8260 section 4.3.1).
    ///
    /// A long message then does not delay messages of other streams. Defaults to off. The option
    /// belongs to the socket and not to an association. It requires the sysctl
    /// `net.sctp.intl_enable` and [`Socket::set_fragment_interleave`], and is turned off together
    /// with the latter.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EPERM`) without the sysctl or without fragment interleaving;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.16.
    #[doc(alias = "SCTP_INTERLEAVING_SUPPORTED")]
    pub fn set_interleaving_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_INTERLEAVING_SUPPORTED, on)
    }

    /// Returns `true` if an association interleaves messages, which both ends must have offered.
    ///
    /// For [`AssocId::FUTURE`], returns whether this end offers it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`](super::UnsupportedOption)
    /// before Linux 4.16.
    pub fn interleaving_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_INTERLEAVING_SUPPORTED, assoc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedulers_round_trip() {
        for number in 0..9 {
            assert_eq!(StreamScheduler::from_kernel(number).to_kernel(), number);
        }
    }
}
