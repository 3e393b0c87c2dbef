//! Streams of decoded items and sinks of encoded ones.

pub(crate) mod codec;
pub(crate) mod sink;
