//! Calls that create, bind, connect and close sockets.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    time::Duration,
};

use super::{check, getsockopt, retry, socklen};

/// `socket(2)`, non-blocking and close-on-exec.
pub(crate) fn socket(domain: libc::c_int, kind: libc::c_int) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes no pointers.
    let fd = check(unsafe { libc::socket(domain, kind, crate::abi::IPPROTO_SCTP) })?;
    // SAFETY: the kernel has just opened it for this call.
    Ok(unsafe { own(fd) })
}

/// Takes ownership of a descriptor.
///
/// # Safety
///
/// A successful system call must have just returned the descriptor, and nothing else may own it.
pub(super) unsafe fn own(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the caller guarantees that the descriptor is open and not owned elsewhere, so it is
    // not -1.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// `bind(2)` to one encoded address.
pub(crate) fn bind(fd: BorrowedFd<'_>, addr: &[u8]) -> io::Result<()> {
    let len = socklen(addr.len())?;
    // SAFETY: `addr` is readable for `len` bytes; the kernel copies it and needs no alignment.
    check(unsafe { libc::bind(fd.as_raw_fd(), addr.as_ptr().cast(), len) }).map(drop)
}

/// `listen(2)`.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: libc::c_int) -> io::Result<()> {
    // SAFETY: the call takes no pointers.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// `accept4(2)`, non-blocking and close-on-exec.
///
/// Does not return the address: `SCTP_GET_PEER_ADDRS` returns all of them.
pub(crate) fn accept(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let accepted = retry(|| {
        let none = std::ptr::null_mut();
        // SAFETY: both pointers are null, which asks the kernel not to write an address.
        check(unsafe { libc::accept4(fd.as_raw_fd(), none, std::ptr::null_mut(), flags) })
    })?;
    // SAFETY: the kernel has just opened it for this call.
    Ok(unsafe { own(accepted) })
}

/// `shutdown(2)`.
pub(crate) fn shutdown(fd: BorrowedFd<'_>, how: libc::c_int) -> io::Result<()> {
    // SAFETY: the call takes no pointers.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), how) }).map(drop)
}

/// Returns `true` if the descriptor is an SCTP socket (`SO_PROTOCOL`).
pub(crate) fn is_sctp(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut protocol = [0; size_of::<libc::c_int>()];
    getsockopt(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL, &mut protocol)?;
    Ok(libc::c_int::from_ne_bytes(protocol) == crate::abi::IPPROTO_SCTP)
}

/// Makes an existing descriptor non-blocking (`fcntl(2)`).
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_GETFL takes no pointer.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: F_SETFL takes an integer.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

/// `clock_getres(2)` of the coarse clock, which advances once a tick: the length of a tick.
pub(crate) fn tick() -> io::Result<Duration> {
    let mut resolution = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `resolution` is writable and has the size of what the call writes.
    check(unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, resolution.as_mut_ptr()) })?;
    // SAFETY: a `timespec` has integers alone, so that zeros are a value of it too.
    let resolution = unsafe { resolution.assume_init() };
    let nanos = u64::try_from(resolution.tv_nsec).unwrap_or_default();
    Ok(Duration::from_nanos(nanos))
}
