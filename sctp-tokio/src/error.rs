//! Error types.
//!
//! `Display` includes the text of the inner error, so `source` starts after that error.

use std::{fmt, io, net::SocketAddr};

use sctp_core::{AssocId, SendInfo, Socket, StreamId, errno};

use crate::{
    association::end::End,
    error_context::{AddrList, with_context},
};

/// Error returned when an association cannot be established. See
/// [`guide::errors`](crate::guide::errors) for the cause of each.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer's kernel answered with an ABORT without a reason: no socket listens on the port, or
    /// the backlog is full.
    ///
    /// An application can reject an association only after it is established. Connecting then
    /// succeeds, and the first receive returns [`RecvError::Closed`].
    Refused {
        /// The addresses tried. Empty if they are unknown.
        peer: Vec<SocketAddr>,
    },
    /// The peer did not answer within the attempts of `SCTP_INITMSG`, which take minutes by
    /// default, or within
    /// [`SocketBuilder::with_connect_timeout`](crate::SocketBuilder::with_connect_timeout).
    TimedOut {
        /// The addresses tried. Empty if they are unknown.
        peer: Vec<SocketAddr>,
    },
    /// None of the addresses has a route.
    Unreachable {
        /// The addresses tried. Empty if they are unknown.
        peer: Vec<SocketAddr>,
        /// The kernel's error.
        error: io::Error,
    },
    /// The association was closed during setup.
    Closed {
        /// The addresses tried. Empty if they are unknown.
        peer: Vec<SocketAddr>,
        /// The end of the association.
        end: End,
    },
    /// Any other error.
    ///
    /// The kind is `Unsupported` if the kernel has no SCTP, or lacks an option
    /// ([`UnsupportedOption::of`](crate::options::UnsupportedOption::of)). It is `AddrInUse`,
    /// `AddrNotAvailable` or `PermissionDenied` if a local address cannot be bound.
    Io(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { peer } => write!(f, "association refused{}", At("by", peer)),
            Self::TimedOut { peer } => write!(f, "no answer in time{}", At("from", peer)),
            Self::Unreachable { peer, error } => {
                write!(f, "no route{}: {error}", At("to", peer))
            }
            Self::Closed { peer, end } => {
                write!(
                    f,
                    "association{} closed during setup: {end}",
                    At("with", peer)
                )
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Preposition and addresses of a peer, or nothing if they are unknown.
struct At<'a>(&'static str, &'a [SocketAddr]);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(preposition, addrs) = self;
        if addrs.is_empty() {
            return Ok(());
        }
        write!(f, " {preposition} {}", AddrList(addrs))
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
            ConnectError::Closed { .. } => io::ErrorKind::ConnectionAborted,
        };
        Self::new(kind, error)
    }
}

