//! Random numbers that spread events over time.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Returns a number from 0 to 1.
///
/// The standard library's hasher has keys that differ from one to the next: random enough to
/// spread clients, and no dependency.
pub(crate) fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
