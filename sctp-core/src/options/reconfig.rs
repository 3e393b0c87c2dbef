//! Stream reconfiguration: resetting and adding streams (RE-CONFIG, RFC 6525).

use std::io;

use bitflags::bitflags;

use super::UnsupportedOption;
use crate::{
    abi::{self, Layout as _},
    ids::{AssocId, StreamId},
    socket::Socket,
};

bitflags! {
    /// Allowed requests to reconfigure, in both directions (`SCTP_ENABLE_STREAM_RESET`, RFC 6525
    /// section 6.3.1).
    ///
    /// Applies to the requests of the peer and to those of this end. Defaults to `empty()`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct StreamResetPolicy: u32 {
        /// Allows resetting streams ([`Socket::reset_streams`]).
        const STREAMS = abi::SCTP_ENABLE_RESET_STREAM_REQ;
        /// Allows resetting the association ([`Socket::reset_assoc`]).
        const ASSOC = abi::SCTP_ENABLE_RESET_ASSOC_REQ;
        /// Allows adding streams ([`Socket::add_streams`]).
        const ADD_STREAMS = abi::SCTP_ENABLE_CHANGE_ASSOC_REQ;
    }
}

/// Direction of the streams to reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResetDirection {
    /// Inbound streams.
    Incoming,
    /// Outbound streams.
    Outgoing,
    /// Both directions.
    Both,
}

impl ResetDirection {
    fn to_kernel(self) -> u16 {
        match self {
            Self::Incoming => abi::SCTP_STREAM_RESET_INCOMING,
            Self::Outgoing => abi::SCTP_STREAM_RESET_OUTGOING,
            Self::Both => abi::SCTP_STREAM_RESET_INCOMING | abi::SCTP_STREAM_RESET_OUTGOING,
        }
    }
}

/// Negotiation.
impl Socket {
    /// Sets whether future associations can be reconfigured (`SCTP_RECONFIG_SUPPORTED`, not in RFC
    /// 6525).
    ///
    /// Defaults to off, or to the sysctl `net.sctp.reconf_enable`, which this option overrides for
    /// the socket. The option belongs to the socket and not to an association. Sockets from
    /// [`Socket::accept`] and [`Socket::peel_off`] start with the sysctl's value again, which does
    /// not affect their association.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`] before Linux 4.12.
    #[doc(alias = "SCTP_RECONFIG_SUPPORTED")]
    pub fn set_reconfig_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_RECONFIG_SUPPORTED, on)
    }

    /// Returns `true` if an association can be reconfigured, which both ends must have offered.
    ///
    /// For [`AssocId::FUTURE`], returns whether this end offers it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`] before Linux 4.12.
    pub fn reconfig_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_RECONFIG_SUPPORTED, assoc)
    }

    /// Sets the allowed requests to reconfigure.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association and for an unknown bit; [`UnsupportedOption`]
    /// before Linux 4.11.
    #[doc(alias = "SCTP_ENABLE_STREAM_RESET")]
    pub fn set_stream_reset_policy(
        &self,
        assoc: AssocId,
        policy: StreamResetPolicy,
    ) -> io::Result<()> {
        self.set_assoc_number(abi::SCTP_ENABLE_STREAM_RESET, assoc, policy.bits())
    }

    /// Returns the allowed requests to reconfigure.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`];
    /// [`UnsupportedOption`] before Linux 4.11.
    pub fn stream_reset_policy(&self, assoc: AssocId) -> io::Result<StreamResetPolicy> {
        self.assoc_number(abi::SCTP_ENABLE_STREAM_RESET, assoc)
            .map(StreamResetPolicy::from_bits_retain)
    }
}

/// Requests, at most one pending per association. A notification reports the outcome.
impl Socket {
    /// Requests a reset of streams to sequence number 0 (`SCTP_RESET_STREAMS`, RFC 6525 section
    /// 6.3.2).
    ///
    /// An empty list selects all streams. [`StreamReset`](crate::StreamReset) reports the outcome.
    /// Until then nothing can be sent on the outbound streams.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the association cannot be reconfigured, or if the request is not allowed
    /// ([`Socket::set_stream_reset_policy`]); `EINPROGRESS` while another request is pending;
    /// `WouldBlock` while messages are queued on an outbound stream; `InvalidInput` for an unknown
    /// association, a stream that was not negotiated, and a list that is too long for one chunk.
    #[doc(alias = "SCTP_RESET_STREAMS")]
    pub fn reset_streams(
        &self,
        assoc: AssocId,
        direction: ResetDirection,
        streams: &[StreamId],
    ) -> io::Result<()> {
        let count = u16::try_from(streams.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // struct sctp_reset_streams { sctp_assoc_t srs_assoc_id; uint16_t srs_flags;
        // uint16_t srs_number_streams; uint16_t srs_stream_list[]; }
        let mut value = assoc.get().to_ne_bytes().to_vec();
        value.extend(direction.to_kernel().to_ne_bytes());
        value.extend(count.to_ne_bytes());
        for stream in streams {
            value.extend(stream.get().to_ne_bytes());
        }
        self.request(abi::SCTP_RESET_STREAMS, &value)
    }

    /// Requests a reset of all sequence numbers, including transmission sequence numbers
    /// (`SCTP_RESET_ASSOC`, RFC 6525 section 6.3.3).
    ///
    /// [`AssocReset`](crate::AssocReset) reports the outcome. Until then nothing can be sent.
    ///
    /// # Errors
    ///
    /// Same as [`Socket::reset_streams`]; `WouldBlock` while a message is unacknowledged.
    #[doc(alias = "SCTP_RESET_ASSOC")]
    pub fn reset_assoc(&self, assoc: AssocId) -> io::Result<()> {
        self.request(abi::SCTP_RESET_ASSOC, &assoc.get().to_ne_bytes())
    }

    /// Requests additional streams (`SCTP_ADD_STREAMS`, RFC 6525 section 6.3.4).
    ///
    /// Takes the number of streams to add in each direction. [`StreamChange`](crate::StreamChange)
    /// reports the outcome.
    ///
    /// # Errors
    ///
    /// Same as [`Socket::reset_streams`], but never `WouldBlock`; `InvalidInput` for 0 in both
    /// directions, and for more than 65535 streams in total.
    #[doc(alias = "SCTP_ADD_STREAMS")]
    pub fn add_streams(&self, assoc: AssocId, inbound: u16, outbound: u16) -> io::Result<()> {
        let raw = abi::AddStreams {
            assoc,
            inbound,
            outbound,
        };
        self.request(abi::SCTP_ADD_STREAMS, &raw.encode())
    }

    /// Makes a request.
    ///
    /// The kernel returns `ENOPROTOOPT` both for an unknown request (before Linux 4.11) and for one
    /// that the association cannot make. The second is far more likely.
    fn request(&self, option: i32, value: &[u8]) -> io::Result<()> {
        self.set_option(option, value).map_err(|error| {
            if UnsupportedOption::of(&error).is_none() {
                return error;
            }
            io::Error::new(
                io::ErrorKind::Unsupported,
                "association cannot be reconfigured, or the request is not allowed",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_the_bits_of_the_kernel() {
        assert_eq!(StreamResetPolicy::all().bits(), 7);
        assert_eq!(StreamResetPolicy::ADD_STREAMS.bits(), 4);
        assert_eq!(StreamResetPolicy::default().bits(), 0);
    }
}
