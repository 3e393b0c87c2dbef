//! Timers: retransmission, cookies, delayed acknowledgement, automatic closing.

use std::{io, time::Duration};

use super::raw::{from_millis, to_millis};
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

/// Bounds of the retransmission timeout (`SCTP_RTOINFO`, RFC 6458 section 8.1.1).
///
/// Setting a field to zero leaves the kernel's value as it is. Millisecond resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct RtoInfo {
    /// The timeout before the first round trip was measured. Linux's default is 3 s, where
    /// RFC 9260 has 1 s.
    pub initial: Duration,
    /// The shortest timeout. Linux's default is 1 s.
    pub min: Duration,
    /// The longest timeout. Linux's default is 60 s.
    pub max: Duration,
}

impl RtoInfo {
    /// Begins with nothing to change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the timeout before the first round trip was measured.
    #[must_use]
    pub fn with_initial(mut self, timeout: Duration) -> Self {
        self.initial = timeout;
        self
    }

    /// Sets the shortest timeout.
    #[must_use]
    pub fn with_min(mut self, timeout: Duration) -> Self {
        self.min = timeout;
        self
    }

    /// Sets the longest timeout.
    #[must_use]
    pub fn with_max(mut self, timeout: Duration) -> Self {
        self.max = timeout;
        self
    }
}

/// Parameters of an association (`SCTP_ASSOCINFO`, RFC 6458 section 8.1.2).
///
/// The first two can be set, and setting one to zero leaves the kernel's value as it is. The
/// others are zero for [`AssocId::FUTURE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct AssocInfo {
    /// How many retransmissions in a row, over all paths, end the association. Linux's default
    /// is 10.
    pub max_retransmissions: u16,
    /// How long a cookie that this end handed out is valid. Linux's default is 60 s. Millisecond
    /// resolution.
    pub cookie_life: Duration,
    /// How many addresses the peer has. Cannot be set.
    pub peer_paths: u16,
    /// The room in the peer's receive window, in bytes. Cannot be set.
    pub peer_window: u32,
    /// The receive window that was last announced to the peer, in bytes. Cannot be set.
    pub local_window: u32,
}

impl AssocInfo {
    /// Begins with nothing to change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many retransmissions in a row end the association.
    #[must_use]
    pub fn with_max_retransmissions(mut self, count: u16) -> Self {
        self.max_retransmissions = count;
        self
    }

    /// Sets how long a cookie is valid.
    #[must_use]
    pub fn with_cookie_life(mut self, time: Duration) -> Self {
        self.cookie_life = time;
        self
    }
}

/// When received packets are acknowledged (`SCTP_DELAYED_SACK`, RFC 6458 section 8.1.19).
///
/// Setting a field to zero leaves the kernel's value as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct DelayedSack {
    /// How long an acknowledgement may wait: at most 500 ms, millisecond resolution. Linux's
    /// default is 200 ms. Read as zero when acknowledgements are not delayed.
    pub delay: Duration,
    /// How many packets may come before an acknowledgement goes out without waiting. Linux's
    /// default is 2; 1 turns the delay off.
    pub frequency: u32,
}

impl DelayedSack {
    /// Begins with nothing to change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Acknowledges every packet at once.
    #[must_use]
    pub fn off() -> Self {
        Self::default().with_frequency(1)
    }

    /// Sets how long an acknowledgement may wait.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets how many packets may come before an acknowledgement goes out.
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
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`], and
    /// when the shortest timeout would be above the longest.
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

    /// Sets the parameters of an association, those that can be.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`], and
    /// for an association with several paths when `max_retransmissions` is above the sum of those
    /// of its paths.
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

    /// Sets when received packets are acknowledged.
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

    /// Returns when received packets are acknowledged.
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

    /// Sets after how much time without messages an association to come is shut down in order
    /// (`SCTP_AUTOCLOSE`, RFC 6458 section 8.1.8); zero, the default, never does. Second
    /// resolution, rounded up; the kernel bounds it by `net.sctp.max_autoclose`. Associations that
    /// are up keep the time that they began with.
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

    /// Returns after how much time without messages an association is shut down; zero is never.
    ///
    /// # Errors
    ///
    /// `Unsupported` (`EOPNOTSUPP`) on a one-to-one socket.
    pub fn autoclose(&self) -> io::Result<Duration> {
        let seconds = self.number(abi::SCTP_AUTOCLOSE)?;
        Ok(Duration::from_secs(seconds.into()))
    }
}
