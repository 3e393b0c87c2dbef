//! Parts of the tool `sctp` that the benchmarks use too.
//!
//! | module | what |
//! |---|---|
//! | [`format`](mod@format) | figures for people |
//! | [`plot`] | pictures of measurements |
#![forbid(unsafe_code)]

pub mod format;
pub mod plot;
