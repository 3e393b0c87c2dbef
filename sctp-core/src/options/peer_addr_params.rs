//! Parameters of paths: heartbeats, path MTU discovery, acknowledgements and packet marking.

use std::{io, net::SocketAddr, time::Duration};

use super::raw::{from_millis, invalid, to_millis};
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

/// Parameters of a path, of all paths of an association, or of future associations
/// (`SCTP_PEER_ADDR_PARAMS`, RFC 6458 section 8.1.12).
///
/// [`PeerAddrParams::new`] changes nothing. Each `with_` method changes one parameter and leaves
/// the others unchanged in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct PeerAddrParams {
    /// Heartbeats on idle paths. Linux's default is every 30 s.
    pub heartbeat: Heartbeat,
    /// Maximum number of consecutive retransmissions before a path is unreachable. 0 leaves it
    /// unchanged.
    ///
    /// Linux's default is 5.
    pub max_retransmissions: u16,
    /// Path MTU discovery. Linux's default is on.
    pub mtu_discovery: MtuDiscovery,
    /// Delay of acknowledgements, also set by [`Socket::set_delayed_sack`]. Linux's default is 200
    /// ms.
    pub sack_delay: SackDelay,
    /// Flow label of IPv6 packets, 20 bits. Without effect on IPv4 paths.
    ///
    /// `None` leaves it unchanged when set. When read, it means that the kernel chooses.
    pub flow_label: Option<u32>,
    /// Differentiated services code point of packets, 6 bits. 46 is expedited forwarding.
    ///
    /// `None` leaves it unchanged when set. When read, it means that the kernel chooses.
    pub dscp: Option<u8>,
}

/// Heartbeats on idle paths (`SPP_HB_ENABLE`, `SPP_HB_DISABLE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Heartbeat {
    /// Leaves the setting unchanged.
    #[default]
    Unchanged,
    /// Sends no heartbeats.
    Disabled,
    /// Sends heartbeats after this interval plus the retransmission timeout.
    ///
    /// Millisecond resolution. `None` leaves the interval unchanged, and zero leaves only the
    /// retransmission timeout.
    Enabled(Option<Duration>),
}

/// Path MTU discovery (`SPP_PMTUD_ENABLE`, `SPP_PMTUD_DISABLE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MtuDiscovery {
    /// Leaves the setting unchanged.
    #[default]
    Unchanged,
    /// Uses a fixed path MTU in bytes, at least 512. `None` keeps the current one.
    Disabled(Option<u32>),
    /// Discovers the path MTU. [`Socket::path_info`] returns it.
    Enabled,
}

/// Delay of acknowledgements (`SPP_SACKDELAY_ENABLE`, `SPP_SACKDELAY_DISABLE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SackDelay {
    /// Leaves the setting unchanged.
    #[default]
    Unchanged,
    /// Acknowledges immediately.
    Disabled,
    /// Delays acknowledgements by at most this time, up to 500 ms.
    ///
    /// Millisecond resolution. `None` or zero leaves the time unchanged.
    Enabled(Option<Duration>),
}

impl PeerAddrParams {
    /// Creates a value that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the heartbeats on idle paths.
    #[must_use]
    pub fn with_heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Sets the maximum number of consecutive retransmissions before a path is unreachable.
    #[must_use]
    pub fn with_max_retransmissions(mut self, count: u16) -> Self {
        self.max_retransmissions = count;
        self
    }

    /// Sets the path MTU discovery.
    #[must_use]
    pub fn with_mtu_discovery(mut self, discovery: MtuDiscovery) -> Self {
        self.mtu_discovery = discovery;
        self
    }

    /// Sets the delay of acknowledgements.
    #[must_use]
    pub fn with_sack_delay(mut self, delay: SackDelay) -> Self {
        self.sack_delay = delay;
        self
    }

    /// Sets the flow label of IPv6 packets.
    #[must_use]
    pub fn with_flow_label(mut self, label: u32) -> Self {
        self.flow_label = Some(label);
        self
    }

    /// Sets the differentiated services code point of packets.
    #[must_use]
    pub fn with_dscp(mut self, dscp: u8) -> Self {
        self.dscp = Some(dscp);
        self
    }

