//! Address changes of established associations (ASCONF, RFC 5061).

use std::{io, net::SocketAddr};

use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

impl Socket {
    /// Sets whether future associations can change their addresses (`SCTP_ASCONF_SUPPORTED`, not in
    /// RFC 6458).
    ///
    /// Defaults to off, or to the sysctl `net.sctp.addip_enable`, which this option overrides for
    /// the socket. The option belongs to the socket and not to an association. Sockets from
    /// [`Socket::accept`] and [`Socket::peel_off`] start with the sysctl's value again: set the
    /// option there too, or [`Socket::set_peer_primary_addr`] fails.
    ///
    /// RFC 5061 requires authentication of address changes. Enable [`Socket::set_auth_supported`]
    /// as well: with this option alone, no association can be established.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    #[doc(alias = "SCTP_ASCONF_SUPPORTED")]
    pub fn set_asconf_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_ASCONF_SUPPORTED, on)
    }

    /// Returns `true` if an association can change its addresses, which both ends must have
    /// offered.
    ///
    /// For [`AssocId::FUTURE`], returns whether this end offers it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`](super::UnsupportedOption)
    /// before Linux 5.4.
    pub fn asconf_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_ASCONF_SUPPORTED, assoc)
    }

    /// Sets whether the kernel announces address changes of the system to peers
    /// (`SCTP_AUTO_ASCONF`, RFC 6458 section 8.1.23).
    ///
    /// Available for sockets bound to the wildcard address only, and without effect while ASCONF is
    /// off. Defaults to off, or to the sysctl `net.sctp.default_auto_asconf`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the option is turned on for a socket that is not bound to the wildcard
    /// address.
    #[doc(alias = "SCTP_AUTO_ASCONF")]
    pub fn set_auto_asconf(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_AUTO_ASCONF, on)
    }

    /// Returns `true` if the kernel announces address changes of the system to peers.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn auto_asconf(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_AUTO_ASCONF)
    }

    /// Asks the peer to prefer this local address as its destination while the address works
    /// (`SCTP_SET_PEER_PRIMARY_ADDR`, RFC 6458 section 8.3.1).
    ///
    /// The outcome is not reported.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EPERM`) while ASCONF is off for this socket, or if the association
    /// cannot change its addresses; `InvalidInput` for an unknown association; `AddrNotAvailable`
    /// if the address is not local; `NotConnected` unless the association is established.
    #[doc(alias = "SCTP_SET_PEER_PRIMARY_ADDR")]
    pub fn set_peer_primary_addr(&self, assoc: AssocId, addr: SocketAddr) -> io::Result<()> {
        let raw = abi::SetPeerPrim {
            assoc,
            addr: Some(addr),
        };
        self.set_option(abi::SCTP_SET_PEER_PRIMARY_ADDR, &raw.encode())
    }
}
