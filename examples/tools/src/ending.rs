//! The two terminations on the command line.

use std::{io, str::FromStr, time::Duration};

use sctp_tokio::{AbortReason, SendHalf};
use tokio::time::timeout;

/// Time limit for acknowledgements before the end of an association.
pub(crate) const END_TIMEOUT: Duration = Duration::from_secs(10);
/// Abort reason after that time.
pub(crate) const TOO_SLOW: AbortReason = AbortReason::from_static("sctp: no orderly end in time");

/// Way in which an association is ended from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Shut down: everything that was sent arrives first.
    Shutdown,
    /// Aborted with a reason.
    Abort(AbortReason),
}

impl Ending {
    /// Starts the end. Waits for acknowledgements before an abort, which would discard what is on
    /// its way. Returns `false` if they did not come in time.
    pub(crate) async fn start(&self, association: &SendHalf) -> io::Result<bool> {
        match self {
            Self::Shutdown => association.start_shutdown().map(|()| true),
            Self::Abort(reason) => {
                // If the association is over, its end is read next.
                let flushed = timeout(END_TIMEOUT, association.flushed()).await;
                association.abort(reason).map(|()| flushed.is_ok())
            }
        }
    }
}

/// Reads `shutdown` or `abort=REASON`; and `after-ack`, as a server calls its shutdown.
impl FromStr for Ending {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("abort=")) {
            ("shutdown" | "after-ack", _) => Ok(Self::Shutdown),
            (_, Some(reason)) => AbortReason::new(reason.to_owned())
                .map(Self::Abort)
                .map_err(|error| error.to_string()),
            _ => Err("it is shutdown or abort=REASON".to_owned()),
        }
    }
}
