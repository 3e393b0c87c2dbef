use std::{error::Error, fmt};

use crate::{IntoReply, Reply, abort_reasons, log_limit::LogLimiter};

/// A payload is not what the handler takes, and why: the codec's own error.
///
/// As a reply it is logged, and aborts the association with the reason `malformed payload`: a
/// peer that speaks another protocol will go on doing so. What was wrong stays here, unless a
/// handler takes a `Result` and tells. The text says what was wrong, too, and may quote the peer:
/// escape it in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPayload<E>(pub E);

impl<E: fmt::Display> IntoReply for BadPayload<E> {
    fn into_reply(self) -> Reply {
        static REFUSALS: LogLimiter = LogLimiter::new();
        if let Some(occurrences) = REFUSALS.record() {
            // Escaped: it may quote the peer, who could forge lines of the log.
            let error = self.0.to_string();
            tracing::warn!(?error, occurrences, "a payload cannot be decoded, aborting");
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

/// A payload is not exactly one frame of [`OneFrame`](super::OneFrame)'s codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadFrame<E> {
    /// The codec refused it.
    Codec(E),
    /// It ends before the frame does.
    Incomplete,
    /// So many bytes follow the frame.
    Leftover(usize),
}

impl<E: fmt::Display> fmt::Display for BadFrame<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(error) => error.fmt(f),
            Self::Incomplete => f.write_str("it ends before the frame does"),
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
