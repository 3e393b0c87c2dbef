//! Waits of tests under paused time.

use std::{future::Future, time::Duration};

#[path = "../../../sctp-tokio/tests/support/patience.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with sctp-tokio's tests")]
mod patience;

pub(crate) use patience::within;

/// Longer than any timeout that a test sets, and no time under a paused clock.
const LIMIT: Duration = Duration::from_secs(3600);

/// Waits for something that must happen.
#[track_caller]
pub(crate) fn must<F: Future>(what: F) -> impl Future<Output = F::Output> {
    within(LIMIT, what)
}
