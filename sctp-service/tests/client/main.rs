//! The client over the in-memory transport, under paused time.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod bad_servers;
mod calls;
mod closing;
#[path = "../support/conformance/mod.rs"]
mod conformance;
mod connecting;
mod correlation;
mod debug;
mod ends;
mod events;
mod for_ever;
mod identifiers;
mod inbox;
mod leaving;
mod lookups;
#[path = "../support/must.rs"]
mod must;
mod network;
#[path = "../support/panics.rs"]
mod panic_place;
mod panics;
mod pool;
mod pool_end;
mod pool_events;
#[path = "../support/restarting.rs"]
mod restarting;
mod serving;
mod support;
mod user_panics;
mod world;

use must::must;
