//! The two terminations on the command line.

use std::{io, time::Duration};

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

/// Reads the end that a client chooses: `shutdown` or `abort=REASON`.
pub(crate) fn of_client(text: &str) -> Result<Ending, String> {
    parse(text, "shutdown")
}

/// Reads the end that a server chooses: `after-ack` or `abort=REASON`.
pub(crate) fn of_server(text: &str) -> Result<Ending, String> {
    parse(text, "after-ack")
}

fn parse(text: &str, orderly: &str) -> Result<Ending, String> {
    match text.strip_prefix("abort=") {
        Some(reason) => AbortReason::new(reason.to_owned())
            .map(Ending::Abort)
            .map_err(|error| error.to_string()),
        None if text == orderly => Ok(Ending::Shutdown),
        None => Err(format!("it is {orderly} or abort=REASON")),
    }
}
