//! Paths: their state, which one is used, how they fail over, how packets are wrapped.

use std::{io, net::SocketAddr};

use super::{
    PathInfo, PathState, UnsupportedOption,
    raw::{from_millis, known},
};
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

/// When a path counts as failing, and when traffic leaves it (`SCTP_PEER_ADDR_THLDS` and
/// `SCTP_PEER_ADDR_THLDS_V2`, RFC 7829 section 7.2).
///
/// A threshold above `max_retransmissions` is never reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct PathThresholds {
    /// More retransmissions in a row than this make the path unreachable; 0 leaves it as it is.
    /// Linux's default is 5. [`PeerAddrParams`](super::PeerAddrParams) sets the same number.
    pub max_retransmissions: u16,
    /// More retransmissions in a row than this make it potentially failed: with 0, Linux's default,
    /// the first one does. Always set.
    pub potentially_failed: u16,
    /// More retransmissions in a row than this make another path the primary one for good. `None`
    /// leaves it as it is. Linux's default is 65535: never. Linux 5.5 and later.
    pub primary_switchover: Option<u16>,
}

impl PathThresholds {
    /// Begins with a potentially-failed threshold and nothing else to change.
    #[must_use]
    pub fn new(potentially_failed: u16) -> Self {
        Self {
            potentially_failed,
            ..Self::default()
        }
    }

    /// Sets how many retransmissions in a row the path survives.
    #[must_use]
    pub fn with_max_retransmissions(mut self, count: u16) -> Self {
        self.max_retransmissions = count;
        self
    }

    /// Sets how many retransmissions in a row the path remains the primary one.
    #[must_use]
    pub fn with_primary_switchover(mut self, count: u16) -> Self {
        self.primary_switchover = Some(count);
        self
    }
}

/// Whether the potentially-failed state of a path is shown
/// (`SCTP_EXPOSE_POTENTIALLY_FAILED_STATE`, RFC 7829 section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PfExposure {
    /// [`Socket::path_info`] shows it, notifications do not: what Linux did before RFC 7829, and
    /// its default.
    Unset,
    /// No notifications, and [`Socket::path_info`] fails with `PermissionDenied` while the path is
    /// in that state.
    Hidden,
    /// Notifications too.
    Exposed,
    /// A value that this crate does not know.
    Other(u32),
}

impl PfExposure {
    fn from_kernel(value: u32) -> Self {
        match value {
            0 => Self::Unset,
            1 => Self::Hidden,
            2 => Self::Exposed,
            other => Self::Other(other),
        }
    }

    fn to_kernel(self) -> u32 {
        match self {
            Self::Unset => 0,
            Self::Hidden => 1,
            Self::Exposed => 2,
            Self::Other(other) => other,
        }
    }
}

/// State and primary path.
impl Socket {
    /// Returns the state of the path to a peer's address (`SCTP_GET_PEER_ADDR_INFO`, RFC 6458
    /// section 8.2.2).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address; `PermissionDenied` (`EACCES`) for a
    /// potentially failed path whose state is hidden ([`PfExposure::Hidden`]).
    #[doc(alias = "SCTP_GET_PEER_ADDR_INFO")]
    pub fn path_info(&self, assoc: AssocId, addr: SocketAddr) -> io::Result<PathInfo> {
        let request = abi::PeerAddrInfo {
            assoc,
            addr: Some(addr),
            ..Default::default()
        };
        let raw = self.option(abi::SCTP_GET_PEER_ADDR_INFO, &request)?;
        Ok(PathInfo {
            addr: raw.addr,
            state: PathState::from_kernel(raw.state),
            congestion_window: raw.cwnd,
            smoothed_rtt_ticks: raw.srtt,
            retransmission_timeout: from_millis(raw.rto),
            mtu: raw.mtu,
        })
    }

