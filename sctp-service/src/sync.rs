//! Locks and atomics of the standard library, or of loom in the models that `.ci/loom` runs.
//!
//! `Arc` is always that of the standard library, since wakers are made from it.

#[cfg(sctp_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(sctp_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
