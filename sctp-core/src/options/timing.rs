//! Timers: retransmission, cookies, delayed acknowledgements and automatic closing.

use std::{io, time::Duration};

use super::raw::{from_millis, to_millis};
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

/// Bounds of the retransmission timeout (`SCTP_RTOINFO`, RFC 6458 section 8.1.1).
///
/// A field of zero leaves the kernel's value unchanged. Millisecond resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct RtoInfo {
    /// Timeout before the first measured round trip. Linux's default is 3 s, where RFC 9260
    /// recommends 1 s.
    pub initial: Duration,
    /// Minimum timeout. Linux's default is 1 s.
    pub min: Duration,
    /// Maximum timeout. Linux's default is 60 s.
    pub max: Duration,
}

impl RtoInfo {
    /// Creates a value that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the timeout before the first measured round trip.
    #[must_use]
    pub fn with_initial(mut self, timeout: Duration) -> Self {
        self.initial = timeout;
        self
    }

    /// Sets the minimum timeout.
    #[must_use]
    pub fn with_min(mut self, timeout: Duration) -> Self {
        self.min = timeout;
        self
    }

    /// Sets the maximum timeout.
    #[must_use]
    pub fn with_max(mut self, timeout: Duration) -> Self {
        self.max = timeout;
        self
    }
}

/// Parameters of an association (`SCTP_ASSOCINFO`, RFC 6458 section 8.1.2).
///
/// The first two can be set, and zero leaves the kernel's value unchanged. The others are
/// read-only, and zero for [`AssocId::FUTURE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct AssocInfo {
    /// Maximum number of consecutive retransmissions, over all paths, before the association fails.
    /// Linux's default is 10.
    pub max_retransmissions: u16,
    /// Lifetime of cookies issued by this end. Linux's default is 60 s. Millisecond resolution.
    pub cookie_life: Duration,
    /// Number of addresses of the peer. Read-only.
    pub peer_paths: u16,
    /// Free space in the peer's receive window, in bytes. Read-only.
    pub peer_window: u32,
    /// Receive window last announced to the peer, in bytes. Read-only.
    pub local_window: u32,
}

impl AssocInfo {
    /// Creates a value that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of consecutive retransmissions.
    #[must_use]
    pub fn with_max_retransmissions(mut self, count: u16) -> Self {
        self.max_retransmissions = count;
        self
    }

    /// Sets the lifetime of cookies.
    #[must_use]
    pub fn with_cookie_life(mut self, time: Duration) -> Self {
        self.cookie_life = time;
        self
    }
}

/// Delay of acknowledgements (`SCTP_DELAYED_SACK`, RFC 6458 section 8.1.19).
///
/// A field of zero leaves the kernel's value unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct DelayedSack {
    /// Maximum delay of an acknowledgement, up to 500 ms. Linux's default is 200 ms. Millisecond
    /// resolution. Read as zero if acknowledgements are not delayed.
    pub delay: Duration,
    /// Number of packets that trigger an immediate acknowledgement. Linux's default is 2; 1 turns
    /// the delay off.
    pub frequency: u32,
}

impl DelayedSack {
    /// Creates a value that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a value that disables the delay: every packet is acknowledged immediately.
    #[must_use]
    pub fn off() -> Self {
        Self::default().with_frequency(1)
    }

    /// Sets the maximum delay of an acknowledgement.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the number of packets that trigger an immediate acknowledgement.
    #[must_use]
    pub fn with_frequency(mut self, packets: u32) -> Self {
        self.frequency = packets;
        self
    }
}

impl Socket {
    /// Sets the bounds of the retransmission timeout.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`], and if
    /// the minimum would exceed the maximum.
    #[doc(alias = "SCTP_RTOINFO")]
    pub fn set_rto_info(&self, assoc: AssocId, info: &RtoInfo) -> io::Result<()> {
        let raw = abi::RtoInfo {
            assoc,
            initial: to_millis(info.initial),
            min: to_millis(info.min),
            max: to_millis(info.max),
        };
        self.set_option(abi::SCTP_RTOINFO, &raw.encode())
    }