    /// Sends on the path to this address of the peer, as long as it works
    /// (`SCTP_PRIMARY_ADDR`, RFC 6458 section 8.1.9).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and when the peer does not have the address.
    #[doc(alias = "SCTP_PRIMARY_ADDR")]
    pub fn set_primary_addr(&self, assoc: AssocId, addr: SocketAddr) -> io::Result<()> {
        let raw = abi::Prim {
            assoc,
            addr: Some(addr),
        };
        self.set_option(abi::SCTP_PRIMARY_ADDR, &raw.encode())
    }

    /// Returns the peer's address on the primary path.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for [`AssocId::FUTURE`].
    pub fn primary_addr(&self, assoc: AssocId) -> io::Result<SocketAddr> {
        let request = abi::Prim { assoc, addr: None };
        known(self.option(abi::SCTP_PRIMARY_ADDR, &request)?.addr)
    }
}

/// Failing over.
impl Socket {
    /// Sets when the path to a peer's address counts as failing; without an address, all paths of
    /// an association, or of associations to come.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown address; `InvalidInput` for an unknown association,
    /// [`AssocId::CURRENT`] and [`AssocId::ALL`], and when `potentially_failed` is above
    /// `primary_switchover`; [`UnsupportedOption`] for a switchover threshold before Linux 5.5.
    #[doc(alias = "SCTP_PEER_ADDR_THLDS")]
    #[doc(alias = "SCTP_PEER_ADDR_THLDS_V2")]
    pub fn set_path_thresholds(
        &self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
        thresholds: &PathThresholds,
    ) -> io::Result<()> {
        let PathThresholds {
            max_retransmissions,
            potentially_failed,
            primary_switchover,
        } = *thresholds;
        match primary_switchover {
            // The second version of the option has no way to leave this threshold as it is.
            None => {
                let raw = abi::Thresholds {
                    assoc,
                    addr,
                    max_retransmissions,
                    potentially_failed,
                };
                self.set_option(abi::SCTP_PEER_ADDR_THLDS, &raw.encode())
            }
            Some(switchover) => {
                let raw = abi::ThresholdsV2 {
                    assoc,
                    addr,
                    max_retransmissions,
                    potentially_failed,
                    switchover,
                };
                self.set_option(abi::SCTP_PEER_ADDR_THLDS_V2, &raw.encode())
            }
        }
    }

    /// Returns when the path to a peer's address counts as failing; without an address, what paths
    /// of the association to come will begin with. Before Linux 5.5, which had no switchover
    /// threshold, that is `None`.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown address, `InvalidInput` for an unknown association.
    pub fn path_thresholds(
        &self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
    ) -> io::Result<PathThresholds> {
        let request = abi::ThresholdsV2 {
            assoc,
            addr,
            ..Default::default()
        };
        match self.option(abi::SCTP_PEER_ADDR_THLDS_V2, &request) {
            Ok(raw) => Ok(PathThresholds {
                max_retransmissions: raw.max_retransmissions,
                potentially_failed: raw.potentially_failed,
                primary_switchover: Some(raw.switchover),
            }),
            Err(error) if UnsupportedOption::of(&error).is_some() => {
                let request = abi::Thresholds {
                    assoc,
                    addr,
                    ..Default::default()
                };
                let raw = self.option(abi::SCTP_PEER_ADDR_THLDS, &request)?;
                Ok(PathThresholds {
                    max_retransmissions: raw.max_retransmissions,
                    potentially_failed: raw.potentially_failed,
                    primary_switchover: None,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Sets whether the potentially-failed state of a path is shown. The system's default is the
    /// sysctl `net.sctp.pf_expose`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`];
    /// [`UnsupportedOption`] before Linux 5.5.
    #[doc(alias = "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE")]
    #[doc(alias = "SCTP_EXPOSE_PF_STATE")]
    pub fn set_pf_exposure(&self, assoc: AssocId, exposure: PfExposure) -> io::Result<()> {
        let value = exposure.to_kernel();
        self.set_assoc_number(abi::SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, assoc, value)
    }

    /// Returns whether the potentially-failed state of a path is shown.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`] before Linux 5.5.
    pub fn pf_exposure(&self, assoc: AssocId) -> io::Result<PfExposure> {
        self.assoc_number(abi::SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, assoc)
            .map(PfExposure::from_kernel)
    }
}
