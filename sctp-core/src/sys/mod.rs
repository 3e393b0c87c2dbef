//! System calls, and the only `unsafe` code of the project.
//!
//! A function of this module takes slices and descriptors that Rust vouches for, makes one call and
//! returns the kernel's answer. Reported lengths are checked in release builds too. Safe code
//! elsewhere interprets the bytes. Each block contains one unsafe operation and states why it is
//! sound.
#![allow(unsafe_code, reason = "the one module that makes system calls")]

mod compact;
mod control;
mod message;
mod options;

pub(crate) use control::*;
pub(crate) use message::*;
pub(crate) use options::*;

use std::io;

/// Converts a result of -1 into the last OS error.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Converts a negative length into the last OS error.
fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Converts the length of a slice into a `socklen_t`.
fn socklen(len: usize) -> io::Result<libc::socklen_t> {
    libc::socklen_t::try_from(len).map_err(|_| io::ErrorKind::InvalidInput.into())
}
