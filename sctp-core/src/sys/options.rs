//! Socket options, as bytes.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use super::{check, control::own, socklen};
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
};

/// `getsockopt(2)`.
///
/// SCTP options are passed in both directions: `value` can hold an argument, such as an
/// association. Returns the number of bytes that the kernel wrote.
pub(crate) fn getsockopt(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &mut [u8],
) -> io::Result<usize> {
    let mut len = socklen(value.len())?;
    let pointer = value.as_mut_ptr().cast();
    // SAFETY: `pointer` is writable for `len` bytes, all initialised, and `len` is a local.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, pointer, &raw mut len) })?;
    match usize::try_from(len) {
        Ok(len) if len <= value.len() => Ok(len),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "kernel returned an option longer than its buffer",
        )),
    }
}

/// `setsockopt(2)`. Returns the result of the call, which is an association id for some options.
pub(crate) fn setsockopt(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &[u8],
) -> io::Result<libc::c_int> {
    let len = socklen(value.len())?;
    // SAFETY: `value` is readable for `len` bytes; the kernel copies it and needs no alignment.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), len) })
}

/// Checks that some descriptors and files are available.
///
/// Checks for more than one, in case another thread opens a file before the subsequent call.
fn spare_descriptors() -> io::Result<()> {
    const SPARE: usize = 4;
    let mut spare = [const { None }; SPARE];
    for place in &mut spare {
        // SAFETY: the call takes no pointers.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the kernel has just opened it for this call.
        *place = Some(unsafe { own(fd) });
    }
    Ok(())
}

/// `sctp_peeloff_flags()`: `SCTP_SOCKOPT_PEELOFF_FLAGS`, non-blocking and close-on-exec.
///
/// The kernel moves the association before it allocates a descriptor. If there is none, it *closes*
/// the association (`sctp_getsockopt_peeloff_common`). This function therefore checks for
/// descriptors first.
pub(crate) fn peel_off(fd: BorrowedFd<'_>, assoc: AssocId) -> io::Result<OwnedFd> {
    spare_descriptors()?;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let request = abi::PeelOffFlags {
        assoc,
        descriptor: -1,
        flags: flags.cast_unsigned(),
    };
    let mut value = request.encode();
    getsockopt(
        fd,
        abi::SOL_SCTP,
        abi::SCTP_SOCKOPT_PEELOFF_FLAGS,
        &mut value,
    )?;
    match abi::PeelOffFlags::decode(&value) {
        Some(answer) if answer.descriptor >= 0 => {
            // SAFETY: the call succeeded, and the request held -1, so this is what it opened.
            Ok(unsafe { own(answer.descriptor) })
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "kernel returned no descriptor for a peel-off",
        )),
    }
}

/// `struct sctp_getaddrs_old`, the only option structure with a pointer.
#[repr(C)]
struct ConnectX {
    assoc: i32,
    addrs_len: libc::c_int,
    addrs: *const u8,
}

/// `sctp_connectx()`: `SCTP_SOCKOPT_CONNECTX3`.
///
/// Returns the new association, and `true` if the handshake is in progress (`EINPROGRESS`). The id
/// is valid in both cases.
pub(crate) fn connectx(fd: BorrowedFd<'_>, addrs: &[u8]) -> io::Result<(AssocId, bool)> {
    let addrs_len = libc::c_int::try_from(addrs.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut value = ConnectX {
        assoc: 0,
        addrs_len,
        addrs: addrs.as_ptr(),
    };
    let mut len = socklen(size_of::<ConnectX>())?;
    let pointer = (&raw mut value).cast();
    // SAFETY: `pointer` is writable for `len` bytes, and the list it points to is readable for
    // `addrs_len` bytes and outlives the call.
    let result = check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            abi::SOL_SCTP,
            abi::SCTP_SOCKOPT_CONNECTX3,
            pointer,
            &raw mut len,
        )
    });
    match result {
        Ok(_) => Ok((AssocId::new(value.assoc), false)),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            Ok((AssocId::new(value.assoc), true))
        }
        Err(error) => Err(error),
    }
}
