//! `sctp send`, `sctp listen` and `sctp probe` with each other, and what they say and return when
//! something is wrong.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod bad_input;
mod listen;
#[path = "../../../../sctp-tokio/tests/support/netns.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with sctp-tokio's tests")]
mod netns;
mod probe;
mod send;
mod signals;
#[path = "../support/mod.rs"]
mod support;

use netns::NetNs;
use support::{Program, command};

/// A network in which 10.3.0.2 gets every packet and answers none.
fn silence() -> NetNs {
    let namespace = NetNs::new();
    namespace.ip("link add quiet type dummy\naddr add 10.3.0.1/24 dev quiet\nlink set quiet up");
    namespace
}

/// Runs the tool in a namespace.
fn sctp_in(namespace: &NetNs, args: &[&str]) -> Program {
    Program::spawn(namespace.command(&command(args)))
}
