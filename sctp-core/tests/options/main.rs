//! Every socket option there and back, on a real kernel: over IPv4 and IPv6, on one-to-one,
//! one-to-many and peeled-off sockets; and the errors that are documented.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "../support/mod.rs"]
mod support;

mod asconf;
mod auth;
mod check;
mod paths;
mod reconfig;
mod sending;
mod sockets;
mod streams;
mod timing;
