use std::{error::Error, fmt};

use crate::{IntoReply, Reply, abort_reasons, log_limit::LogLimiter};

/// Rejection of a payload that the codec cannot decode, with the codec's error.
///
/// Converting it into a reply logs the error and aborts the association with the reason
/// `malformed payload`, since a peer that uses another protocol will continue to do so. The details
/// are not sent to the peer; to do so, take a `Result` in the handler. The text of the error may
/// contain data from the peer: escape it in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPayload<E>(pub E);

impl<E: fmt::Display> IntoReply for BadPayload<E> {
    fn into_reply(self) -> Reply {
        static REFUSALS: LogLimiter = LogLimiter::new();
        if let Some(occurrences) = REFUSALS.record() {
            // Escaped: it may quote the peer, who could forge lines of the log.
            let error = self.0.to_string();
            tracing::warn!(?error, occurrences, "cannot decode payload, aborting");
        }
        abort_reasons::MALFORMED_PAYLOAD.clone().into_reply()
    }
}

impl<E: fmt::Display> fmt::Display for BadPayload<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed payload: {}", self.0)
    }
}

impl<E: Error + 'static> Error for BadPayload<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Error of a payload that is not exactly one frame of [`OneFrame`](super::OneFrame)'s codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadFrame<E> {
    /// The codec rejected the payload.
    Codec(E),
    /// The payload ends before the frame.
    Incomplete,
    /// This number of bytes follows the frame.
    Leftover(usize),
}

impl<E: fmt::Display> fmt::Display for BadFrame<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(error) => error.fmt(f),
            Self::Incomplete => f.write_str("payload ends before the frame"),
            Self::Leftover(len) => write!(f, "{len} bytes follow the frame"),
        }
    }
}

impl<E: Error + 'static> Error for BadFrame<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Codec(error) => error.source(),
            Self::Incomplete | Self::Leftover(_) => None,
        }
    }
}
