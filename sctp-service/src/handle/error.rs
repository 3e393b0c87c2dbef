//! Errors of calls.

use std::{error::Error, fmt, io, sync::Arc};

use bytes::Bytes;
use sctp_tokio::{ConnectError, End, Message, SendError, Side};

/// Error of a call or a one-way send, with its cause and the fate of its message.
///
/// | [`Cause`] | meaning |
/// |---|---|
/// | [`Aborted`](Cause::Aborted) | the peer aborted the association; its reason is in the [`End`] |
/// | [`Closed`](Cause::Closed) | this end shut the client, pool or association down |
/// | [`Expired`](Cause::Expired) | the kernel abandoned the message, according to its `Reliability` |
/// | [`Lost`](Cause::Lost) | the peer stopped answering |
/// | [`NotConnected`](Cause::NotConnected) | no association could be set up |
/// | [`Refused`](Cause::Refused) | the message can never be sent |
/// | [`Restarted`](Cause::Restarted) | the peer restarted and has lost the call |
/// | [`ShutDown`](Cause::ShutDown) | the peer shut the association down |
/// | [`TimedOut`](Cause::TimedOut) | no reply arrived in time |
/// | [`TooLarge`](Cause::TooLarge) | the peer sent a message that is longer than this end allows |
/// | [`Unavailable`](Cause::Unavailable) | no server of a pool was ready in time |
/// | [`Uncorrelated`](Cause::Uncorrelated) | the peer sent a reply that matches no call |
/// | [`Unresponsive`](Cause::Unresponsive) | the peer has stopped replying on every stream |
///
/// The text includes the cause, with the abort reason of the peer or the error of the last
/// connection attempt. [`source`](std::error::Error::source) therefore does not repeat that error;
/// [`cause`](Self::cause) returns it. See [error texts](crate::guide::errors#error-texts).
///
/// The [`Fate`] of the message alone determines [whether it is safe to
/// retry](Self::is_safe_to_retry).
#[derive(Clone, Debug)]
pub struct CallError {
    cause: Cause,
    fate: Fate,
}

/// Fate of the message of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The peer has not received the message, and never will. It was not handed to the kernel, or
    /// the kernel reported that all or part of it was never sent (`SCTP_SEND_FAILED_EVENT`).
    NotSent,
    /// The message was sent. The peer may have received it, and may have acted on it.
    Unknown,
}

/// Cause of a [`CallError`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The peer aborted the association. [`End::reason`] is the reason of the peer.
    Aborted(End),
    /// The client, pool or association was shut down at this end, or all handles of a client were
    /// dropped.
    Closed,
    /// The kernel abandoned the message, according to its `Reliability`. The association remains
    /// established.
    Expired,
    /// The association was lost: the peer stopped responding, or the system failed.
    Lost(io::ErrorKind),
    /// There is no association, and the last attempt to set one up failed with this error.
    NotConnected(Arc<ConnectError>),
    /// The message can never be sent as it is: it is empty, too large, or for a stream that does
    /// not exist or is kept for calls.
    Refused(Arc<Refusal>),
    /// The peer restarted (`SCTP_RESTART`) and has lost the call.
    Restarted,
    /// The peer shut the association down.
    ShutDown,
    /// No reply arrived within
    /// [`ClientConfig::call_timeout`](crate::client::ClientConfig::call_timeout).
    TimedOut,
    /// The peer sent a message longer than
    /// [`SocketBuilder::with_max_message_size`](sctp_tokio::SocketBuilder::with_max_message_size)
    /// allows, which may be the reply to this call or another message. The association was aborted.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// No server of the pool was ready for a call in time. Contains the last error of one of the
    /// servers, if there is one: the error of its last connection attempt, or the end of its
    /// association. `None` if the servers are only slow, or if there are no servers.
    Unavailable(Option<Box<Self>>),
    /// The peer sent a message that matches no call on a stream for replies: it replied twice or on
    /// the wrong stream. Replies can no longer be matched with calls, so the association was
    /// aborted.
    Uncorrelated,
    /// The peer has left a call unanswered on every stream, so that no stream can be used. The
    /// association was aborted.
    Unresponsive,
}

