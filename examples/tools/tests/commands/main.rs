//! `sctp send`, `sctp listen` and `sctp probe` with each other, and what they say and return when
//! something is wrong.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod bad_input;
mod listen;
mod probe;
mod send;
mod signals;
#[path = "../support/mod.rs"]
mod support;
