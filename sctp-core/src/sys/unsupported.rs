//! System calls on other systems than Linux: each fails.
//!
//! No socket can be made, so only the first call of a program is reached.

use std::{
    io,
    ops::Range,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use bytes::{BufMut, BytesMut};

use super::{Outgoing, RawMeta};
use crate::ids::AssocId;

pub(crate) const MSG_MORE: libc::c_int = 0;

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "SCTP sockets need Linux: run the program there, in a container or a virtual machine",
    ))
}

pub(crate) fn socket(_domain: libc::c_int, _kind: libc::c_int) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn bind(_fd: BorrowedFd<'_>, _addr: &[u8]) -> io::Result<()> {
    unsupported()
}

pub(crate) fn tick() -> io::Result<Duration> {
    unsupported()
}

pub(crate) fn listen(_fd: BorrowedFd<'_>, _backlog: libc::c_int) -> io::Result<()> {
    unsupported()
}

pub(crate) fn accept(_fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn shutdown(_fd: BorrowedFd<'_>, _how: libc::c_int) -> io::Result<()> {
    unsupported()
}

pub(crate) fn is_sctp(_fd: BorrowedFd<'_>) -> io::Result<bool> {
    unsupported()
}

pub(crate) fn set_nonblocking(_fd: BorrowedFd<'_>) -> io::Result<()> {
    unsupported()
}

pub(crate) fn getsockopt(
    _fd: BorrowedFd<'_>,
    _level: libc::c_int,
    _name: libc::c_int,
    _value: &mut [u8],
) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn setsockopt(
    _fd: BorrowedFd<'_>,
    _level: libc::c_int,
    _name: libc::c_int,
    _value: &[u8],
) -> io::Result<libc::c_int> {
    unsupported()
}

pub(crate) fn peel_off(_fd: BorrowedFd<'_>, _assoc: AssocId) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn connectx(_fd: BorrowedFd<'_>, _addrs: &[u8]) -> io::Result<(AssocId, bool)> {
    unsupported()
}

pub(crate) fn recvmsg<T>(
    _fd: BorrowedFd<'_>,
    _buf: &mut impl BufMut,
    _flags: libc::c_int,
    _decode: impl FnOnce(usize, RawMeta<'_>) -> T,
) -> io::Result<T> {
    unsupported()
}

pub(crate) fn recvmmsg(
    _fd: BorrowedFd<'_>,
    _block: &mut BytesMut,
    _slots: usize,
    _slot_len: usize,
    _each: impl FnMut(Range<usize>, RawMeta<'_>),
) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn sendmsg(
    _fd: BorrowedFd<'_>,
    _message: Outgoing<'_>,
    _flags: libc::c_int,
) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn sendmmsg(
    _fd: BorrowedFd<'_>,
    _messages: &[Outgoing<'_>],
    _flags: libc::c_int,
) -> io::Result<usize> {
    unsupported()
}
