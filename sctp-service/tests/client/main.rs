//! The client over the in-memory transport, under paused time.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod bad_servers;
mod calls;
mod connecting;
mod correlation;
mod ends;
mod pool;
mod support;
