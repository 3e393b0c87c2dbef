//! Messages to send, and received messages.

use std::io::IoSlice;

use bytes::Bytes;
use sctp_core::{Ppid, RecvInfo, Reliability, SendInfo, StreamId};

use crate::error::SendError;

/// Message to send: payload, stream, and delivery options.
///
/// ```
/// use sctp_tokio::{Message, Ppid};
///
/// let message = Message::new("hello").on_stream(3).with_ppid(Ppid::NGAP);
/// assert_eq!(message.info.stream.get(), 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message {
    /// User data. SCTP has no empty messages: the kernel refuses them (`EINVAL`).
    pub payload: Bytes,
    /// Stream, payload protocol identifier, order and reliability.
    pub info: SendInfo,
}

impl Message {
    /// Creates an ordered, reliable message for stream 0 with payload protocol identifier 0.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            info: SendInfo::default(),
        }
    }

    /// Sets the outbound stream.
    #[must_use]
    pub fn on_stream(mut self, stream: impl Into<StreamId>) -> Self {
        self.info.stream = stream.into();
        self
    }

    /// Sets the payload protocol identifier.
    #[must_use]
    pub fn with_ppid(mut self, ppid: impl Into<Ppid>) -> Self {
        self.info.ppid = ppid.into();
        self
    }

    /// Allows the message to overtake others of its stream.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        self.info.unordered = true;
        self
    }

    /// Sets the partial reliability policy (RFC 3758). Defaults to [`Reliability::Reliable`].
    ///
    /// Send partially reliable messages longer than one packet on a stream of their own, or
    /// [unordered](Self::unordered). After such a message is abandoned, Linux may not deliver later
    /// messages of the same stream, although they are reliable and acknowledged. The association
    /// can still be shut down gracefully, so nothing reports the loss.
    #[must_use]
    pub fn with_reliability(mut self, reliability: Reliability) -> Self {
        self.info.reliability = reliability;
        self
    }

    /// Replaces stream and delivery options.
    #[must_use]
    pub fn with_info(mut self, info: SendInfo) -> Self {
        self.info = info;
        self
    }
}

impl<T: Into<Bytes>> From<T> for Message {
    fn from(payload: T) -> Self {
        Self::new(payload)
    }
}

/// Received message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Received {
    /// User data: complete, and never empty.
    pub payload: Bytes,
    /// Stream, payload protocol identifier and sequence numbers of the message.
    pub info: RecvInfo,
}

impl Received {
    /// Creates a received message.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>, info: RecvInfo) -> Self {
        Self {
            payload: payload.into(),
            info,
        }
    }

    /// Returns the stream of the message.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.info.stream
    }

    /// Returns the payload protocol identifier of the message.
    #[must_use]
    pub fn ppid(&self) -> Ppid {
        self.info.ppid
    }

    /// Creates a reply on the same stream number, with the same payload protocol identifier, and
    /// ordered or unordered like this message.
    #[must_use]
    pub fn reply(&self, payload: impl Into<Bytes>) -> Message {
        Message::new(payload).with_info(self.info.reply())
    }
}

/// Returns the total size of several buffers.
pub(crate) fn payload_len(payload: &[IoSlice<'_>]) -> usize {
    payload.iter().map(|slice| slice.len()).sum()
}

/// Checks a message as far as possible without a system call.
pub(crate) fn check(info: &SendInfo, len: usize, streams: u16) -> Result<(), SendError> {
    if len == 0 {
        return Err(SendError::Empty);
    }
    if info.stream.get() >= streams {
        return Err(SendError::InvalidStream {
            stream: info.stream,
            negotiated: streams,
        });
    }
    Ok(())
}

/// Checks the number of buffers of a message.
pub(crate) fn check_slices(payload: &[IoSlice<'_>]) -> Result<(), SendError> {
    /// `IOV_MAX`, `UIO_MAXIOV` in the kernel.
    const LIMIT: usize = 1024;
    if payload.len() > LIMIT {
        return Err(SendError::TooManySlices {
            slices: payload.len(),
            limit: LIMIT,
        });
    }
    Ok(())
}
