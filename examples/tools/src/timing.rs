//! Waits that several subcommands have.

use std::{future::pending, time::Duration};

use tokio::time::{Instant, sleep_until};

/// Delay after a failed accept, for which there may be no descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Waits for a deadline, or for ever if there is none.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
