//! How packets are wrapped and sized on a path.

use std::{io, net::SocketAddr, time::Duration};

use super::raw::{from_millis, to_millis};
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

impl Socket {
    /// Sends packets to a peer's address inside UDP, to this port; without an address, to all
    /// addresses of an association or of associations to come (`SCTP_REMOTE_UDP_ENCAPS_PORT`,
    /// RFC 6951 section 6.1). 0, the default, sends plain SCTP.
    ///
    /// The port is in host byte order. The kernel receives such packets only while the sysctl
    /// `net.sctp.udp_port` names the port to receive on, 9899 by custom; an end that is spoken to
    /// inside UDP answers inside UDP without this option. The system's default is the sysctl
    /// `net.sctp.encap_port`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address, [`AssocId::CURRENT`] and
    /// [`AssocId::ALL`]; [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.11.
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
            // sue_port is the one number of these options that is in network byte order.
            port: port.to_be(),
        };
        self.set_option(abi::SCTP_REMOTE_UDP_ENCAPS_PORT, &raw.encode())
    }

    /// Returns the UDP port that packets to a peer's address go to, in host byte order; 0 is plain
    /// SCTP. Without an address, what paths of the association to come will begin with.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.11.
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

    /// Finds out the path MTU to a peer's address by probe packets, one each such interval;
    /// without an address, for all addresses of an association or of associations to come
    /// (`SCTP_PLPMTUD_PROBE_INTERVAL`, RFC 8899). Unlike the usual discovery, it works where ICMP
    /// messages are lost. At least 5 s, millisecond resolution; zero, the default, is off. The
    /// system's default is the sysctl `net.sctp.plpmtud_probe_interval`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address, [`AssocId::CURRENT`] and
    /// [`AssocId::ALL`], and for an interval above zero and below 5 s;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.14.
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

    /// Returns the interval of the probe packets to a peer's address; zero is off. Without an
    /// address, what paths of the association to come will begin with.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association or address;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.14.
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
