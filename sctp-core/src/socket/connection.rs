//! Operations on connections: bind, listen, connect, peel off and close.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
};

use super::{Socket, decode_addrs};
use crate::{
    abi, abort_reason::AbortReason, cmsg::SendControl, ids::AssocId, info::SendInfo, sockaddr, sys,
};

/// Address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 addresses only.
    V4,
    /// IPv6 addresses, and mapped IPv4 addresses unless `IPV6_V6ONLY` is set.
    V6,
}

impl Family {
    /// Returns the family that can hold all of these addresses: IPv6 if any address is IPv6.
    #[must_use]
    pub fn of(addrs: &[SocketAddr]) -> Self {
        if addrs.iter().any(SocketAddr::is_ipv6) {
            Self::V6
        } else {
            Self::V4
        }
    }

    /// Returns the wildcard address with port 0.
    #[must_use]
    pub fn unspecified(self) -> SocketAddr {
        let ip = match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(ip, 0)
    }

    pub(super) fn to_kernel(self) -> libc::c_int {
        match self {
            Self::V4 => libc::AF_INET,
            Self::V6 => libc::AF_INET6,
        }
    }
}

/// Progress of a non-blocking connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connecting {
    /// The new association.
    pub assoc: AssocId,
    /// Set while the handshake is in progress. An `SCTP_ASSOC_CHANGE` notification reports the
    /// outcome.
    pub in_progress: bool,
}

/// Binding and listening.
impl Socket {
    /// Binds the socket to one address (`bind(2)`). Port 0 selects a free port.
    ///
    /// A socket bound to the wildcard address announces every address of the machine to peers,
    /// including those of container bridges. A peer does not answer the INIT of a second
    /// association that announces an address and port already in use by another. Bind to the
    /// addresses that peers can reach.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` (ports below 1024), `InvalidInput`
    /// (already bound, or an IPv6 address on an IPv4 socket).
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        sys::bind(self.as_fd(), &sockaddr::encode(addr))
    }

    /// Binds the socket to further addresses (`sctp_bindx`, RFC 6458 section 9.1).
    ///
    /// All must have the port of the socket. On a socket with associations this requires ASCONF
    /// (RFC 5061), and the peers are notified.
    ///
    /// # Errors
    ///
    /// Same as [`Socket::bind`]. Either all addresses are added or none.
    #[doc(alias = "sctp_bindx")]
    #[doc(alias = "SCTP_BINDX_ADD_ADDR")]
    pub fn bindx_add(&self, addrs: &[SocketAddr]) -> io::Result<()> {
        self.set(abi::SCTP_SOCKOPT_BINDX_ADD, &sockaddr::encode_list(addrs))
    }

    /// Removes addresses from the socket (`sctp_bindx`, RFC 6458 section 9.1). The last one cannot
    /// be removed.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if an address is not bound; `ResourceBusy` for the last one.
    #[doc(alias = "SCTP_BINDX_REM_ADDR")]
    pub fn bindx_remove(&self, addrs: &[SocketAddr]) -> io::Result<()> {
        self.set(abi::SCTP_SOCKOPT_BINDX_REM, &sockaddr::encode_list(addrs))
    }

    /// Accepts associations (`listen(2)`).
    ///
    /// A one-to-many socket ignores the size of the backlog. A backlog of 0 rejects new
    /// associations while established ones continue, for example to drain a server. On a one-to-one
    /// socket the backlog limits the associations that wait for [`Socket::accept`].
    ///
    /// # Errors
    ///
    /// Returns the error of `listen(2)`; `InvalidInput` on a peeled-off socket.
    pub fn listen(&self, backlog: u32) -> io::Result<()> {
        sys::listen(self.as_fd(), i32::try_from(backlog).unwrap_or(i32::MAX))
    }

    /// Accepts the next association of a one-to-one listener (`accept4(2)`). The association may
    /// already be closed.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; the descriptor limit of the process (`EMFILE`, `ENFILE`).
    pub fn accept(&self) -> io::Result<Self> {
        sys::accept(self.as_fd()).map(|fd| Self { fd })
    }
}

/// Connecting, peeling off and closing.
impl Socket {
    /// Starts an association with a peer that has these addresses (`sctp_connectx`, RFC 6458
    /// section 9.9).
    ///
    /// Does not wait for the handshake. On a one-to-many socket, neither `SO_ERROR` nor readiness
    /// reports the outcome; only the notification does.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an empty list or an address of the wrong family, `EISCONN` if the
    /// association exists, and routing errors.
    #[doc(alias = "sctp_connectx")]
    pub fn connectx(&self, addrs: &[SocketAddr]) -> io::Result<Connecting> {
        let (assoc, in_progress) = sys::connectx(self.as_fd(), &sockaddr::encode_list(addrs))?;
        Ok(Connecting { assoc, in_progress })
    }

