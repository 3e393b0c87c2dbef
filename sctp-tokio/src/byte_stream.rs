//! Bytes in both directions over one stream of an association.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use sctp_core::{AssocChangeState, Notification, Ppid, SendInfo, StreamId};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::{association::Association, error::RecvError, event::Event, message::Received};

/// Bytes in one message, unless the send buffer is smaller.
const MAX_WRITE: usize = 64 * 1024;
/// Slices in one message.
const MAX_SLICES: usize = 64;

/// One stream of an association in both directions as [`AsyncRead`] and [`AsyncWrite`], for
/// protocols that need a byte stream: TLS (RFC 3436), HTTP, or any code that is written for TCP.
///
/// # On the wire
///
/// Each write is an ordered message of up to 64 KiB, or of the size of the send buffer if that is
/// smaller. Message boundaries have no meaning: reading returns the bytes of successive messages, and
/// both ends must use the same stream. The association carries nothing else.
///
/// # Reading
///
/// The end of the stream is the SHUTDOWN handshake. Reading fails with these kinds of
/// [`io::Error`]:
///
/// | kind | cause |
/// |---|---|
/// | `ConnectionReset` | the association was aborted, with the reason in the text; or the peer has restarted, and bytes may be missing |
/// | `TimedOut` and others of [`End::Lost`](crate::End::Lost) | the association was lost |
/// | `InvalidData` | a message came on another stream or unordered, and was discarded; or it exceeds [`with_max_message_size`](crate::SocketBuilder::with_max_message_size) |
///
/// # Writing
///
/// A write completes when the kernel has accepted the bytes, and `poll_flush` has nothing to do.
/// Writing fails with `BrokenPipe` once the association is being shut down, by either end.
///
/// `poll_shutdown` starts the shutdown *of the association*, after everything that was written: SCTP
/// has no half close. What the peer has written can still be read, up to the end. Dropping the
/// stream with unread messages aborts the association.
///
/// # Cancel safety
///
/// Reading and writing are cancel safe, as for tokio's `TcpStream`.
///
/// # Example
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_tokio::{Association, ByteStream, StreamId};
/// use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
///
/// let association = Association::connect("127.0.0.1:9877").await?;
/// let mut stream = ByteStream::new(association, StreamId::new(0))?;
/// stream.write_all(b"a line\n").await?;
/// let mut line = String::new();
/// stream.read_line(&mut line).await?;
/// # Ok(())
/// # }
/// ```
pub struct ByteStream {
    association: Association,
    info: SendInfo,
    max_write: usize,
    /// The rest of the last message.
    unread: Bytes,
}

impl ByteStream {
    /// Creates a byte stream on this stream of an association.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the association does not have the stream in both directions, and
    /// `NotConnected` if it is already closed.
    pub fn new(association: Association, stream: StreamId) -> io::Result<Self> {
        let streams = association
            .inbound_streams()
            .min(association.outbound_streams());
        if stream.get() >= streams {
            let text = format!("no stream {stream} in both directions: {streams} negotiated");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let max_write = association.control().send_buffer_size()?.min(MAX_WRITE);
        Ok(Self {
            association,
            info: SendInfo::on_stream(stream),
            max_write,
            unread: Bytes::new(),
        })
    }

    /// Sets the payload protocol identifier of the messages; 0 by default. That of received messages
    /// is ignored.
    #[must_use]
    pub fn with_ppid(mut self, ppid: Ppid) -> Self {
        self.info = self.info.with_ppid(ppid);
        self
    }

    /// Returns the association.
    pub fn get_ref(&self) -> &Association {
        &self.association
    }

    /// Returns the association, and the bytes of the last message that have not been read.
    #[must_use]
    pub fn into_parts(self) -> (Association, Bytes) {
        (self.association, self.unread)
    }

    /// Waits until there are unread bytes, or none can follow.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.association.poll_next_event(cx))? {
                Event::Message(message) => {
                    if message.info.stream != self.info.stream || message.info.unordered {
                        return Poll::Ready(Err(self.misplaced(&message)));
                    }
                    self.unread = message.payload;
                }
                Event::Notification(Notification::AssocChange(change))
                    if change.state == AssocChangeState::Restart =>
                {
                    let kind = io::ErrorKind::ConnectionReset;
                    return Poll::Ready(Err(io::Error::new(kind, "peer restarted")));
                }
                Event::Notification(_) => {}
                Event::Closed(end) if end.is_orderly() => break,
                Event::Closed(end) => return Poll::Ready(Err(RecvError::Closed(end).into())),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Error of a message that is no part of the stream.
    fn misplaced(&self, message: &Received) -> io::Error {
        let order = if message.info.unordered {
            "unordered "
        } else {
            ""
        };
        let text = format!(
            "{order}message on stream {}: the bytes are on stream {}, ordered",
            message.info.stream, self.info.stream
        );
        io::Error::new(io::ErrorKind::InvalidData, text)
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        payload: &[IoSlice<'_>],
        len: usize,
    ) -> Poll<io::Result<usize>> {
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        ready!(self.association.poll_send_vectored(cx, &self.info, payload))?;
        Poll::Ready(Ok(len))
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(stream.poll_unread(cx))?;
        let len = stream.unread.len().min(buffer.remaining());
        buffer.put_slice(&stream.unread.split_to(len));
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for ByteStream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let stream = self.get_mut();
        ready!(stream.poll_unread(cx))?;
        Poll::Ready(Ok(&stream.unread))
    }

    fn consume(self: Pin<&mut Self>, len: usize) {
        let unread = &mut self.get_mut().unread;
        unread.advance(len.min(unread.len()));
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        let len = bytes.len().min(stream.max_write);
        stream.poll_send(cx, &[IoSlice::new(&bytes[..len])], len)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        let mut payload = [IoSlice::new(&[]); MAX_SLICES];
        let (mut len, mut used) = (0, 0);
        for (part, slice) in payload.iter_mut().zip(slices) {
            let taken = slice.len().min(stream.max_write - len);
            *part = IoSlice::new(&slice[..taken]);
            len += taken;
            used += 1;
        }
        stream.poll_send(cx, &payload[..used], len)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().association.start_shutdown())
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream")
            .field("association", &self.association)
            .field("stream", &self.info.stream)
            .field("unread", &self.unread.len())
            .finish_non_exhaustive()
    }
}