/// Error returned when a message cannot be sent. No part of the message was sent. See
/// [`guide::errors`](crate::guide::errors) for the cause of each.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The association is closed. [`End::Unread`] if its end is queued behind unread messages.
    Closed(End),
    /// Either end has started the shutdown. SCTP has no half close.
    ShuttingDown,
    /// The association does not exist.
    ///
    /// From an [`Endpoint`](crate::Endpoint): it is closed, was peeled off, or is not established
    /// yet. From a handle of sctp-service: the handle has no association, or the peer restarted.
    NoAssociation,
    /// The message is empty, which SCTP does not allow.
    Empty,
    /// There is no space for the message at present. The same message can be sent later. Returned
    /// only by `try_` methods, which do not wait.
    ///
    /// From an association or an [`Endpoint`](crate::Endpoint): the send buffer is full. From a handle
    /// of sctp-service: its queue is full, or the association's handshake has not ended.
    Full,
    /// The message is larger than the send buffer; see
    /// [`SocketBuilder::with_send_buffer_size`](crate::SocketBuilder::with_send_buffer_size).
    TooLarge {
        /// The size of the message in bytes.
        len: usize,
        /// The size of the send buffer in bytes, as returned by
        /// [`Control::send_buffer_size`](crate::Control::send_buffer_size).
        limit: usize,
    },
    /// The payload has more buffers than the kernel accepts (`IOV_MAX`, 1,024).
    TooManySlices {
        /// The number of buffers.
        slices: usize,
        /// The maximum number of buffers.
        limit: usize,
    },
    /// The stream was not negotiated.
    InvalidStream {
        /// The stream of the message.
        stream: StreamId,
        /// The number of outbound streams.
        negotiated: u16,
    },
    /// Any other error.
    Io(io::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(end) => write!(f, "association closed: {end}"),
            Self::ShuttingDown => f.write_str("association is shutting down"),
            Self::NoAssociation => f.write_str("no such association"),
            Self::Empty => f.write_str("message is empty"),
            Self::Full => f.write_str("no space for the message at present"),
            Self::TooLarge { len, limit } => {
                write!(
                    f,
                    "message of {len} bytes exceeds the send buffer of {limit} bytes"
                )
            }
            Self::TooManySlices { slices, limit } => {
                write!(f, "message has {slices} slices, the maximum is {limit}")
            }
            Self::InvalidStream { stream, negotiated } => {
                write!(
                    f,
                    "stream {stream} exceeds the {negotiated} outbound streams"
                )
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl SendError {
    /// Converts the error of a send. Reads the send buffer size only if the message was too long.
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
            (io::ErrorKind::WouldBlock, _) => Self::Full,
            (_, Some(errno::ESHUTDOWN)) => Self::ShuttingDown,
            (_, Some(errno::EMSGSIZE)) => too_large(error, socket, len),
            (_, Some(errno::EINVAL)) if stream.get() >= streams => Self::InvalidStream {
                stream,
                negotiated: streams,
            },
            (
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                // A pending error of a peeled-off socket, which the kernel returns to the next
                // call.
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::TimedOut,
                _,
            ) => Self::Closed(end.cloned().unwrap_or(End::Unread)),
            _ => Self::Io(error),
        }
    }
}

/// Converts the error of a message that is too long.
fn too_large(error: io::Error, socket: Option<&Socket>, len: usize) -> SendError {
    match socket.map(Socket::send_buffer_size) {
        Some(Ok(limit)) if len > limit => SendError::TooLarge { len, limit },
        Some(Ok(_)) => SendError::Io(with_context(
            error,
            format!("message of {len} bytes exceeds a packet and fragmentation is disabled"),
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
            SendError::Closed(_) | SendError::ShuttingDown => io::ErrorKind::BrokenPipe,
            SendError::Full => io::ErrorKind::WouldBlock,
            SendError::NoAssociation => io::ErrorKind::NotConnected,
            SendError::Empty
            | SendError::TooLarge { .. }
            | SendError::TooManySlices { .. }
            | SendError::InvalidStream { .. } => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// Error returned when one of several messages cannot be sent on the associations of an
/// [`Endpoint`](crate::Endpoint).
#[derive(Debug)]
#[non_exhaustive]
pub struct EndpointSendError {
    /// The association of the message.
    pub assoc: AssocId,
    /// The error.
    pub error: SendError,
}

impl EndpointSendError {
    pub(crate) fn new(assoc: AssocId, error: SendError) -> Self {
        Self { assoc, error }
    }

    /// Returns `true` if the send would have blocked.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.error, SendError::Full)
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

/// Error returned when a message cannot be received. See [`guide::errors`](crate::guide::errors)
/// for the cause of each.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// The association was aborted or lost. [`End::reason`] is the peer's reason.
    Closed(End),
    /// The peer sent a message larger than
    /// [`SocketBuilder::with_max_message_size`](crate::SocketBuilder::with_max_message_size), and
    /// was aborted, except on a one-to-one socket.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Any other error. From a `try_` method, the kind [`WouldBlock`](io::ErrorKind::WouldBlock)
    /// means that nothing has arrived.
    Io(io::Error),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(end) => end.fmt(f),
            Self::TooLarge { limit } => {
                write!(f, "message from peer exceeds the limit of {limit} bytes")
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
            RecvError::Closed(End::Lost { error }) => error,
            RecvError::Closed(_) => io::ErrorKind::ConnectionReset,
            RecvError::TooLarge { .. } => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests;
