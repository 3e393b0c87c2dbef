//! The client over the in-memory transport, under paused time.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod bad_servers;
#[path = "../support/both/mod.rs"]
mod both;
mod calls;
mod closing;
mod connecting;
mod correlation;
mod debug;
mod ends;
mod for_ever;
mod identifiers;
mod lookups;
mod network;
mod pool;
mod pool_end;
mod support;
mod world;

use support::must;
