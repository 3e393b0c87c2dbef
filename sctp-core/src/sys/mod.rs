//! System calls, and the only `unsafe` code of the project.
//!
//! Each function takes safe slices and borrowed descriptors, makes one system call and returns its
//! result. Lengths reported by the kernel are checked in release builds too. The bytes are
//! interpreted by safe code elsewhere. Each block contains one unsafe operation and states why it
//! is sound.
//!
//! On systems other than Linux, each function fails with `Unsupported`.
#![allow(unsafe_code, reason = "the one module that makes system calls")]

#[cfg(target_os = "linux")]
mod compact;
#[cfg(target_os = "linux")]
mod control;
#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod result;
mod socket_ref;
#[cfg(not(target_os = "linux"))]
mod unsupported;

use std::io::IoSlice;

#[cfg(target_os = "linux")]
pub(crate) use control::*;
#[cfg(target_os = "linux")]
pub(crate) use message::*;
#[cfg(target_os = "linux")]
pub(crate) use options::*;
#[cfg(target_os = "linux")]
use result::{check, check_len, retry, socklen};
pub use socket_ref::SocketRef;
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::*;

/// Maximum number of messages per batched call.
///
/// Larger batches had no measurable benefit, and this many headers fit on the stack.
pub(crate) const MAX_BATCH: usize = 32;

/// Undecoded metadata of one received message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawMeta<'a> {
    pub(crate) flags: libc::c_int,
    pub(crate) control: &'a [u8],
    pub(crate) name: &'a [u8],
}

/// Message to send: address (empty for none), ancillary data and payload.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) control: &'a [u8],
    pub(crate) payload: &'a [IoSlice<'a>],
}
