//! The server on the kernel's SCTP: every scenario over both styles of socket.
//!
//! These tests need a kernel with SCTP: cargo runs them through `.kernel/run`, which provides one
//! or says how to get it.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../support/kernel/mod.rs"]
mod support;

#[path = "../support/panics.rs"]
mod panics;

mod debug;
mod equals;
mod handles;
mod handshake;
mod isolation;
mod one_to_one;
mod shutdown;
mod terminations;

use support::{both_styles, must, reply, server, until_end};
