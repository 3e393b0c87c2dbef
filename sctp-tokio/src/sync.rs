//! Locks: those of the standard library, or loom's in the models that `.ci/loom` runs.
//!
//! `Arc` is the standard library's in both, since a waker is made of one.

#[cfg(sctp_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(sctp_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
