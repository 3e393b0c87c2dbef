//! Faults of the network and of the machine, between a client and a running server: what was
//! promised is delivered, whoever loses says why, and the server goes on.
//!
//! These tests need a kernel with SCTP: cargo runs them through `.kernel/run`, which provides one
//! or says how to get it.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../support/kernel/mod.rs"]
mod support;

mod clock;
mod descriptors;
mod drain;
mod links;
mod machine;
mod network;
mod statistics;

use support::{both_styles, leaks::alone, must, reply, server, until_end};
