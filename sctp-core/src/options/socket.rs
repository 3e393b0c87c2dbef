//! Options of a whole socket.

use std::{io, os::fd::AsFd};

use crate::{
    abi,
    ids::AssocId,
    socket::{Socket, truncated_option},
    sys,
};

impl Socket {
    fn int(&self, level: i32, name: i32) -> io::Result<i32> {
        let mut value = [0; 4];
        let len = sys::getsockopt(self.as_fd(), level, name, &mut value)?;
        if len < value.len() {
            return Err(truncated_option());
        }
        Ok(i32::from_ne_bytes(value))
    }

    fn set_int(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        sys::setsockopt(self.as_fd(), level, name, &value.to_ne_bytes()).map(drop)
    }

    /// Sets whether small messages are sent immediately (`SCTP_NODELAY`, RFC 6458 section 8.1.5).
    ///
    /// Defaults to off: the kernel then delays a small message while an earlier one is
    /// unacknowledged, by up to 200 ms.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SCTP_NODELAY")]
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_NODELAY, on)
    }

    /// Returns `true` if small messages are sent immediately.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_NODELAY)
    }

    /// Sets whether messages of other associations may be delivered between the parts of a message
    /// (`SCTP_FRAGMENT_INTERLEAVE`, RFC 6458 section 8.1.20).
    ///
    /// Defaults to off: one long message then delays every association of the socket. Linux has no
    /// level above 1. Turning the option off also turns I-DATA off.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SCTP_FRAGMENT_INTERLEAVE")]
    pub fn set_fragment_interleave(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_FRAGMENT_INTERLEAVE, on)
    }

    /// Returns `true` if messages of other associations may be delivered between the parts of a
    /// message.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn fragment_interleave(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_FRAGMENT_INTERLEAVE)
    }

    /// Requests a send buffer of this many bytes (`SO_SNDBUF`).
    ///
    /// Linux doubles the number, and limits it by `net.core.wmem_max`. The size also limits the
    /// length of a message.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SO_SNDBUF")]
    pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        self.set_int(libc::SOL_SOCKET, libc::SO_SNDBUF, bytes)
    }

    /// Returns the size of the send buffer in bytes, which includes the overhead of the kernel.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.int(libc::SOL_SOCKET, libc::SO_SNDBUF)
            .map(|bytes| usize::try_from(bytes).unwrap_or(0))
    }

    /// Requests a receive buffer of this many bytes (`SO_RCVBUF`).
    ///
    /// Linux doubles the number, and limits it by `net.core.rmem_max`. Set it before `bind` or
    /// `connectx`: it determines the window that the peer is offered.
    ///
    /// All associations of a one-to-many socket share the buffer, but each offers a window as if it
    /// had the buffer alone. While it is full, Linux discards packets within the window. The peer
    /// counts each as a failed transmission, and after [`AssocInfo::max_retransmissions`] in a row,
    /// 10 by default, it gives up on the association.
    ///
    /// [`AssocInfo::max_retransmissions`]: super::AssocInfo::max_retransmissions
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SO_RCVBUF")]
    pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        self.set_int(libc::SOL_SOCKET, libc::SO_RCVBUF, bytes)
    }

    /// Returns the size of the receive buffer in bytes, which includes the overhead of the kernel.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.int(libc::SOL_SOCKET, libc::SO_RCVBUF)
            .map(|bytes| usize::try_from(bytes).unwrap_or(0))
    }

    /// Allows binding addresses and a port that associations of an earlier socket still use
    /// (`SO_REUSEADDR`). Set it before `bind`. Defaults to off.
    ///
    /// The option must be set on every socket that uses the port. Accepted and peeled-off sockets
    /// inherit it. A second socket still cannot listen on the port (`sctp_get_port_local`).
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SO_REUSEADDR")]
    pub fn set_reuse_address(&self, on: bool) -> io::Result<()> {
        self.set_int(libc::SOL_SOCKET, libc::SO_REUSEADDR, i32::from(on))
    }

    /// Sets whether several sockets of one user may bind the same addresses and port
    /// (`SO_REUSEPORT`).
    ///
    /// The kernel distributes new associations between them by the address and port of the peer.
    /// Set the option on each socket before `bind`.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SO_REUSEPORT")]
    pub fn set_reuse_port(&self, on: bool) -> io::Result<()> {
        self.set_int(libc::SOL_SOCKET, libc::SO_REUSEPORT, i32::from(on))
    }

    /// Returns and clears the pending error of the socket (`SO_ERROR`). One-to-many sockets never
    /// have one.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let code = self.int(libc::SOL_SOCKET, libc::SO_ERROR)?;
        Ok((code != 0).then(|| io::Error::from_raw_os_error(code)))
    }

    /// Returns `true` for a one-to-many or peeled-off socket, and `false` for a one-to-one socket
    /// (`SO_TYPE`).
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    #[doc(alias = "SO_TYPE")]
    pub fn is_seqpacket(&self) -> io::Result<bool> {
        self.int(libc::SOL_SOCKET, libc::SO_TYPE)
            .map(|kind| kind == libc::SOCK_SEQPACKET)
    }

    /// Returns `true` if the socket is listening (`SO_ACCEPTCONN`).
    ///
    /// # Errors
    ///
    /// The error of `getsockopt(2)`.
    #[doc(alias = "SO_ACCEPTCONN")]
    pub fn is_listening(&self) -> io::Result<bool> {
        self.int(libc::SOL_SOCKET, libc::SO_ACCEPTCONN)
            .map(|value| value != 0)
    }

    /// Returns the memory of messages that were sent and not yet acknowledged, in bytes
    /// (`SO_MEMINFO`).
    ///
    /// Includes the overhead of the kernel.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    #[doc(alias = "SO_MEMINFO")]
    pub fn send_buffer_used(&self) -> io::Result<usize> {
        const SK_MEMINFO_WMEM_QUEUED: usize = 5;
        let [queued] = self.memory([SK_MEMINFO_WMEM_QUEUED])?;
        Ok(queued)
    }

    /// Returns the free part of the receive buffer, in bytes (`SO_MEMINFO`).
    ///
    /// Queued messages occupy the buffer, including those that cannot be received yet because a
    /// part is missing. Includes the overhead of the kernel.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    #[doc(alias = "SO_MEMINFO")]
    pub fn recv_buffer_free(&self) -> io::Result<usize> {
        const SK_MEMINFO_RMEM_ALLOC: usize = 0;
        const SK_MEMINFO_RCVBUF: usize = 1;
        let [queued, size] = self.memory([SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_RCVBUF])?;
        Ok(size.saturating_sub(queued))
    }

    /// Returns the free part of the send buffer, in bytes (`SO_MEMINFO`).
    ///
    /// This is the size without [`Socket::send_buffer_used`], read with one call.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    #[doc(alias = "SO_MEMINFO")]
    pub fn send_buffer_free(&self) -> io::Result<usize> {
        const SK_MEMINFO_SNDBUF: usize = 3;
        const SK_MEMINFO_WMEM_QUEUED: usize = 5;
        let [size, queued] = self.memory([SK_MEMINFO_SNDBUF, SK_MEMINFO_WMEM_QUEUED])?;
        Ok(size.saturating_sub(queued))
    }

    /// Returns fields of `SO_MEMINFO`.
    fn memory<const N: usize>(&self, fields: [usize; N]) -> io::Result<[usize; N]> {
        const SO_MEMINFO: i32 = 55;
        let mut values = [0; 9 * 4];
        let len = sys::getsockopt(self.as_fd(), libc::SOL_SOCKET, SO_MEMINFO, &mut values)?;
        let (values, _) = values[..len].as_chunks();
        let mut found = [0; N];
        for (found, field) in found.iter_mut().zip(fields) {
            let value = values.get(field).ok_or_else(truncated_option)?;
            *found = usize::try_from(u32::from_ne_bytes(*value)).unwrap_or(usize::MAX);
        }
        Ok(found)
    }
}

