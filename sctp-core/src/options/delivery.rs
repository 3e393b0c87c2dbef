//! What the socket as a whole says to its peers, and how it receives.

use std::io;

use crate::{abi, ids::AssocId, socket::Socket};

impl Socket {
    /// Sets the number that names this end's adaptation layer to peers of associations to come
    /// (`SCTP_ADAPTATION_LAYER`, RFC 6458 section 8.1.10), who see it as
    /// [`Adaptation`](crate::Adaptation). Linux sends nothing for 0, the default.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SCTP_ADAPTATION_LAYER")]
    pub fn set_adaptation_layer(&self, indication: u32) -> io::Result<()> {
        self.set_number(abi::SCTP_ADAPTATION_LAYER, indication)
    }

    /// Returns the number that names this end's adaptation layer; 0 is none.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn adaptation_layer(&self) -> io::Result<u32> {
        self.number(abi::SCTP_ADAPTATION_LAYER)
    }

    /// Sets from how many bytes on a message may be delivered in parts to make room in the receive
    /// buffer (`SCTP_PARTIAL_DELIVERY_POINT`, RFC 6458 section 8.1.21). With 0, the default, Linux
    /// does so only when the receive buffer is full.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for more than half of [`Socket::recv_buffer_size`].
    #[doc(alias = "SCTP_PARTIAL_DELIVERY_POINT")]
    pub fn set_partial_delivery_point(&self, bytes: u32) -> io::Result<()> {
        self.set_number(abi::SCTP_PARTIAL_DELIVERY_POINT, bytes)
    }

    /// Returns from how many bytes on a message may be delivered in parts.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn partial_delivery_point(&self) -> io::Result<u32> {
        self.number(abi::SCTP_PARTIAL_DELIVERY_POINT)
    }

    /// Sets whether an IPv6 socket shows IPv4 addresses as mapped IPv6 ones
    /// (`SCTP_I_WANT_MAPPED_V4_ADDR`, RFC 6458 section 8.1.15), `::ffff:192.0.2.1` for
    /// `192.0.2.1`. Default on. Without effect on IPv4 sockets.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SCTP_I_WANT_MAPPED_V4_ADDR")]
    pub fn set_mapped_v4(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_I_WANT_MAPPED_V4_ADDR, on)
    }

    /// Returns whether an IPv6 socket shows IPv4 addresses as mapped IPv6 ones.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn mapped_v4(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_I_WANT_MAPPED_V4_ADDR)
    }

    /// Lets one-to-one sockets bind an address and port that another one has, if it set this too
    /// (`SCTP_REUSE_PORT`, RFC 6458 section 8.1.27). Set it on each before `bind`. Only one of them
    /// can listen: to share out new associations between several, use
    /// [`Socket::set_reuse_port`].
    ///
    /// # Errors
    ///
    /// `Unsupported` (`EOPNOTSUPP`) on one-to-many and peeled-off sockets; `EFAULT` on a socket
    /// that is bound; [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.19.
    #[doc(alias = "SCTP_REUSE_PORT")]
    pub fn set_sctp_reuse_port(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_REUSE_PORT, on)
    }

    /// Returns whether one-to-one sockets can bind the same address and port.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.19.
    pub fn sctp_reuse_port(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_REUSE_PORT)
    }

    /// Sets whether associations to come use explicit congestion notification
    /// (`SCTP_ECN_SUPPORTED`, not in RFC 6458; ECN in SCTP is RFC 9260 appendix A). Default on, by
    /// the sysctl `net.sctp.ecn_enable`. It holds for the socket, not for an association.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    #[doc(alias = "SCTP_ECN_SUPPORTED")]
    pub fn set_ecn_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_ECN_SUPPORTED, on)
    }

    /// Returns whether an association uses explicit congestion notification, that is, whether both
    /// ends offered it; for [`AssocId::FUTURE`], whether this end will.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    pub fn ecn_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_ECN_SUPPORTED, assoc)
    }
}
