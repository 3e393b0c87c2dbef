//! The system calls, and the only `unsafe` code of the project.
//!
//! The policy: a function here takes slices and descriptors that Rust vouches for, makes one
//! call, and returns what the kernel said, lengths checked against what it was given, in release
//! builds too. What the bytes mean is decided elsewhere, in safe code. Each block holds one
//! unsafe operation and says why it is sound.

mod compact;
mod control;
mod message;
mod options;

pub(crate) use control::*;
pub(crate) use message::*;
pub(crate) use options::*;

use std::io;

/// Turns the -1 of a system call into the error it left behind.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The same for calls that return a length.
fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Calls again as long as a signal interrupts.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The length of a slice as a `socklen_t`.
fn socklen(len: usize) -> io::Result<libc::socklen_t> {
    libc::socklen_t::try_from(len).map_err(|_| io::ErrorKind::InvalidInput.into())
}