    fn to_kernel(
        self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
    ) -> io::Result<abi::PeerAddrParams> {
        let mut raw = abi::PeerAddrParams {
            assoc,
            addr,
            max_retransmissions: self.max_retransmissions,
            ..Default::default()
        };
        match self.heartbeat {
            Heartbeat::Unchanged => {}
            Heartbeat::Disabled => raw.flags |= abi::SPP_HB_DISABLE,
            Heartbeat::Enabled(interval) => {
                raw.flags |= abi::SPP_HB_ENABLE;
                // Without the flag, an interval of 0 keeps the old one.
                if interval == Some(Duration::ZERO) {
                    raw.flags |= abi::SPP_HB_TIME_IS_ZERO;
                }
                raw.heartbeat_interval = interval.map_or(0, to_millis);
            }
        }
        match self.mtu_discovery {
            MtuDiscovery::Unchanged => {}
            // The kernel keeps the old MTU for 0, and returns EINVAL for 1 to 511.
            MtuDiscovery::Disabled(Some(0)) => return Err(invalid("path MTU is 0")),
            MtuDiscovery::Disabled(mtu) => {
                raw.flags |= abi::SPP_PMTUD_DISABLE;
                raw.mtu = mtu.unwrap_or(0);
            }
            MtuDiscovery::Enabled => raw.flags |= abi::SPP_PMTUD_ENABLE,
        }
        match self.sack_delay {
            SackDelay::Unchanged => {}
            SackDelay::Disabled => raw.flags |= abi::SPP_SACKDELAY_DISABLE,
            SackDelay::Enabled(delay) => {
                raw.flags |= abi::SPP_SACKDELAY_ENABLE;
                raw.sack_delay = delay.map_or(0, to_millis);
            }
        }
        // The kernel would silently truncate the next two.
        if let Some(label) = self.flow_label {
            if label > 0xf_ffff {
                return Err(invalid("flow label exceeds 20 bits"));
            }
            raw.flags |= abi::SPP_IPV6_FLOWLABEL;
            raw.flow_label = label;
        }
        if let Some(dscp) = self.dscp {
            if dscp > 0x3f {
                return Err(invalid("differentiated services code point exceeds 6 bits"));
            }
            raw.flags |= abi::SPP_DSCP;
            raw.dscp = dscp << 2;
        }
        Ok(raw)
    }

    fn from_kernel(raw: &abi::PeerAddrParams) -> Self {
        let set = |flag| raw.flags & flag != 0;
        Self {
            heartbeat: if set(abi::SPP_HB_ENABLE) {
                Heartbeat::Enabled(Some(from_millis(raw.heartbeat_interval)))
            } else {
                Heartbeat::Disabled
            },
            max_retransmissions: raw.max_retransmissions,
            mtu_discovery: if set(abi::SPP_PMTUD_ENABLE) {
                MtuDiscovery::Enabled
            } else {
                MtuDiscovery::Disabled((raw.mtu != 0).then_some(raw.mtu))
            },
            sack_delay: if set(abi::SPP_SACKDELAY_ENABLE) {
                SackDelay::Enabled(Some(from_millis(raw.sack_delay)))
            } else {
                SackDelay::Disabled
            },
            flow_label: set(abi::SPP_IPV6_FLOWLABEL).then_some(raw.flow_label),
            dscp: set(abi::SPP_DSCP).then_some(raw.dscp >> 2),
        }
    }
}

impl Socket {
    /// Sets parameters of the path to a peer's address.
    ///
    /// Without an address, sets them for all paths of an association, or of future associations.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address, [`AssocId::CURRENT`] and
    /// [`AssocId::ALL`], and for a value out of range.
    #[doc(alias = "SCTP_PEER_ADDR_PARAMS")]
    pub fn set_peer_addr_params(
        &self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
        params: &PeerAddrParams,
    ) -> io::Result<()> {
        let raw = params.to_kernel(assoc, addr)?;
        self.set_option(abi::SCTP_PEER_ADDR_PARAMS, &raw.encode())
    }

    /// Returns the parameters of the path to a peer's address.
    ///
    /// Without an address, returns the initial values of new paths. No parameter is `Unchanged`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address.
    pub fn peer_addr_params(
        &self,
        assoc: AssocId,
        addr: Option<SocketAddr>,
    ) -> io::Result<PeerAddrParams> {
        let request = abi::PeerAddrParams {
            assoc,
            addr,
            ..Default::default()
        };
        let raw = self.option(abi::SCTP_PEER_ADDR_PARAMS, &request)?;
        Ok(PeerAddrParams::from_kernel(&raw))
    }

    /// Sends a heartbeat to a peer's address immediately; without an address, to all addresses
    /// (`SPP_HB_DEMAND`).
    ///
    /// A [`PeerAddrChange`](crate::PeerAddrChange) follows if the state of the path changes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address, and for [`AssocId::FUTURE`].
    #[doc(alias = "SPP_HB_DEMAND")]
    pub fn request_heartbeat(&self, assoc: AssocId, addr: Option<SocketAddr>) -> io::Result<()> {
        let raw = abi::PeerAddrParams {
            assoc,
            addr,
            flags: abi::SPP_HB_DEMAND,
            ..Default::default()
        };
        self.set_option(abi::SCTP_PEER_ADDR_PARAMS, &raw.encode())
    }
}

#[cfg(test)]
mod tests;
