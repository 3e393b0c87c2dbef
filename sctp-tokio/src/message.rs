//! Whole messages: what goes out, and what came in.

use std::io::IoSlice;

use bytes::Bytes;
use sctp_core::{Ppid, RecvInfo, Reliability, SendInfo, StreamId};

use crate::error::SendError;

/// A message to send: its payload, and where and how it goes.
///
/// ```
/// use sctp_tokio::{Message, Ppid};
///
/// let message = Message::new("hello").on_stream(3).with_ppid(Ppid::NGAP);
/// assert_eq!(message.info.stream.get(), 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message {
    /// The user data. SCTP cannot send an empty message: the kernel refuses it (`EINVAL`).
    pub payload: Bytes,
    /// The stream, the payload protocol identifier, ordering and reliability.
    pub info: SendInfo,
}

impl Message {
    /// Makes an ordered, reliable message for stream 0, without a payload protocol identifier.
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

    /// Lets the message overtake others of its stream.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        self.info.unordered = true;
        self
    }

    /// Sets how long the kernel tries to deliver the message. Defaults to
    /// [`Reliability::Reliable`].
    ///
    /// Send other messages longer than one packet on a stream of their own, or
    /// [unordered](Self::unordered). Once one is abandoned, Linux may not deliver the messages behind
    /// it on the same stream, although they are reliable and acknowledged. An orderly
    /// end of the association does not show the loss.
    #[must_use]
    pub fn with_reliability(mut self, reliability: Reliability) -> Self {
        self.info.reliability = reliability;
        self
    }

    /// Replaces all that travels beside the payload.
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

/// A whole message that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Received {
    /// The user data, complete; never empty.
    pub payload: Bytes,
    /// Where it came from, in every sense.
    pub info: RecvInfo,
}

impl Received {
    /// Puts a payload together with what the transport said about it.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>, info: RecvInfo) -> Self {
        Self {
            payload: payload.into(),
            info,
        }
    }

    /// Returns the stream that it came on.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.info.stream
    }

    /// Returns its payload protocol identifier.
    #[must_use]
    pub fn ppid(&self) -> Ppid {
        self.info.ppid
    }

    /// Makes the answer to this message: same stream, same payload protocol identifier, ordered
    /// or not as it was.
    #[must_use]
    pub fn reply(&self, payload: impl Into<Bytes>) -> Message {
        Message::new(payload).with_info(self.info.reply())
    }
}

/// How long a message is.
pub(crate) fn payload_len(payload: &[IoSlice<'_>]) -> usize {
    payload.iter().map(|slice| slice.len()).sum()
}

/// Why a message cannot be sent, as far as it can be told without the kernel.
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

/// Why a message cannot be sent from so many places.
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
