//! Paths: state, primary path, failover, encapsulation and path MTU.

use std::{io, net::SocketAddr, time::Duration};

use super::{
    PathInfo, PathState, UnsupportedOption,
    raw::{from_millis, require_addr, to_millis},
    status::from_ticks,
};
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

/// Thresholds for the failure of a path (`SCTP_PEER_ADDR_THLDS` and `SCTP_PEER_ADDR_THLDS_V2`, RFC
/// 7829 section 7.2).
///
/// A threshold above `max_retransmissions` is never reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct PathThresholds {
    /// Maximum number of consecutive retransmissions before the path is unreachable. 0 leaves it
    /// unchanged.
    ///
    /// Linux's default is 5. [`PeerAddrParams`](super::PeerAddrParams) sets the same number.
    pub max_retransmissions: u16,
    /// Maximum number of consecutive retransmissions before the path is potentially failed.
    ///
    /// Linux's default is 0: the first retransmission suffices. This field is always set.
    pub potentially_failed: u16,
    /// Maximum number of consecutive retransmissions before another path permanently becomes
    /// primary. `None` leaves it unchanged.
    ///
    /// Linux's default is 65535, which disables the switchover. Requires Linux 5.5.
    pub primary_switchover: Option<u16>,
}

impl PathThresholds {
    /// Creates thresholds with a potentially-failed threshold and no other change.
    #[must_use]
    pub fn new(potentially_failed: u16) -> Self {
        Self {
            potentially_failed,
            ..Self::default()
        }
    }

    /// Sets the maximum number of consecutive retransmissions before the path is unreachable.
    #[must_use]
    pub fn with_max_retransmissions(mut self, count: u16) -> Self {
        self.max_retransmissions = count;
        self
    }

    /// Sets the maximum number of consecutive retransmissions before another path becomes primary.
    #[must_use]
    pub fn with_primary_switchover(mut self, count: u16) -> Self {
        self.primary_switchover = Some(count);
        self
    }
}

/// Exposure of the potentially-failed state of paths (`SCTP_EXPOSE_POTENTIALLY_FAILED_STATE`, RFC
/// 7829 section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PfExposure {
    /// [`Socket::path_info`] reports the state, notifications do not. Linux's default, and its
    /// behavior before RFC 7829.
    Unset,
    /// The state is never reported. [`Socket::path_info`] fails with `PermissionDenied` while the
    /// path is in that state.
    Hidden,
    /// Both [`Socket::path_info`] and notifications report the state.
    Exposed,
    /// A value unknown to this crate.
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
            smoothed_rtt: from_ticks(raw.srtt.into())?,
            retransmission_timeout: from_millis(raw.rto),
            mtu: raw.mtu,
        })
    }

    /// Selects the primary path, which is used while it is active, by the peer's address
    /// (`SCTP_PRIMARY_ADDR`, RFC 6458 section 8.1.9).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and if the peer does not have the address.
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
        require_addr(self.option(abi::SCTP_PRIMARY_ADDR, &request)?.addr)
    }
}

/// Failover.
impl Socket {
    /// Sets the thresholds for the failure of the path to a peer's address.
    ///
    /// Without an address, sets them for all paths of an association, or of future associations.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown address; `InvalidInput` for an unknown association,
    /// [`AssocId::CURRENT`] and [`AssocId::ALL`], and if `potentially_failed` is above
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
            // The second version of the option cannot leave this threshold unchanged.
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

    /// Returns the thresholds for the failure of the path to a peer's address.
    ///
    /// Without an address, returns the initial values of new paths. `primary_switchover` is `None`
    /// before Linux 5.5, which introduced it.
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

    /// Sets the exposure of the potentially-failed state of paths.
    ///
    /// Defaults to the sysctl `net.sctp.pf_expose`.
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

    /// Returns the exposure of the potentially-failed state of paths.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`] before Linux 5.5.
    pub fn pf_exposure(&self, assoc: AssocId) -> io::Result<PfExposure> {
        self.assoc_number(abi::SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, assoc)
            .map(PfExposure::from_kernel)
    }
}

