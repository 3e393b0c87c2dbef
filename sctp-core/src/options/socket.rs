//! Options of a socket as a whole.

use std::{io, os::fd::AsFd};

use crate::{
    abi,
    socket::{Socket, short_answer},
    sys,
};

impl Socket {
    fn int(&self, level: i32, name: i32) -> io::Result<i32> {
        let mut value = [0; 4];
        let len = sys::getsockopt(self.as_fd(), level, name, &mut value)?;
        if len < value.len() {
            return Err(short_answer());
        }
        Ok(i32::from_ne_bytes(value))
    }

    fn set_int(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        sys::setsockopt(self.as_fd(), level, name, &value.to_ne_bytes()).map(drop)
    }

    /// Sets whether small messages go out at once (`SCTP_NODELAY`, RFC 6458 section 8.1.5).
    /// Default off: the kernel then holds a small message back while an earlier one is
    /// unacknowledged, up to 200 ms.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SCTP_NODELAY")]
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_NODELAY, on)
    }

    /// Returns whether small messages go out at once.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_NODELAY)
    }

    /// Sets whether messages of other associations may come between the parts of one
    /// (`SCTP_FRAGMENT_INTERLEAVE`, RFC 6458 section 8.1.20). Default off: one long message then
    /// holds up every association of the socket. Linux knows no levels above 1, and turning it
    /// off also turns I-DATA off.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SCTP_FRAGMENT_INTERLEAVE")]
    pub fn set_fragment_interleave(&self, on: bool) -> io::Result<()> {
        self.set_flag(abi::SCTP_FRAGMENT_INTERLEAVE, on)
    }

    /// Returns whether messages of other associations may come between the parts of one.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn fragment_interleave(&self) -> io::Result<bool> {
        self.flag(abi::SCTP_FRAGMENT_INTERLEAVE)
    }

    /// Asks for a send buffer of this many bytes (`SO_SNDBUF`); Linux doubles the number, and
    /// bounds it by `net.core.wmem_max`. It is also the longest message that can be sent.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SO_SNDBUF")]
    pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        self.set_int(libc::SOL_SOCKET, libc::SO_SNDBUF, bytes)
    }

    /// Returns the size of the send buffer, in the kernel's bytes: it counts its own overhead.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.int(libc::SOL_SOCKET, libc::SO_SNDBUF)
            .map(|bytes| usize::try_from(bytes).unwrap_or(0))
    }

    /// Asks for a receive buffer of this many bytes (`SO_RCVBUF`); Linux doubles the number, and
    /// bounds it by `net.core.rmem_max`. Set it before `bind` or `connectx`: it decides the
    /// window that the peer is offered.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SO_RCVBUF")]
    pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        self.set_int(libc::SOL_SOCKET, libc::SO_RCVBUF, bytes)
    }

    /// Returns the size of the receive buffer, in the kernel's bytes.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.int(libc::SOL_SOCKET, libc::SO_RCVBUF)
            .map(|bytes| usize::try_from(bytes).unwrap_or(0))
    }

    /// Allows binding addresses and a port that associations of an earlier socket still use
    /// (`SO_REUSEADDR`). Set it before `bind`. Default off.
    ///
    /// Every socket that has the port must have it set; those that were accepted or peeled off take
    /// it over. A second socket cannot listen on the port all the same (`sctp_get_port_local`).
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SO_REUSEADDR")]
    pub fn set_reuse_address(&self, on: bool) -> io::Result<()> {
        self.set_int(libc::SOL_SOCKET, libc::SO_REUSEADDR, i32::from(on))
    }

    /// Lets several sockets of one user bind the same addresses and port, between which the
    /// kernel then shares out new associations by the peer's address and port (`SO_REUSEPORT`).
    /// Set it on each before `bind`.
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` says.
    #[doc(alias = "SO_REUSEPORT")]
    pub fn set_reuse_port(&self, on: bool) -> io::Result<()> {
        self.set_int(libc::SOL_SOCKET, libc::SO_REUSEPORT, i32::from(on))
    }

    /// Takes the pending error off the socket (`SO_ERROR`). One-to-many sockets never have one.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let code = self.int(libc::SOL_SOCKET, libc::SO_ERROR)?;
        Ok((code != 0).then(|| io::Error::from_raw_os_error(code)))
    }

    /// Returns whether this is a one-to-many or a peeled-off socket, and not a one-to-one
    /// (`SO_TYPE`).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_TYPE")]
    pub fn is_seqpacket(&self) -> io::Result<bool> {
        self.int(libc::SOL_SOCKET, libc::SO_TYPE)
            .map(|kind| kind == libc::SOCK_SEQPACKET)
    }

    /// Returns how much memory the messages occupy that were sent and not yet acknowledged, in
    /// the kernel's bytes, overhead included (`SO_MEMINFO`).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_MEMINFO")]
    pub fn send_buffer_used(&self) -> io::Result<usize> {
        const SK_MEMINFO_WMEM_QUEUED: usize = 5;
        let [queued] = self.memory([SK_MEMINFO_WMEM_QUEUED])?;
        Ok(queued)
    }

    /// Returns how much of the receive buffer is free, in the kernel's bytes: its size without the
    /// messages that are queued, those that cannot be received yet since a part of them is missing
    /// included (`SO_MEMINFO`).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_MEMINFO")]
    pub fn recv_buffer_free(&self) -> io::Result<usize> {
        const SK_MEMINFO_RMEM_ALLOC: usize = 0;
        const SK_MEMINFO_RCVBUF: usize = 1;
        let [queued, size] = self.memory([SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_RCVBUF])?;
        Ok(size.saturating_sub(queued))
    }

    /// Returns how much of the send buffer is free, in the kernel's bytes: its size without what
    /// [`Socket::send_buffer_used`] says, asked for with one call (`SO_MEMINFO`).
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_MEMINFO")]
    pub fn send_buffer_free(&self) -> io::Result<usize> {
        const SK_MEMINFO_SNDBUF: usize = 3;
        const SK_MEMINFO_WMEM_QUEUED: usize = 5;
        let [size, queued] = self.memory([SK_MEMINFO_SNDBUF, SK_MEMINFO_WMEM_QUEUED])?;
        Ok(size.saturating_sub(queued))
    }

    /// Reads some of the kernel's account of the socket's memory.
    fn memory<const N: usize>(&self, fields: [usize; N]) -> io::Result<[usize; N]> {
        const SO_MEMINFO: i32 = 55;
        let mut values = [0; 9 * 4];
        let len = sys::getsockopt(self.as_fd(), libc::SOL_SOCKET, SO_MEMINFO, &mut values)?;
        let (values, _) = values[..len].as_chunks();
        let mut found = [0; N];
        for (found, field) in found.iter_mut().zip(fields) {
            let value = values.get(field).ok_or_else(short_answer)?;
            *found = usize::try_from(u32::from_ne_bytes(*value)).unwrap_or(usize::MAX);
        }
        Ok(found)
    }
}
