//! Binding, listening, connecting, peeling off, ending.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
};

use super::{Socket, decode_addrs};
use crate::{
    abi, abort_reason::AbortReason, cmsg::SendControl, ids::AssocId, info::SendInfo, sockaddr, sys,
};

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 addresses only.
    V4,
    /// IPv6 addresses; IPv4 ones too, mapped, unless `IPV6_V6ONLY` is set.
    V6,
}

impl Family {
    /// Returns the family that can hold all of these addresses: IPv6 if any of them is.
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

/// What a non-blocking connect has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connecting {
    /// The new association.
    pub assoc: AssocId,
    /// Whether the handshake is still under way; an `SCTP_ASSOC_CHANGE` will tell how it went.
    pub in_progress: bool,
}

/// Binding and listening.
impl Socket {
    /// Binds the socket to one address (`bind(2)`). Port 0 lets the kernel choose.
    ///
    /// The wildcard address announces every address of the machine to peers, those of container
    /// bridges included. A peer does not answer a second association that announces the address and
    /// port of another: bind to the addresses that peers can reach.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` (ports below 1024), `InvalidInput`
    /// (already bound, or an IPv6 address on an IPv4 socket).
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        sys::bind(self.as_fd(), &sockaddr::encode(addr))
    }

    /// Binds the socket to further addresses (`sctp_bindx`, RFC 6458 section 9.1). All must have
    /// the port that the socket is bound to. On a socket with associations it needs ASCONF
    /// (RFC 5061), and the peers are told.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`]; either all addresses are added or none.
    #[doc(alias = "sctp_bindx")]
    #[doc(alias = "SCTP_BINDX_ADD_ADDR")]
    pub fn bindx_add(&self, addrs: &[SocketAddr]) -> io::Result<()> {
        self.set(abi::SCTP_SOCKOPT_BINDX_ADD, &sockaddr::encode_list(addrs))
    }

    /// Gives addresses up (`sctp_bindx`, RFC 6458 section 9.1). The last one cannot go.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when an address is not bound; `ResourceBusy` for the last one.
    #[doc(alias = "SCTP_BINDX_REM_ADDR")]
    pub fn bindx_remove(&self, addrs: &[SocketAddr]) -> io::Result<()> {
        self.set(abi::SCTP_SOCKOPT_BINDX_REM, &sockaddr::encode_list(addrs))
    }

    /// Accepts associations (`listen(2)`).
    ///
    /// On a one-to-many socket the backlog is not counted, and 0 stops new associations while
    /// those that are up live on: the tool for a drain. On a one-to-one socket it bounds the
    /// associations that wait for [`Socket::accept`].
    ///
    /// # Errors
    ///
    /// What `listen(2)` says; `InvalidInput` on a peeled-off socket.
    pub fn listen(&self, backlog: u32) -> io::Result<()> {
        sys::listen(self.as_fd(), i32::try_from(backlog).unwrap_or(i32::MAX))
    }

    /// Takes the next association off a one-to-one listener (`accept4(2)`). It may have ended
    /// already.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is none; the process's descriptor limit (`EMFILE`, `ENFILE`).
    pub fn accept(&self) -> io::Result<Self> {
        sys::accept(self.as_fd()).map(|fd| Self { fd })
    }
}

/// Connecting, peeling off and ending.
impl Socket {
    /// Begins an association with a peer that has these addresses (`sctp_connectx`, RFC 6458
    /// section 9.9). The call does not wait for the handshake.
    ///
    /// On a one-to-many socket neither `SO_ERROR` nor readiness tells how it went, only the
    /// notification does.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for no address or one of the wrong family, `EISCONN` when there is such an
    /// association, and routing errors.
    #[doc(alias = "sctp_connectx")]
    pub fn connectx(&self, addrs: &[SocketAddr]) -> io::Result<Connecting> {
        let (assoc, in_progress) = sys::connectx(self.as_fd(), &sockaddr::encode_list(addrs))?;
        Ok(Connecting { assoc, in_progress })
    }

    /// Moves an association from a one-to-many socket to a socket of its own
    /// (`sctp_peeloff_flags`, RFC 6458 section 9.2), with all of its queued messages and
    /// notifications.
    ///
    /// Without a free descriptor Linux would close the association instead of leaving it where it
    /// was. So this looks for some before it asks for the peel-off, and fails when there are fewer
    /// than four. Threads that take all four in between can still bring it about: the kernel has
    /// no call that does both.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when there is no such association, which is also the answer for one that
    /// has ended, for a peeled-off socket, and for a thread in another network namespace than the
    /// socket's; the process's descriptor limit (`EMFILE`, `ENFILE`), in which case the
    /// association stays where it was.
    #[doc(alias = "sctp_peeloff")]
    pub fn peel_off(&self, assoc: AssocId) -> io::Result<Self> {
        sys::peel_off(self.as_fd(), assoc).map(|fd| Self { fd })
    }

    /// Begins the orderly end of an association: everything queued is delivered and
    /// acknowledged, then SHUTDOWN goes out (`SCTP_EOF`, RFC 6458 section 5.3.4). Needs no buffer
    /// space. Doing it again does no harm.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` when the association has ended; `InvalidInput` on a one-to-one socket, where
    /// [`Socket::shutdown_write`] does it.
    #[doc(alias = "SCTP_EOF")]
    pub fn send_eof(&self, assoc: AssocId) -> io::Result<()> {
        self.send_flagged(assoc, abi::SCTP_EOF, &[])
    }

    /// Ends an association at once: an ABORT with the reason goes out, what is unsent is
    /// discarded (`SCTP_ABORT`, RFC 6458 section 5.3.4). Needs no buffer space.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` when the association has ended; `InvalidInput` on a one-to-one socket, where
    /// no reason can be sent.
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

    /// Begins the orderly end of a one-to-one socket's association (`shutdown(2)` with
    /// `SHUT_WR`). There is no half close in SCTP: the peer can send nothing more either.
    ///
    /// On one-to-many and peeled-off sockets the kernel answers success and does *nothing*
    /// (`sctp_shutdown`): use [`Socket::send_eof`] there.
    ///
    /// # Errors
    ///
    /// `NotConnected`, and what else `shutdown(2)` says.
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
        // The kernel says ENOMEM when the list does not fit; an association has at most a few
        // hundred addresses, since they must fit into one INIT chunk.
        const FIRST: usize = 512;
        const LAST: usize = 64 * 1024;
        let mut room = FIRST;
        loop {
            let mut value = vec![0; room];
            value[..4].copy_from_slice(&assoc.get().to_ne_bytes());
            match sys::getsockopt(self.as_fd(), abi::SOL_SCTP, option, &mut value) {
                // The returned length is of no use: for local addresses Linux leaves the header
                // out of it (`sctp_getsockopt_local_addrs`). The count in the header is right.
                Ok(_) => return decode_addrs(&value).ok_or_else(super::short_answer),
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && room < LAST => {
                    room *= 4
                }
                Err(error) => return Err(error),
            }
        }
    }
}
