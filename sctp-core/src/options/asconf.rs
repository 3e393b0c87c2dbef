//! Changing addresses of an association that is up (ASCONF, RFC 5061).

use std::{io, net::SocketAddr};

use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::Socket,
};

impl Socket {
    /// Sets whether associations to come can change their addresses (`SCTP_ASCONF_SUPPORTED`, not
    /// in RFC 6458). Default off, by the sysctl `net.sctp.addip_enable`, which this overrules for
    /// the socket. It holds for the socket, not for an association, and sockets from
    /// [`Socket::accept`] and [`Socket::peel_off`] begin with the sysctl's value again: set it
    /// there too, or [`Socket::set_peer_primary_addr`] fails.
    ///
    /// RFC 5061 wants such changes authenticated. Turn [`Socket::set_auth_supported`] on as well:
    /// with this alone, every association is refused.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    #[doc(alias = "SCTP_ASCONF_SUPPORTED")]
    pub fn set_asconf_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_ASCONF_SUPPORTED, on)
    }

    /// Returns whether an association can change its addresses, that is, whether both ends offered
    /// it; for [`AssocId::FUTURE`], whether this end will.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    pub fn asconf_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_ASCONF_SUPPORTED, assoc)
    }

    /// Sets whether the kernel tells peers of addresses that the system gains and loses
    /// (`SCTP_AUTO_ASCONF`, RFC 6458 section 8.1.23). Only for sockets bound to the wildcard
    /// address. Default off, by the sysctl `net.sctp.default_auto_asconf`; without effect while
    /// ASCONF is off.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is turned on for a socket that is not bound to the wildcard address,
    /// or not bound at all.
    #[doc(alias = "SCTP_AUTO_ASCONF")]
    pub fn set_auto_asconf(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_AUTO_ASCONF, on)
    }

    /// Returns whether the kernel tells peers of addresses that the system gains and loses.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn auto_asconf(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_AUTO_ASCONF)
    }

    /// Asks the peer to send to this address of ours, as long as it works
    /// (`SCTP_SET_PEER_PRIMARY_ADDR`, RFC 6458 section 8.3.1). Nothing tells whether it does.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EPERM`) while ASCONF is off for this socket, and when the association
    /// cannot change its addresses; `InvalidInput` for an unknown association;
    /// `AddrNotAvailable` when the address is not one of this end's; `NotConnected` before and
    /// after the association is established.
    #[doc(alias = "SCTP_SET_PEER_PRIMARY_ADDR")]
    pub fn set_peer_primary_addr(&self, assoc: AssocId, addr: SocketAddr) -> io::Result<()> {
        let raw = abi::SetPeerPrim {
            assoc,
            addr: Some(addr),
        };
        self.set_option(abi::SCTP_SET_PEER_PRIMARY_ADDR, &raw.encode())
    }
}
