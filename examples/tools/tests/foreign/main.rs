//! The tool with programs that we did not write: as their server and their client, and what they
//! read in its traces.
//!
//! `.ci/foreign-peers` fetches them, and `.ci/test` runs it before these tests. Each test says what
//! it proved, and `docs/foreign-peers.md` must say the same: see `table.rs` of the examples.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../../../tests/support/fetched.rs"]
mod fetched;
mod peers;
#[path = "../support/mod.rs"]
mod support;
#[path = "../../../tests/foreign/table.rs"]
mod table;
mod traces;

use fetched::fetched;
use support::netns;
