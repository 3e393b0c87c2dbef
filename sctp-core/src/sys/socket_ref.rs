//! Socket on a borrowed descriptor.

use std::{
    fmt, io,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::is_sctp;
use crate::socket::{Socket, not_sctp};

/// SCTP socket on a descriptor that something else owns, with the methods of [`Socket`].
///
/// For the options and statistics of a socket of another library or process. Dropping the reference
/// does not close the descriptor. Unlike [`Socket::from_fd`], creating one does not make the
/// descriptor non-blocking: if it is blocking, [`accept`](Socket::accept) and
/// [`connectx`](Socket::connectx) block the thread. Sending and receiving do not (`MSG_DONTWAIT`),
/// except for [`send_msg_to`](Socket::send_msg_to) as described there.
///
/// ```no_run
/// use std::{io, os::fd::OwnedFd};
///
/// use sctp_core::{AssocId, SocketRef, options::RtoInfo};
///
/// /// Returns the retransmission timeouts of a descriptor, which stays open.
/// fn timeouts(fd: &OwnedFd) -> io::Result<RtoInfo> {
///     SocketRef::from_fd(fd)?.rto_info(AssocId::FUTURE)
/// }
/// ```
pub struct SocketRef<'fd> {
    socket: ManuallyDrop<Socket>,
    owner: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> SocketRef<'fd> {
    /// Borrows a descriptor.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not an SCTP socket.
    pub fn from_fd(fd: &'fd impl AsFd) -> io::Result<Self> {
        let fd = fd.as_fd();
        if !is_sctp(fd)? {
            return Err(not_sctp());
        }
        // SAFETY: the descriptor is open for `'fd`, which the reference does not outlive. It is never
        // closed by this value: `ManuallyDrop` does not drop it, and only `&Socket` is given out.
        let lent = unsafe { OwnedFd::from_raw_fd(fd.as_raw_fd()) };
        Ok(Self {
            socket: ManuallyDrop::new(Socket::new_unchecked(lent)),
            owner: PhantomData,
        })
    }
}

impl Deref for SocketRef<'_> {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl AsFd for SocketRef<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for SocketRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