/// Announcements to peers, and delivery.
impl Socket {
    /// Sets the adaptation layer that future associations announce to peers
    /// (`SCTP_ADAPTATION_LAYER`, RFC 6458 section 8.1.10).
    ///
    /// Peers receive it as [`Adaptation`](crate::Adaptation). Linux announces nothing for 0, the
    /// default.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SCTP_ADAPTATION_LAYER")]
    pub fn set_adaptation_layer(&self, indication: u32) -> io::Result<()> {
        self.set_number(abi::SCTP_ADAPTATION_LAYER, indication)
    }

    /// Returns the announced adaptation layer; 0 for none.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn adaptation_layer(&self) -> io::Result<u32> {
        self.number(abi::SCTP_ADAPTATION_LAYER)
    }

    /// Sets the length in bytes from which a message may be partially delivered to free the receive
    /// buffer (`SCTP_PARTIAL_DELIVERY_POINT`, RFC 6458 section 8.1.21).
    ///
    /// With 0, the default, Linux does so only when the receive buffer is full. It then discards
    /// packets of the peer, which retransmits them after its retransmission timeout.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for more than half of [`Socket::recv_buffer_size`].
    #[doc(alias = "SCTP_PARTIAL_DELIVERY_POINT")]
    pub fn set_partial_delivery_point(&self, bytes: u32) -> io::Result<()> {
        self.set_number(abi::SCTP_PARTIAL_DELIVERY_POINT, bytes)
    }

    /// Returns the length in bytes from which a message may be partially delivered.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn partial_delivery_point(&self) -> io::Result<u32> {
        self.number(abi::SCTP_PARTIAL_DELIVERY_POINT)
    }

    /// Sets whether an IPv6 socket returns IPv4 addresses as mapped IPv6 addresses
    /// (`SCTP_I_WANT_MAPPED_V4_ADDR`, RFC 6458 section 8.1.15): `::ffff:192.0.2.1` for `192.0.2.1`.
    ///
    /// Defaults to on. Without effect on IPv4 sockets.
    ///
    /// # Errors
    ///
    /// Returns the error of `setsockopt(2)`.
    #[doc(alias = "SCTP_I_WANT_MAPPED_V4_ADDR")]
    pub fn set_mapped_v4(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_I_WANT_MAPPED_V4_ADDR, on)
    }

    /// Returns `true` if an IPv6 socket returns IPv4 addresses as mapped IPv6 addresses.
    ///
    /// # Errors
    ///
    /// Returns the error of `getsockopt(2)`.
    pub fn mapped_v4(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_I_WANT_MAPPED_V4_ADDR)
    }

    /// Sets whether a one-to-one socket may bind the address and port of another that also set this
    /// option (`SCTP_REUSE_PORT`, RFC 6458 section 8.1.27).
    ///
    /// Set the option on each socket before `bind`. Only one of the sockets can listen. To
    /// distribute new associations between several listeners, use [`Socket::set_reuse_port`].
    ///
    /// # Errors
    ///
    /// `Unsupported` (`EOPNOTSUPP`) on one-to-many and peeled-off sockets; `EFAULT` on a bound
    /// socket; [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.19.
    #[doc(alias = "SCTP_REUSE_PORT")]
    pub fn set_sctp_reuse_port(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_REUSE_PORT, on)
    }

    /// Returns `true` if one-to-one sockets may bind the same address and port.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.19.
    pub fn sctp_reuse_port(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_REUSE_PORT)
    }

    /// Sets whether future associations use explicit congestion notification (`SCTP_ECN_SUPPORTED`,
    /// not in RFC 6458; RFC 9260 appendix A).
    ///
    /// Defaults to on, or to the sysctl `net.sctp.ecn_enable`. The option belongs to the socket and
    /// not to an association.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    #[doc(alias = "SCTP_ECN_SUPPORTED")]
    pub fn set_ecn_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_ECN_SUPPORTED, on)
    }

    /// Returns `true` if an association uses explicit congestion notification, which both ends must
    /// have offered.
    ///
    /// For [`AssocId::FUTURE`], returns whether this end offers it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`](super::UnsupportedOption)
    /// before Linux 5.4.
    pub fn ecn_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_ECN_SUPPORTED, assoc)
    }
}