/// Encapsulation and probing of the path MTU.
impl Socket {
    /// Encapsulates packets to a peer's address in UDP, sent to this port
    /// (`SCTP_REMOTE_UDP_ENCAPS_PORT`, RFC 6951 section 6.1).
    ///
    /// Without an address, applies to all addresses of an association, or of future associations.
    /// The port is in host byte order; 0 sends plain SCTP. Defaults to 0, or to the sysctl
    /// `net.sctp.encap_port`.
    ///
    /// The kernel receives encapsulated packets only on the port in the sysctl `net.sctp.udp_port`,
    /// by convention 9899. It replies to encapsulated packets with encapsulated packets, without
    /// this option.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address, [`AssocId::CURRENT`] and
    /// [`AssocId::ALL`]; [`UnsupportedOption`] before Linux 5.11.
    #[doc(alias = "SCTP_REMOTE_UDP_ENCAPS_PORT")]
    pub fn set_remote_udp_encaps_port(
        &self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
        port: u16,
    ) -> io::Result<()> {
        let raw = abi::UdpEncaps {
            assoc,
            addr,
            // `sue_port` is the only number of these options in network byte order.
            port: port.to_be(),
        };
        self.set_option(abi::SCTP_REMOTE_UDP_ENCAPS_PORT, &raw.encode())
    }

    /// Returns the UDP port that packets to a peer's address are sent to, in host byte order; 0 for
    /// plain SCTP.
    ///
    /// Without an address, returns the initial value of new paths.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address; [`UnsupportedOption`] before Linux
    /// 5.11.
    pub fn remote_udp_encaps_port(
        &self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
    ) -> io::Result<u16> {
        let request = abi::UdpEncaps {
            assoc,
            addr,
            port: 0,
        };
        let raw = self.option(abi::SCTP_REMOTE_UDP_ENCAPS_PORT, &request)?;
        Ok(u16::from_be(raw.port))
    }

    /// Sets the interval of probes for the path MTU to a peer's address
    /// (`SCTP_PLPMTUD_PROBE_INTERVAL`, RFC 8899).
    ///
    /// Without an address, applies to all addresses of an association, or of future associations.
    /// The interval is at least 5 s, with millisecond resolution; zero turns probing off. Defaults
    /// to zero, or to the sysctl `net.sctp.plpmtud_probe_interval`.
    ///
    /// Probing finds the path MTU even if the network drops ICMP messages. The first probe is sent
    /// after one interval, and each size that does not pass takes three more. Sizes are searched
    /// upwards from 1200 bytes.
    ///
    /// Until then the kernel fragments messages by the interface's MTU. If the path drops such a
    /// packet, its message never arrives: the kernel retransmits the packet at its original size
    /// even after the MTU was found, and the packet blocks everything sent later. Heartbeats may
    /// keep the association up meanwhile. Once a shutdown begins, the association is aborted after
    /// the [maximum of retransmissions](super::AssocInfo::max_retransmissions). Therefore send long
    /// messages only after [`path_info`](Self::path_info) returns the MTU. For a path that is known
    /// to have a small MTU, set a fixed one:
    /// [`MtuDiscovery::Disabled`](super::MtuDiscovery::Disabled).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address, [`AssocId::CURRENT`] and
    /// [`AssocId::ALL`], and for an interval above zero and below 5 s; [`UnsupportedOption`] before
    /// Linux 5.14.
    #[doc(alias = "SCTP_PLPMTUD_PROBE_INTERVAL")]
    pub fn set_plpmtud_probe_interval(
        &self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
        interval: Duration,
    ) -> io::Result<()> {
        let raw = abi::ProbeInterval {
            assoc,
            addr,
            interval: to_millis(interval),
        };
        self.set_option(abi::SCTP_PLPMTUD_PROBE_INTERVAL, &raw.encode())
    }

    /// Returns the interval of probes for the path MTU to a peer's address; zero if probing is off.
    ///
    /// Without an address, returns the initial value of new paths.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address; [`UnsupportedOption`] before Linux
    /// 5.14.
    pub fn plpmtud_probe_interval(
        &self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
    ) -> io::Result<Duration> {
        let request = abi::ProbeInterval {
            assoc,
            addr,
            interval: 0,
        };
        let raw = self.option(abi::SCTP_PLPMTUD_PROBE_INTERVAL, &request)?;
        Ok(from_millis(raw.interval))
    }
}