    /// Returns the bounds of the retransmission timeout.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    pub fn rto_info(&self, assoc: AssocId) -> io::Result<RtoInfo> {
        let request = abi::RtoInfo {
            assoc,
            ..Default::default()
        };
        let raw = self.option(abi::SCTP_RTOINFO, &request)?;
        Ok(RtoInfo {
            initial: from_millis(raw.initial),
            min: from_millis(raw.min),
            max: from_millis(raw.max),
        })
    }

    /// Sets the parameters of an association. Ignores the read-only ones.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`], and
    /// for an association with several paths if `max_retransmissions` exceeds the sum of those of
    /// its paths.
    #[doc(alias = "SCTP_ASSOCINFO")]
    pub fn set_assoc_info(&self, assoc: AssocId, info: &AssocInfo) -> io::Result<()> {
        let raw = abi::AssocParams {
            assoc,
            max_retransmissions: info.max_retransmissions,
            cookie_life: to_millis(info.cookie_life),
            ..Default::default()
        };
        self.set_option(abi::SCTP_ASSOCINFO, &raw.encode())
    }

    /// Returns the parameters of an association.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    pub fn assoc_info(&self, assoc: AssocId) -> io::Result<AssocInfo> {
        let request = abi::AssocParams {
            assoc,
            ..Default::default()
        };
        let raw = self.option(abi::SCTP_ASSOCINFO, &request)?;
        Ok(AssocInfo {
            max_retransmissions: raw.max_retransmissions,
            cookie_life: from_millis(raw.cookie_life),
            peer_paths: raw.peer_paths,
            peer_window: raw.peer_rwnd,
            local_window: raw.local_rwnd,
        })
    }

    /// Sets the delay of acknowledgements.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for a delay above 500 ms.
    #[doc(alias = "SCTP_DELAYED_SACK")]
    #[doc(alias = "SCTP_DELAYED_ACK")]
    #[doc(alias = "SCTP_DELAYED_ACK_TIME")]
    pub fn set_delayed_sack(&self, assoc: AssocId, sack: &DelayedSack) -> io::Result<()> {
        let raw = abi::SackInfo {
            assoc,
            delay: to_millis(sack.delay),
            frequency: sack.frequency,
        };
        self.set_option(abi::SCTP_DELAYED_SACK, &raw.encode())
    }

    /// Returns the delay of acknowledgements.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`].
    pub fn delayed_sack(&self, assoc: AssocId) -> io::Result<DelayedSack> {
        let request = abi::SackInfo {
            assoc,
            ..Default::default()
        };
        let raw = self.option(abi::SCTP_DELAYED_SACK, &request)?;
        Ok(DelayedSack {
            delay: from_millis(raw.delay),
            frequency: raw.frequency,
        })
    }

    /// Sets the idle time after which future associations are shut down gracefully
    /// (`SCTP_AUTOCLOSE`, RFC 6458 section 8.1.8).
    ///
    /// Zero, the default, disables it. Rounded up to seconds; `net.sctp.max_autoclose` is the upper
    /// limit. Established associations keep their value.
    ///
    /// # Errors
    ///
    /// `Unsupported` (`EOPNOTSUPP`) on a one-to-one socket.
    #[doc(alias = "SCTP_AUTOCLOSE")]
    pub fn set_autoclose(&self, idle: Duration) -> io::Result<()> {
        let seconds = idle.as_nanos().div_ceil(1_000_000_000);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.set_number(abi::SCTP_AUTOCLOSE, seconds)
    }

    /// Returns the idle time after which associations are shut down; zero for never.
    ///
    /// # Errors
    ///
    /// `Unsupported` (`EOPNOTSUPP`) on a one-to-one socket.
    pub fn autoclose(&self) -> io::Result<Duration> {
        let seconds = self.number(abi::SCTP_AUTOCLOSE)?;
        Ok(Duration::from_secs(seconds.into()))
    }
}
