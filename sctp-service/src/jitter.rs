//! Random numbers for jitter.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Returns a number from 0 to 1.
///
/// Uses the random keys of the standard library's hasher, which is sufficient for jitter and adds
/// no dependency.
pub(crate) fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
