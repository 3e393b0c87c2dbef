//! Parameters of association setup.

use std::{io, time::Duration};

use super::raw::to_millis;
use crate::{
    abi::{self, Layout as _},
    socket::Socket,
};

/// Parameters for the setup of future associations (`SCTP_INITMSG`, RFC 6458 section 8.1.3).
///
/// A field of 0 leaves the kernel's value unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct InitMsg {
    /// Number of outbound streams to request. The peer may allow fewer. Linux's default is 10.
    pub outbound_streams: u16,
    /// Maximum number of inbound streams. Linux's default is 65535.
    pub max_inbound_streams: u16,
    /// Maximum number of INITs. Linux's default is 8.
    pub max_attempts: u16,
    /// Maximum time between two INITs, up to 65.535 s. Linux's default is 60 s.
    pub max_timeout: Duration,
}

impl InitMsg {
    /// Creates a value that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of outbound streams to request.
    #[must_use]
    pub fn with_outbound_streams(mut self, streams: u16) -> Self {
        self.outbound_streams = streams;
        self
    }

    /// Sets the maximum number of inbound streams.
    #[must_use]
    pub fn with_max_inbound_streams(mut self, streams: u16) -> Self {
        self.max_inbound_streams = streams;
        self
    }

    /// Sets the maximum number of INITs.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u16) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the maximum time between two INITs.
    #[must_use]
    pub fn with_max_timeout(mut self, timeout: Duration) -> Self {
        self.max_timeout = timeout;
        self
    }
}

impl Socket {
    /// Sets the parameters for the setup of future associations.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
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

    /// Returns the parameters for the setup of future associations.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
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
