//! The client and pools on the kernel's SCTP.
//!
//! These tests need a kernel with SCTP: cargo runs them through `.kernel/run`, which provides one
//! or says how to get it.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod calls;
#[path = "../support/conformance/mod.rs"]
mod conformance;
#[path = "../../../sctp-tokio/tests/support/netns.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with sctp-tokio's tests")]
mod netns;
#[path = "../../../sctp-tokio/tests/support/patience.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with sctp-tokio's tests")]
mod patience;
mod pool;
mod server;
mod world;

use std::{future::Future, time::Duration};

/// A bound against hanging: nothing here takes a tenth of it, and reaching it fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must happen.
#[track_caller]
fn must<F: Future>(what: F) -> impl Future<Output = F::Output> {
    patience::within(PATIENCE, what)
}
