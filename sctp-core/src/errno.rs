//! Error numbers of the kernel, for [`io::Error::raw_os_error`](std::io::Error::raw_os_error).
//!
//! For errors that [`ErrorKind`](std::io::ErrorKind) does not distinguish. The values depend on the
//! target: many differ on MIPS and SPARC.

pub use libc::{
    EADDRNOTAVAIL, EALREADY, ECONNREFUSED, EINVAL, EISCONN, EMFILE, EMSGSIZE, ENETUNREACH, ENOBUFS,
    ENOSPC, ENOTCONN, EOPNOTSUPP, EPIPE, ESHUTDOWN,
};