/// Reason for refusing a message that can never be sent as it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The stream is used for calls. One-way messages must use other streams, since a reply to one
    /// would be taken for the reply to a call. See [`ByStream`](crate::ByStream).
    CallStream {
        /// The requested stream.
        stream: u16,
    },
    /// The correlator could not write an identifier into the message, or the identifier is in use
    /// by another call.
    Correlator(Box<dyn Error + Send + Sync>),
    /// The association has no correlation, which distinguishes replies from requests. See
    /// [`Serve::with_correlation`](crate::Serve::with_correlation).
    NoCorrelation,
    /// None of the streams for calls was negotiated in both directions. See
    /// [`ByStream::on`](crate::ByStream::on).
    NoCallStream,
    /// The transport refused the message.
    Send(SendError),
}

impl CallError {
    pub(crate) const fn new(cause: Cause, fate: Fate) -> Self {
        Self { cause, fate }
    }

    pub(crate) const fn not_sent(cause: Cause) -> Self {
        Self::new(cause, Fate::NotSent)
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self::not_sent(Cause::Refused(Arc::new(refusal)))
    }

    /// Returns the cause of the error.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Returns the fate of the message.
    #[must_use]
    pub fn fate(&self) -> Fate {
        self.fate
    }

    /// Returns `true` if the message can be sent again, to this server or another, without the risk
    /// that it is processed twice. A retry may still fail: a message that was
    /// [refused](Cause::Refused) is refused again.
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        self.fate == Fate::NotSent
    }

    /// Returns the bytes of the reason that the peer gave in its ABORT.
    #[must_use]
    pub fn reason(&self) -> Option<Bytes> {
        match &self.cause {
            Cause::Aborted(end) => end.reason(),
            _ => None,
        }
    }
}

impl From<&End> for Cause {
    fn from(end: &End) -> Self {
        match end {
            End::Shutdown { by: Side::Peer } => Self::ShutDown,
            End::Aborted { by: Side::Peer, .. } => Self::Aborted(end.clone()),
            End::Shutdown { .. } | End::Aborted { .. } => Self::Closed,
            End::Lost { error } => Self::Lost(*error),
            _ => Self::Lost(io::ErrorKind::NotConnected),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = match self.fate {
            Fate::NotSent => "not sent",
            Fate::Unknown => "sent, fate unknown",
        };
        write!(f, "{} ({fate})", self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(end) => end.fmt(f),
            Self::Closed => f.write_str("closed by this end"),
            Self::Expired => f.write_str("message expired"),
            Self::Lost(error) => write!(f, "association lost: {error}"),
            Self::NotConnected(error) => write!(f, "no association: {error}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Restarted => f.write_str("peer restarted"),
            Self::ShutDown => f.write_str("shut down by peer"),
            Self::TimedOut => f.write_str("no reply in time"),
            Self::TooLarge { limit } => {
                write!(f, "message from peer exceeds the limit of {limit} bytes")
            }
            Self::Unavailable(None) => f.write_str("no server ready in time"),
            Self::Unavailable(Some(last_error)) => {
                write!(f, "no server ready in time: {last_error}")
            }
            Self::Uncorrelated => f.write_str("peer sent a reply that matches no call"),
            Self::Unresponsive => f.write_str("peer no longer replies on any stream"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallStream { stream } => write!(f, "stream {stream} is used for calls"),
            Self::NoCorrelation => f.write_str("no correlation was configured"),
            Self::NoCallStream => f.write_str("no stream for calls was negotiated"),
            Self::Correlator(error) => write!(f, "no identifier for the call: {error}"),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// The text of each variant includes its inner error, so the source is that of the inner error.
impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotConnected(error) => error.source(),
            Self::Refused(refusal) => refusal.source(),
            Self::Unavailable(Some(last_error)) => last_error.source(),
            _ => None,
        }
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::CallStream { .. } | Self::NoCorrelation | Self::NoCallStream => None,
            Self::Correlator(error) => error.source(),
            Self::Send(error) => error.source(),
        }
    }
}

/// Error of queueing a message without waiting. Returns the message, of which nothing was sent.
///
/// [`SendError::Full`] is the one error after which the same message can be sent later.
#[derive(Debug)]
pub struct TrySendError {
    /// The message.
    pub message: Message,
    /// The error.
    pub error: SendError,
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for TrySendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl From<TrySendError> for SendError {
    fn from(error: TrySendError) -> Self {
        error.error
    }
}
