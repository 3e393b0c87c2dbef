//! What can go wrong, one enum per operation.
//!
//! One rule holds for all of them, and `docs/errors.md` states it: `Display` says the whole reason,
//! the error inside included, so `source` goes on *behind* that one.

use std::{fmt, io, net::SocketAddr};

use sctp_core::{AssocId, SendInfo, Socket, StreamId, errno};

use crate::{
    association::end::End,
    error_context::{AddrList, with_context},
};

/// Why an association could not be set up. [`errors`](crate::errors) says when which comes, and what
/// texts and sources are.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer's kernel answered with an ABORT: nobody listens there, or as many wait to be
    /// accepted as may. It gives no reason. A program that turns an association away with one does
    /// so after it has come up: then connecting succeeds, and the first receive is
    /// [`RecvError::Ended`].
    Refused {
        /// The addresses that were tried; none where whoever made the error did not know them.
        peer: Vec<SocketAddr>,
    },
    /// No answer came within the attempts that `SCTP_INITMSG` allows, which take minutes by
    /// default, or within the caller's own limit:
    /// [`SocketBuilder::with_connect_timeout`](crate::SocketBuilder::with_connect_timeout).
    TimedOut {
        /// As of [`Refused`](Self::Refused).
        peer: Vec<SocketAddr>,
    },
    /// There is no route to any of the addresses.
    Unreachable {
        /// As of [`Refused`](Self::Refused).
        peer: Vec<SocketAddr>,
        /// What the kernel said.
        error: io::Error,
    },
    /// The association came up and ended before it could be handed over.
    Ended {
        /// As of [`Refused`](Self::Refused).
        peer: Vec<SocketAddr>,
        /// How.
        end: End,
    },
    /// The call itself failed. Of kind `Unsupported`: this kernel has no SCTP, and the text says
    /// what to do, or it lacks an option, which
    /// [`UnsupportedOption::of`](crate::options::UnsupportedOption::of) finds. Of kind `AddrInUse`,
    /// `AddrNotAvailable` or `PermissionDenied`: a local address cannot be bound, and the text names
    /// it. Else: a name that resolves to nothing, no descriptors left, and what else the system says.
    Io(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { peer } => write!(f, "the peer{} refused the association", At(peer)),
            Self::TimedOut { peer } => write!(f, "the peer{} did not answer in time", At(peer)),
            Self::Unreachable { peer, error } => {
                write!(f, "the peer{} is unreachable: {error}", At(peer))
            }
            Self::Ended { peer, end } => {
                write!(
                    f,
                    "the association with the peer{} ended as it came up: {end}",
                    At(peer)
                )
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// The addresses of a peer, if they are known.
struct At<'a>(&'a [SocketAddr]);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " at {}", AddrList(self.0))
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { error, .. } | Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        let peer = Vec::new();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { peer },
            io::ErrorKind::TimedOut => Self::TimedOut { peer },
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                Self::Unreachable { peer, error }
            }
            _ => Self::Io(error),
        }
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        let kind = match error {
            ConnectError::Io(error) => return error,
            ConnectError::Unreachable { ref error, .. } => error.kind(),
            ConnectError::Refused { .. } => io::ErrorKind::ConnectionRefused,
            ConnectError::TimedOut { .. } => io::ErrorKind::TimedOut,
            ConnectError::Ended { .. } => io::ErrorKind::ConnectionAborted,
        };
        Self::new(kind, error)
    }
}

