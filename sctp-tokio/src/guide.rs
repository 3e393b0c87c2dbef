//! Guides.
//!
//! | guide | topic |
//! |---|---|
//! | [`errors`] | errors of each operation, their texts and sources |
//! | [`performance`] | batches, buffer sizes, one or many sockets |

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/performance.md")]
pub mod performance {}
