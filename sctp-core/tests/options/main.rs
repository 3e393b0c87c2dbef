//! Round trips of every socket option on a real kernel, and the documented errors.
//!
//! Covers IPv4 and IPv6, and one-to-one, one-to-many and peeled-off sockets.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "../support/mod.rs"]
mod support;

mod asconf;
mod assoc_stats;
mod auth;
mod check;
mod events;
mod partial_reliability;
mod path;
mod peer_addr_params;
mod reconfig;
mod scheduling;
mod send;
mod socket;
mod timing;