/// Why a message was not sent. Nothing of it went out. [`errors`](crate::errors) says when which
/// comes, and what texts and sources are.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The association has ended. [`End::Unread`] while how it did is queued behind messages that
    /// nobody has received.
    Ended(End),
    /// The association is shutting down, from this end or the peer's; SCTP has no half close.
    ShuttingDown,
    /// There is no such association. From an [`Endpoint`](crate::Endpoint): on its socket. It is over, and
    /// [`Event::Ended`](crate::Event::Ended) tells how or has told it; or it has been peeled off, or is
    /// not up yet, or never was. From a handle of sctp-service: it is of none, or the peer restarted.
    NoAssociation,
    /// SCTP cannot send an empty message.
    Empty,
    /// The message is larger than the socket's send buffer, and could never be sent: see
    /// [`SocketBuilder::with_send_buffer_size`](crate::SocketBuilder::with_send_buffer_size).
    TooLarge {
        /// Its length in bytes.
        len: usize,
        /// The longest message that can be sent, in bytes: the size of the send buffer, as
        /// [`SendHalf::send_buffer_size`](crate::SendHalf::send_buffer_size) says it.
        limit: usize,
    },
    /// The message lies in more places than the kernel takes (`IOV_MAX`).
    TooManySlices {
        /// How many they are.
        slices: usize,
        /// How many may be.
        limit: usize,
    },
    /// There is no such outbound stream.
    InvalidStream {
        /// The stream that was asked for.
        stream: StreamId,
        /// How many outbound streams there are.
        negotiated: u16,
    },
    /// Anything else that the kernel said. Of kind [`WouldBlock`](io::ErrorKind::WouldBlock), from
    /// the `try_` functions only: the send buffer is full.
    Io(io::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(end) => write!(f, "the association has ended: {end}"),
            Self::ShuttingDown => f.write_str("the association is shutting down"),
            Self::NoAssociation => f.write_str("there is no such association"),
            Self::Empty => f.write_str("SCTP cannot send an empty message"),
            Self::TooLarge { len, limit } => {
                write!(
                    f,
                    "a message of {len} bytes is larger than the send buffer, {limit} bytes: \
                     SocketBuilder::with_send_buffer_size asks for more, up to twice net.core.wmem_max"
                )
            }
            Self::TooManySlices { slices, limit } => {
                write!(
                    f,
                    "a message in {slices} slices, where {limit} may be: join some of them"
                )
            }
            Self::InvalidStream { stream, negotiated } => {
                write!(
                    f,
                    "stream {stream} does not exist, {negotiated} outbound streams were negotiated"
                )
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl SendError {
    /// Says what a failed send means; asks the socket only where the kernel refused for the length.
    pub(crate) fn from_kernel(
        error: io::Error,
        socket: Option<&Socket>,
        info: &SendInfo,
        len: usize,
        streams: u16,
        end: Option<&End>,
    ) -> Self {
        let stream = info.stream;
        match (error.kind(), error.raw_os_error()) {
            (_, Some(errno::ESHUTDOWN)) => Self::ShuttingDown,
            (_, Some(errno::EMSGSIZE)) => too_large(error, socket, len),
            (_, Some(errno::EINVAL)) if stream.get() >= streams => Self::InvalidStream {
                stream,
                negotiated: streams,
            },
            (
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                // A peeled-off socket tells how it ended, once, to whoever asks first.
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::TimedOut,
                _,
            ) => Self::Ended(end.cloned().unwrap_or(End::Unread)),
            _ => Self::Io(error),
        }
    }

    /// Whether it says only that there is no room now: from what does not wait for it, such as the `try_`
    /// functions. The same message can be sent later.
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Says why a message is too long.
fn too_large(error: io::Error, socket: Option<&Socket>, len: usize) -> SendError {
    match socket.map(Socket::send_buffer_size) {
        Some(Ok(limit)) if len > limit => SendError::TooLarge { len, limit },
        Some(Ok(_)) => SendError::Io(with_context(
            error,
            format!(
                "a message of {len} bytes does not fit a packet, and this socket does not fragment"
            ),
        )),
        _ => SendError::Io(error),
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        let kind = match error {
            SendError::Io(error) => return error,
            SendError::Ended(_) | SendError::ShuttingDown => io::ErrorKind::BrokenPipe,
            SendError::NoAssociation => io::ErrorKind::NotConnected,
            SendError::Empty
            | SendError::TooLarge { .. }
            | SendError::TooManySlices { .. }
            | SendError::InvalidStream { .. } => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// Why one of several messages for the associations of an [`Endpoint`](crate::Endpoint) was not
/// sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct EndpointSendError {
    /// The association that it was for.
    pub assoc: AssocId,
    /// Why.
    pub error: SendError,
}

impl EndpointSendError {
    pub(crate) fn new(assoc: AssocId, error: SendError) -> Self {
        Self { assoc, error }
    }

    /// Whether it is that there is no room now.
    pub(crate) fn is_full(&self) -> bool {
        matches!(&self.error, SendError::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl fmt::Display for EndpointSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "association {}: {}", self.assoc, self.error)
    }
}

impl std::error::Error for EndpointSendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl From<EndpointSendError> for io::Error {
    fn from(error: EndpointSendError) -> Self {
        error.error.into()
    }
}

/// Why no further message can be received. [`errors`](crate::errors) says when which comes, and what
/// texts and sources are.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// The association was aborted, and [`End::reason`] is what the peer said, or it was lost: the
    /// peer does not answer any more. An orderly end is not an error.
    Ended(End),
    /// The peer sent a message larger than the limit of
    /// [`SocketBuilder::with_max_message_size`](crate::SocketBuilder::with_max_message_size), and was
    /// aborted for it; but not on a one-to-one socket, which cannot abort with a reason.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Anything else that the kernel said. Of kind [`WouldBlock`](io::ErrorKind::WouldBlock), from
    /// the `try_` functions only: there is nothing to receive.
    Io(io::Error),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(end) => end.fmt(f),
            Self::TooLarge { limit } => {
                write!(
                    f,
                    "the peer sent a message of more than {limit} bytes, the limit"
                )
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RecvError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> Self {
        let kind = match error {
            RecvError::Io(error) => return error,
            RecvError::Ended(End::Lost { error }) => error,
            RecvError::Ended(_) => io::ErrorKind::ConnectionReset,
            RecvError::TooLarge { .. } => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests;
