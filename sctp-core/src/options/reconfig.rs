//! Resetting and adding streams (RE-CONFIG, RFC 6525).

use std::io;

use super::UnsupportedOption;
use crate::{
    abi::{self, Layout as _},
    ids::{AssocId, StreamId},
    socket::Socket,
};

/// Which requests of the peer this end accepts, and which it may make itself
/// (`SCTP_ENABLE_STREAM_RESET`, RFC 6525 section 6.3.1). All are off at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct StreamResetPolicy {
    /// To reset streams ([`Socket::reset_streams`]).
    pub streams: bool,
    /// To reset the association ([`Socket::reset_assoc`]).
    pub assoc: bool,
    /// To add streams ([`Socket::add_streams`]).
    pub add_streams: bool,
}

impl StreamResetPolicy {
    const FLAGS: [u32; 3] = [
        abi::SCTP_ENABLE_RESET_STREAM_REQ,
        abi::SCTP_ENABLE_RESET_ASSOC_REQ,
        abi::SCTP_ENABLE_CHANGE_ASSOC_REQ,
    ];

    /// Allows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows everything.
    #[must_use]
    pub fn all() -> Self {
        Self::new()
            .with_streams(true)
            .with_assoc(true)
            .with_add_streams(true)
    }

    /// Sets whether streams may be reset.
    #[must_use]
    pub fn with_streams(mut self, on: bool) -> Self {
        self.streams = on;
        self
    }

    /// Sets whether the association may be reset.
    #[must_use]
    pub fn with_assoc(mut self, on: bool) -> Self {
        self.assoc = on;
        self
    }

    /// Sets whether streams may be added.
    #[must_use]
    pub fn with_add_streams(mut self, on: bool) -> Self {
        self.add_streams = on;
        self
    }

    fn from_kernel(value: u32) -> Self {
        let [streams, assoc, add_streams] = Self::FLAGS.map(|flag| value & flag != 0);
        Self {
            streams,
            assoc,
            add_streams,
        }
    }

    fn to_kernel(self) -> u32 {
        [self.streams, self.assoc, self.add_streams]
            .into_iter()
            .zip(Self::FLAGS)
            .filter_map(|(on, flag)| on.then_some(flag))
            .sum()
    }
}

/// Whose streams to reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResetDirection {
    /// Those that the peer sends on.
    Incoming,
    /// Those that this end sends on.
    Outgoing,
    /// Both.
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

/// What the ends agree on.
impl Socket {
    /// Sets whether associations to come can be reconfigured (`SCTP_RECONFIG_SUPPORTED`, not in
    /// RFC 6525). Default off, by the sysctl `net.sctp.reconf_enable`, which this overrules for
    /// the socket. It holds for the socket, not for an association, and sockets from
    /// [`Socket::accept`] and [`Socket::peel_off`] begin with the sysctl's value again, which
    /// changes nothing for the association that they hold.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`] before Linux 4.12.
    #[doc(alias = "SCTP_RECONFIG_SUPPORTED")]
    pub fn set_reconfig_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_RECONFIG_SUPPORTED, on)
    }

    /// Returns whether an association can be reconfigured, that is, whether both ends offered it;
    /// for [`AssocId::FUTURE`], whether this end will.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`] before Linux 4.12.
    pub fn reconfig_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_RECONFIG_SUPPORTED, assoc)
    }

    /// Sets which requests to reconfigure are allowed, in both directions.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`] before Linux 4.11.
    #[doc(alias = "SCTP_ENABLE_STREAM_RESET")]
    pub fn set_stream_reset_policy(
        &self,
        assoc: AssocId,
        policy: StreamResetPolicy,
    ) -> io::Result<()> {
        self.set_assoc_number(abi::SCTP_ENABLE_STREAM_RESET, assoc, policy.to_kernel())
    }

    /// Returns which requests to reconfigure are allowed.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`];
    /// [`UnsupportedOption`] before Linux 4.11.
    pub fn stream_reset_policy(&self, assoc: AssocId) -> io::Result<StreamResetPolicy> {
        self.assoc_number(abi::SCTP_ENABLE_STREAM_RESET, assoc)
            .map(StreamResetPolicy::from_kernel)
    }
}

/// Requests, one at a time for each association. The call sends the request; a notification tells
/// how it went.
impl Socket {
    /// Asks to begin streams again at sequence number 0 (`SCTP_RESET_STREAMS`, RFC 6525
    /// section 6.3.2); an empty list is all streams. [`StreamReset`](crate::StreamReset) tells how
    /// it went; until then nothing can be sent on outgoing ones.
    ///
    /// # Errors
    ///
    /// `Unsupported` when the association cannot be reconfigured, or this request is not allowed
    /// ([`Socket::set_stream_reset_policy`]); `EINPROGRESS` while another request is under way;
    /// `WouldBlock` while messages wait to be sent on an outgoing one, and `InvalidInput` for an
    /// unknown association, a stream that was not negotiated, and a list that is too long for one
    /// chunk.
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

    /// Asks to begin all sequence numbers again, those of transmission included
    /// (`SCTP_RESET_ASSOC`, RFC 6525 section 6.3.3). [`AssocReset`](crate::AssocReset) tells how
    /// it went; until then nothing can be sent.
    ///
    /// # Errors
    ///
    /// As [`Socket::reset_streams`]; `WouldBlock` while any message is unacknowledged.
    #[doc(alias = "SCTP_RESET_ASSOC")]
    pub fn reset_assoc(&self, assoc: AssocId) -> io::Result<()> {
        self.request(abi::SCTP_RESET_ASSOC, &assoc.get().to_ne_bytes())
    }

    /// Asks for more streams (`SCTP_ADD_STREAMS`, RFC 6525 section 6.3.4), so many more in each
    /// direction. [`StreamChange`](crate::StreamChange) tells how it went.
    ///
    /// # Errors
    ///
    /// As [`Socket::reset_streams`], but never `WouldBlock`; `InvalidInput` for 0 in both
    /// directions, and for more than 65535 streams in all.
    #[doc(alias = "SCTP_ADD_STREAMS")]
    pub fn add_streams(&self, assoc: AssocId, inbound: u16, outbound: u16) -> io::Result<()> {
        let raw = abi::AddStreams {
            assoc,
            inbound,
            outbound,
        };
        self.request(abi::SCTP_ADD_STREAMS, &raw.encode())
    }

    /// The kernel has one number, `ENOPROTOOPT`, for a request that it does not know (before
    /// Linux 4.11) and one that the association cannot make; the second is by far the likelier.
    fn request(&self, option: i32, value: &[u8]) -> io::Result<()> {
        self.set_option(option, value).map_err(|error| {
            if UnsupportedOption::of(&error).is_none() {
                return error;
            }
            io::Error::new(
                io::ErrorKind::Unsupported,
                "the association cannot be reconfigured, or this request is not allowed on it",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_round_trip() {
        for value in 0..8 {
            assert_eq!(StreamResetPolicy::from_kernel(value).to_kernel(), value);
        }
        assert_eq!(StreamResetPolicy::all().to_kernel(), 7);
        assert_eq!(StreamResetPolicy::new().to_kernel(), 0);
    }
}
