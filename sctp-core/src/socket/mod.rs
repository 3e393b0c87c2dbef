//! Non-blocking SCTP sockets.

mod batch;
mod block_pool;
mod connection;
mod receive;
mod send;

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd},
};

pub use batch::{Part, RecvBatch};
pub use connection::{Connecting, Family};
pub use receive::{RecvFlags, RecvMeta};
pub use send::SendItem;

use crate::{abi, ids::AssocId, sockaddr, sys};

/// Non-blocking SCTP socket. Closed when dropped.
///
/// Each method is one system call, repeated if a signal interrupts it. The exceptions, such as
/// [`peel_off`](Self::peel_off) and [`set_events`](Self::set_events), are documented. A call that
/// would have to wait fails with [`WouldBlock`](io::ErrorKind::WouldBlock). SIGPIPE is never
/// raised.
///
/// # Closing
///
/// `close(2)` on a one-to-many socket closes *every* association on it, with a graceful shutdown in
/// the background, or with an ABORT if a message is unread. Before dropping the socket, receive
/// until `WouldBlock`, or close each association. Peeled-off sockets are independent of the socket
/// they came from.
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Creates a one-to-many socket (`SOCK_SEQPACKET`, RFC 6458 section 3).
    ///
    /// # Errors
    ///
    /// `Unsupported` if the kernel has no SCTP; otherwise the error of `socket(2)`.
    pub fn one_to_many(family: Family) -> io::Result<Self> {
        Self::new(family, libc::SOCK_SEQPACKET)
    }

    /// Creates a one-to-one socket (`SOCK_STREAM`, RFC 6458 section 4).
    ///
    /// On Linux, neither `SCTP_EOF` nor `SCTP_ABORT` works on it, and an abort carries no reason.
    ///
    /// # Errors
    ///
    /// Same as [`Socket::one_to_many`].
    pub fn one_to_one(family: Family) -> io::Result<Self> {
        Self::new(family, libc::SOCK_STREAM)
    }

    fn new(family: Family, kind: libc::c_int) -> io::Result<Self> {
        let fd = sys::socket(family.to_kernel(), kind).map_err(explain_missing_kernel_support)?;
        Ok(Self { fd })
    }

    /// Takes ownership of an existing descriptor, such as one from systemd's socket activation, and
    /// makes it non-blocking.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not an SCTP socket; otherwise the error of `fcntl(2)`.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        if !sys::is_sctp(fd.as_fd())? {
            return Err(not_sctp());
        }
        sys::set_nonblocking(fd.as_fd())?;
        Ok(Self { fd })
    }

    /// Wraps a descriptor that is known to be an SCTP socket.
    pub(crate) fn new_unchecked(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Sets an SCTP option to an encoded value.
    pub(crate) fn set(&self, name: i32, value: &[u8]) -> io::Result<()> {
        sys::setsockopt(self.as_fd(), abi::SOL_SCTP, name, value).map(drop)
    }

    /// Reads an SCTP option with a fixed layout. `request` holds the arguments of the option.
    pub(crate) fn get<T: abi::Layout>(&self, name: i32, request: &T) -> io::Result<T> {
        let mut value = request.encode();
        let len = sys::getsockopt(self.as_fd(), abi::SOL_SCTP, name, &mut value)?;
        T::decode(&value[..len]).ok_or_else(truncated_option)
    }
}

/// Returns the error for a descriptor of another protocol.
pub(crate) fn not_sctp() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not an SCTP socket")
}

/// Returns the error for an option that the kernel did not return completely.
pub(crate) fn truncated_option() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "kernel returned a truncated option",
    )
}

/// Replaces the error of a kernel without SCTP by one that names the missing module.
///
/// Linux returns `EPROTONOSUPPORT` for a socket type that other protocols have, as TCP has
/// `SOCK_STREAM`, and `ESOCKTNOSUPPORT` for one that none has: `SOCK_SEQPACKET` (`inet_create`).
fn explain_missing_kernel_support(error: io::Error) -> io::Error {
    let Some(libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT) = error.raw_os_error() else {
        return error;
    };
    io::Error::new(
        io::ErrorKind::Unsupported,
        "this kernel has no SCTP: load it with `modprobe sctp` (in a container, on the host); if there is \
         no such module, install the distribution's package of extra kernel modules",
    )
}

/// Shows the descriptor and the bound addresses, which are read from the kernel, like the sockets
/// of the standard library.
impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Socket");
        shown.field("fd", &self.fd.as_raw_fd());
        if let Ok(addrs) = self.local_addrs(AssocId::FUTURE) {
            shown.field("local_addrs", &addrs);
        }
        shown.finish()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl IntoRawFd for Socket {
    fn into_raw_fd(self) -> RawFd {
        self.fd.into_raw_fd()
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.fd
    }
}

impl TryFrom<OwnedFd> for Socket {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        Self::from_fd(fd)
    }
}

/// Decodes the address list that follows `struct sctp_getaddrs`.
fn decode_addrs(value: &[u8]) -> Option<Vec<std::net::SocketAddr>> {
    // struct sctp_getaddrs { sctp_assoc_t assoc_id; __u32 addr_num; __u8 addrs[]; }
    let count = u32::from_ne_bytes(*value.get(4..)?.first_chunk()?);
    sockaddr::decode_list(value.get(8..)?, usize::try_from(count).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_kernel_support_is_explained() {
        for code in [libc::EPROTONOSUPPORT, libc::ESOCKTNOSUPPORT] {
            let error = explain_missing_kernel_support(io::Error::from_raw_os_error(code));
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().contains("modprobe sctp"), "{error}");
        }
        let other = explain_missing_kernel_support(io::Error::from_raw_os_error(libc::EMFILE));
        assert_eq!(other.raw_os_error(), Some(libc::EMFILE));
    }
}
