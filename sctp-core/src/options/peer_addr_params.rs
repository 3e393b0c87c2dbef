//! How paths are probed and marked.

use std::{io, net::SocketAddr, time::Duration};

use super::raw::{from_millis, invalid, to_millis};
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

/// Parameters of a path, of all paths of an association, or of associations to come
/// (`SCTP_PEER_ADDR_PARAMS`, RFC 6458 section 8.1.12).
///
/// [`PeerAddrParams::new`] changes nothing; each `with_` method changes one thing, and leaves the
/// others as they are in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct PeerAddrParams {
    /// Whether idle paths are probed. Linux's default is every 30 s.
    pub heartbeat: Heartbeat,
    /// More retransmissions in a row than this make a path unreachable; 0 leaves it as it is.
    /// Linux's default is 5.
    pub max_retransmissions: u16,
    /// Whether the kernel finds out the path MTU. Linux's default is that it does.
    pub mtu_discovery: MtuDiscovery,
    /// Whether acknowledgements are delayed, as [`Socket::set_delayed_sack`] sets it too. Linux's
    /// default is by 200 ms.
    pub sack_delay: SackDelay,
    /// The flow label of IPv6 packets, 20 bits; `None` leaves it to the kernel, and as it is when
    /// setting. Without effect on IPv4 paths.
    pub flow_label: Option<u32>,
    /// The differentiated services code point of packets, 6 bits: 46 is expedited forwarding.
    /// `None` leaves it to the kernel, and as it is when setting.
    pub dscp: Option<u8>,
}

/// Whether idle paths are probed (`SPP_HB_ENABLE`, `SPP_HB_DISABLE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Heartbeat {
    /// As it is.
    #[default]
    Unchanged,
    /// They are not.
    Disabled,
    /// They are, after this much time and the retransmission timeout; `None` keeps the time as
    /// it is. Millisecond resolution; zero is just the retransmission timeout.
    Enabled(Option<Duration>),
}

/// Whether the kernel finds out the path MTU (`SPP_PMTUD_ENABLE`, `SPP_PMTUD_DISABLE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MtuDiscovery {
    /// As it is.
    #[default]
    Unchanged,
    /// It does not, and the path MTU is this, in bytes, at least 512; `None` keeps it as it is.
    Disabled(Option<u32>),
    /// It does. [`Socket::path_info`] tells the outcome.
    Enabled,
}

/// Whether acknowledgements are delayed (`SPP_SACKDELAY_ENABLE`, `SPP_SACKDELAY_DISABLE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SackDelay {
    /// As it is.
    #[default]
    Unchanged,
    /// They are not.
    Disabled,
    /// They are, by at most this, up to 500 ms; `None` or zero keeps the time as it is. Millisecond
    /// resolution.
    Enabled(Option<Duration>),
}

impl PeerAddrParams {
    /// Begins with nothing to change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether idle paths are probed.
    #[must_use]
    pub fn with_heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Sets how many retransmissions in a row a path survives.
    #[must_use]
    pub fn with_max_retransmissions(mut self, count: u16) -> Self {
        self.max_retransmissions = count;
        self
    }

    /// Sets whether the kernel finds out the path MTU.
    #[must_use]
    pub fn with_mtu_discovery(mut self, discovery: MtuDiscovery) -> Self {
        self.mtu_discovery = discovery;
        self
    }

    /// Sets whether acknowledgements are delayed.
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
                // An interval of 0 keeps the old one, unless the flag says that it is meant.
                if interval == Some(Duration::ZERO) {
                    raw.flags |= abi::SPP_HB_TIME_IS_ZERO;
                }
                raw.heartbeat_interval = interval.map_or(0, to_millis);
            }
        }
        match self.mtu_discovery {
            MtuDiscovery::Unchanged => {}
            // The kernel keeps the old MTU for 0, and says EINVAL for 1 to 511.
            MtuDiscovery::Disabled(Some(0)) => return Err(invalid("a path MTU of 0")),
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
        // The kernel would cut off the excess bits of the two without a word.
        if let Some(label) = self.flow_label {
            if label > 0xf_ffff {
                return Err(invalid("a flow label has 20 bits"));
            }
            raw.flags |= abi::SPP_IPV6_FLOWLABEL;
            raw.flow_label = label;
        }
        if let Some(dscp) = self.dscp {
            if dscp > 0x3f {
                return Err(invalid("a differentiated services code point has 6 bits"));
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
    /// Sets parameters of the path to a peer's address; without an address, of all paths of an
    /// association, or of associations to come.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address, [`AssocId::CURRENT`] and
    /// [`AssocId::ALL`], and for a value out of its range.
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

    /// Returns the parameters of the path to a peer's address; without an address, what paths of
    /// the association to come will begin with. Nothing in it is `Unchanged`.
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

    /// Probes the path to a peer's address now; without an address, all paths of the association
    /// (`SPP_HB_DEMAND`). A [`PeerAddrChange`](crate::PeerAddrChange) follows if the state of the
    /// path turns out to be another.
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
