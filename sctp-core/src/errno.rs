//! Error numbers of the kernel, for [`io::Error::raw_os_error`](std::io::Error::raw_os_error).
//!
//! For errors that an [`ErrorKind`](std::io::ErrorKind) does not tell apart. The numbers are those of
//! the target: on MIPS and SPARC many differ from the others.

pub use libc::{
    EADDRNOTAVAIL, EALREADY, ECONNREFUSED, EINVAL, EISCONN, EMFILE, EMSGSIZE, ENETUNREACH, ENOBUFS,
    ENOSPC, ENOTCONN, EOPNOTSUPP, EPIPE, ESHUTDOWN,
};
