//! How long tests wait.

use std::time::Duration;

/// A bound of so many seconds, and of more in the SMP guest: its processors are emulated, and take
/// many times as long.
pub fn within(seconds: u64) -> Duration {
    let emulated = std::env::var_os("SCTP_KERNEL_GUEST").is_some_and(|guest| guest == "smp");
    Duration::from_secs(seconds * if emulated { 8 } else { 1 })
}

/// A bound against hanging: nothing takes a tenth of it, and reaching it fails the test.
pub fn patience() -> Duration {
    within(30)
}
