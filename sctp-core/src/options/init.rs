//! What an association is set up with.

use std::{io, time::Duration};

use super::raw::to_millis;
use crate::{
    abi::{self, Layout as _},
    socket::Socket,
};

/// What associations to come are set up with (`SCTP_INITMSG`, RFC 6458 section 8.1.3).
///
/// Setting a field to 0 leaves the kernel's value as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct InitMsg {
    /// How many outbound streams to ask for; the peer may allow fewer. Linux's default is 10.
    pub outbound_streams: u16,
    /// How many inbound streams to allow. Linux's default is 65535.
    pub max_inbound_streams: u16,
    /// How often an INIT is sent before giving up. Linux's default is 8.
    pub max_attempts: u16,
    /// The longest wait between two of them, at most 65.535 s. Linux's default is 60 s.
    pub max_timeout: Duration,
}

impl InitMsg {
    /// Begins with nothing to change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many outbound streams to ask for.
    #[must_use]
    pub fn with_outbound_streams(mut self, streams: u16) -> Self {
        self.outbound_streams = streams;
        self
    }

    /// Sets how many inbound streams to allow.
    #[must_use]
    pub fn with_max_inbound_streams(mut self, streams: u16) -> Self {
        self.max_inbound_streams = streams;
        self
    }

    /// Sets how often an INIT is sent before giving up.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u16) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the longest wait between two INITs.
    #[must_use]
    pub fn with_max_timeout(mut self, timeout: Duration) -> Self {
        self.max_timeout = timeout;
        self
    }
}

impl Socket {
    /// Sets what associations to come are set up with.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SCTP_INITMSG")]
    pub fn set_init_msg(&self, init: &InitMsg) -> io::Result<()> {
        let raw = abi::InitMsg {
            outbound_streams: init.outbound_streams,
            max_inbound_streams: init.max_inbound_streams,
            max_attempts: init.max_attempts,
            max_timeout: u16::try_from(to_millis(init.max_timeout)).unwrap_or(u16::MAX),
        };
        self.set_option(abi::SCTP_INITMSG, &raw.encode())
    }

    /// Returns what associations to come are set up with.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn init_msg(&self) -> io::Result<InitMsg> {
        let raw = self.option(abi::SCTP_INITMSG, &abi::InitMsg::default())?;
        Ok(InitMsg {
            outbound_streams: raw.outbound_streams,
            max_inbound_streams: raw.max_inbound_streams,
            max_attempts: raw.max_attempts,
            max_timeout: Duration::from_millis(raw.max_timeout.into()),
        })
    }
}