    /// Moves an association from a one-to-many socket to a socket of its own (`sctp_peeloff_flags`,
    /// RFC 6458 section 9.2), with all queued messages and notifications.
    ///
    /// If no descriptor is free, Linux closes the association instead of leaving it on the socket.
    /// This method therefore first checks that four descriptors are free. The check is not atomic:
    /// if other threads take all four before the peel-off, the association is closed.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown or closed association, for a peeled-off socket, and for a
    /// thread in a network namespace other than that of the socket. The descriptor limit of the
    /// process (`EMFILE`, `ENFILE`), in which case the association stays on the socket.
    #[doc(alias = "sctp_peeloff")]
    pub fn peel_off(&self, assoc: AssocId) -> io::Result<Self> {
        sys::peel_off(self.as_fd(), assoc).map(|fd| Self { fd })
    }

    /// Starts the orderly shutdown of an association (`SCTP_EOF`, RFC 6458 section 5.3.4).
    ///
    /// All queued messages are delivered and acknowledged before SHUTDOWN is sent. Does not require
    /// space in the send buffer. A repeated call has no effect.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if the association is closed; `InvalidInput` on a one-to-one socket, where
    /// [`Socket::shutdown_write`] starts a shutdown.
    #[doc(alias = "SCTP_EOF")]
    pub fn send_eof(&self, assoc: AssocId) -> io::Result<()> {
        self.send_flagged(assoc, abi::SCTP_EOF, &[])
    }

    /// Aborts an association (`SCTP_ABORT`, RFC 6458 section 5.3.4).
    ///
    /// Sends an ABORT with the reason, and discards unsent messages. Does not require space in the
    /// send buffer.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if the association is closed; `InvalidInput` on a one-to-one socket, which
    /// cannot send a reason.
    #[doc(alias = "SCTP_ABORT")]
    pub fn send_abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        self.send_flagged(assoc, abi::SCTP_ABORT, reason.as_bytes())
    }

    fn send_flagged(&self, assoc: AssocId, flags: u16, payload: &[u8]) -> io::Result<()> {
        let control = SendControl::new(assoc, &SendInfo::default(), flags);
        let payload = [io::IoSlice::new(payload)];
        let message = sys::Outgoing {
            name: &[],
            control: control.as_bytes(),
            payload: &payload,
        };
        sys::sendmsg(self.as_fd(), message, 0).map(drop)
    }

    /// Starts the orderly shutdown of a one-to-one socket's association (`shutdown(2)` with
    /// `SHUT_WR`).
    ///
    /// SCTP has no half-closed state: the peer cannot send any more messages either.
    ///
    /// On one-to-many and peeled-off sockets, the kernel reports success and does *nothing*
    /// (`sctp_shutdown`): use [`Socket::send_eof`] there.
    ///
    /// # Errors
    ///
    /// `NotConnected`, and other errors of `shutdown(2)`.
    pub fn shutdown_write(&self) -> io::Result<()> {
        sys::shutdown(self.as_fd(), libc::SHUT_WR)
    }
}

/// Addresses.
impl Socket {
    /// Returns the addresses that the socket, or one of its associations, is bound to
    /// (`sctp_getladdrs`, RFC 6458 section 9.5).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    #[doc(alias = "sctp_getladdrs")]
    #[doc(alias = "SCTP_GET_LOCAL_ADDRS")]
    pub fn local_addrs(&self, assoc: AssocId) -> io::Result<Vec<SocketAddr>> {
        self.addrs(abi::SCTP_GET_LOCAL_ADDRS, assoc)
    }

    /// Returns the peer's addresses (`sctp_getpaddrs`, RFC 6458 section 9.3).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association.
    #[doc(alias = "sctp_getpaddrs")]
    #[doc(alias = "SCTP_GET_PEER_ADDRS")]
    pub fn peer_addrs(&self, assoc: AssocId) -> io::Result<Vec<SocketAddr>> {
        self.addrs(abi::SCTP_GET_PEER_ADDRS, assoc)
    }

    fn addrs(&self, option: i32, assoc: AssocId) -> io::Result<Vec<SocketAddr>> {
        // The kernel returns ENOMEM if the list does not fit. An association has at most a few
        // hundred addresses, which must fit into one INIT chunk.
        const FIRST: usize = 512;
        const LAST: usize = 64 * 1024;
        let mut room = FIRST;
        loop {
            let mut value = vec![0; room];
            value[..4].copy_from_slice(&assoc.get().to_ne_bytes());
            match sys::getsockopt(self.as_fd(), abi::SOL_SCTP, option, &mut value) {
                // The returned length is unusable: for local addresses Linux omits the header from
                // it (`sctp_getsockopt_local_addrs`). The count in the header is correct.
                Ok(_) => return decode_addrs(&value).ok_or_else(super::truncated_option),
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && room < LAST => {
                    room *= 4
                }
                Err(error) => return Err(error),
            }
        }
    }
}
