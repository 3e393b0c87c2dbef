//! Locks of the standard library, or of loom in the models that `.ci/loom` runs.
//!
//! `Arc` is always the standard library's, because wakers are created from it.

#[cfg(sctp_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(sctp_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
