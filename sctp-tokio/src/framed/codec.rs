//! Adapter for tokio-util codecs, with one frame per message.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use futures_core::stream::{FusedStream, Stream};
use futures_sink::Sink;
use sctp_core::{RecvInfo, SendInfo};
use tokio_util::codec::{Decoder, Encoder};

use super::sink::Batch;
use crate::{
    association::{Association, recv_half::RecvHalf, send_half::SendHalf},
    error::{RecvError, SendError},
    message::Message,
};

/// Encodes and decodes messages with a codec of tokio-util, one frame per message.
///
/// SCTP preserves message boundaries, so a codec does not need a length field, but may have one.
/// The end of a message is the end of the codec's input: an incomplete frame is passed to
/// [`Decoder::decode_eof`]. The adapter implements:
///
/// * `Stream` of decoded items with their [`RecvInfo`], over an [`Association`] or a [`RecvHalf`].
/// * `Sink` of `(item, SendInfo)`, over an [`Association`] or a [`SendHalf`]. [`RecvInfo::reply`]
///   returns the [`SendInfo`] of a reply, and `SendInfo::default()` is stream 0.
///
/// The codec decodes in the receive buffer, without a copy. Data that the codec keeps occupies that
/// buffer.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use futures::{SinkExt, StreamExt};
/// use sctp_tokio::{Association, MessageFramed, SendInfo};
/// use tokio_util::codec::LinesCodec;
///
/// let association = Association::connect("127.0.0.1:9877").await?;
/// let mut lines = MessageFramed::new(association, LinesCodec::new());
/// lines.send(("hello", SendInfo::on_stream(1))).await?;
/// if let Some((line, info)) = lines.next().await.transpose()? {
///     println!("{line} on stream {}", info.stream);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MessageFramed<T, C> {
    transport: T,
    codec: C,
    encoded: BytesMut,
    batch: Batch,
    ended: bool,
}

impl<T, C> MessageFramed<T, C> {
    /// Wraps an association, or one of its halves.
    #[must_use]
    pub fn new(transport: T, codec: C) -> Self {
        Self {
            transport,
            codec,
            encoded: BytesMut::new(),
            batch: Batch::default(),
            ended: false,
        }
    }

    /// Returns the transport. Messages received from it directly bypass the codec.
    pub fn get_ref(&self) -> &T {
        &self.transport
    }

    /// Returns the transport. Messages received from it directly bypass the codec.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Returns the codec.
    pub fn codec(&self) -> &C {
        &self.codec
    }

    /// Returns the codec.
    pub fn codec_mut(&mut self) -> &mut C {
        &mut self.codec
    }

    /// Returns the transport, the codec, and the messages that were encoded and have not been sent.
    /// The adapter does not buffer received messages, so none are lost.
    #[must_use]
    pub fn into_parts(self) -> (T, C, VecDeque<Message>) {
        (self.transport, self.codec, self.batch.queue)
    }

    fn encode<I>(&mut self, item: I, info: SendInfo) -> Result<Message, EncodeError<C::Error>>
    where
        C: Encoder<I>,
    {
        if let Err(error) = self.codec.encode(item, &mut self.encoded) {
            // A partial frame must not be sent with the next one.
            self.encoded.clear();
            return Err(EncodeError::Codec(error));
        }
        let payload = self.encoded.split().freeze();
        Ok(Message::new(payload).with_info(info))
    }
}

/// Result of decoding a message.
type Decoded<C> = Result<(<C as Decoder>::Item, RecvInfo), DecodeError<<C as Decoder>::Error>>;

impl<T, C: Decoder> MessageFramed<T, C> {
    fn decode(&mut self, mut payload: BytesMut, info: RecvInfo) -> Decoded<C> {
        let len = payload.len();
        let decoded = match self.codec.decode(&mut payload) {
            Ok(None) => {
                self.codec
                    .decode_eof(&mut payload)
                    .map_err(|error| DecodeError::Incomplete {
                        len,
                        error: Some(error),
                    })
            }
            decoded => decoded.map_err(DecodeError::Codec),
        };
        match decoded {
            Ok(Some(item)) if payload.is_empty() => Ok((item, info)),
            Ok(Some(_)) => Err(DecodeError::Leftover {
                len: payload.len(),
                of: len,
            }),
            Ok(None) => {
                self.ended = true;
                Err(DecodeError::Incomplete { len, error: None })
            }
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        receiver: impl FnOnce(&mut T) -> &mut RecvHalf,
    ) -> Poll<Option<Decoded<C>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let message = ready!(receiver(&mut self.transport).poll_recv_mut(cx));
        Poll::Ready(match message {
            Ok(Some((payload, info))) => Some(self.decode(payload, info)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = matches!(error, RecvError::Closed(_));
                Some(Err(DecodeError::Recv(error)))
            }
        })
    }
}

/// Decodes each message, and ends when the stream of messages ends.
///
/// A message that is not exactly one frame is an error. After an incomplete frame or an error of
/// the codec the stream ends, because the codec's state is unknown. The association stays open: the
/// caller decides whether to abort it.
impl<C: Decoder + Unpin> Stream for MessageFramed<RecvHalf, C> {
    type Item = Result<(C::Item, RecvInfo), DecodeError<C::Error>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_frame(cx, |half| half)
    }
}

impl<C: Decoder + Unpin> FusedStream for MessageFramed<RecvHalf, C> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// The same as for [`RecvHalf`].
impl<C: Decoder + Unpin> Stream for MessageFramed<Association, C> {
    type Item = Result<(C::Item, RecvInfo), DecodeError<C::Error>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut()
            .poll_frame(cx, |association| &mut association.receiver)
    }
}

impl<C: Decoder + Unpin> FusedStream for MessageFramed<Association, C> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// Encodes each item into one message. Sends in batches, as [`MessageSink`](crate::MessageSink) does.
impl<C: Encoder<I> + Unpin, I> Sink<(I, SendInfo)> for MessageFramed<SendHalf, C> {
    type Error = EncodeError<C::Error>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        let ready = this.batch.poll_ready(cx, &mut this.transport);
        ready.map_err(EncodeError::Send)
    }

    fn start_send(self: Pin<&mut Self>, (item, info): (I, SendInfo)) -> Result<(), Self::Error> {
        let this = self.get_mut();
        let message = this.encode(item, info)?;
        let accepted = this.batch.start_send(&this.transport, message);
        accepted.map_err(EncodeError::Send)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        let flushed = this.batch.poll_flush(cx, &mut this.transport);
        flushed.map_err(EncodeError::Send)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        let closed = this.batch.poll_close(cx, &mut this.transport);
        closed.map_err(EncodeError::Send)
    }
}

/// The same as for [`SendHalf`].
impl<C: Encoder<I> + Unpin, I> Sink<(I, SendInfo)> for MessageFramed<Association, C> {
    type Error = EncodeError<C::Error>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        let ready = this.batch.poll_ready(cx, &mut this.transport.sender);
        ready.map_err(EncodeError::Send)
    }

    fn start_send(self: Pin<&mut Self>, (item, info): (I, SendInfo)) -> Result<(), Self::Error> {
        let this = self.get_mut();
        let message = this.encode(item, info)?;
        let accepted = this.batch.start_send(&this.transport.sender, message);
        accepted.map_err(EncodeError::Send)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        let flushed = this.batch.poll_flush(cx, &mut this.transport.sender);
        flushed.map_err(EncodeError::Send)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        let closed = this.batch.poll_close(cx, &mut this.transport.sender);
        closed.map_err(EncodeError::Send)
    }
}

/// Error returned when a message cannot be received or decoded.
#[derive(Debug)]
#[non_exhaustive]
pub enum DecodeError<E> {
    /// Receiving failed.
    Recv(RecvError),
    /// The codec failed.
    Codec(E),
    /// The message ended before its frame.
    Incomplete {
        /// The size of the message in bytes.
        len: usize,
        /// The codec's error at the end of the message, if any.
        error: Option<E>,
    },
    /// The message continues after its frame.
    Leftover {
        /// The number of bytes after the frame.
        len: usize,
        /// The size of the message in bytes.
        of: usize,
    },
}

impl<E: fmt::Display> fmt::Display for DecodeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recv(error) => error.fmt(f),
            Self::Codec(error) => error.fmt(f),
            Self::Incomplete { len, error } => {
                write!(f, "message of {len} bytes ends before its frame")?;
                match error {
                    Some(error) => write!(f, ": {error}"),
                    None => Ok(()),
                }
            }
            Self::Leftover { len, of } => {
                write!(f, "message of {of} bytes has {len} bytes after its frame")
            }
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for DecodeError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Recv(error) => error.source(),
            Self::Codec(error) => error.source(),
            Self::Incomplete { error, .. } => error.as_ref()?.source(),
            Self::Leftover { .. } => None,
        }
    }
}

/// Error returned when an item cannot be encoded or sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum EncodeError<E> {
    /// Sending failed.
    Send(SendError),
    /// The codec failed.
    Codec(E),
}

impl<E: fmt::Display> fmt::Display for EncodeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(error) => error.fmt(f),
            Self::Codec(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for EncodeError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Send(error) => error.source(),
            Self::Codec(error) => error.source(),
        }
    }
}
