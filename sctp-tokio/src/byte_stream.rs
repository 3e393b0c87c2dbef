//! Bytes in both directions over one stream of an association.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use sctp_core::{AssocChangeState, Notification, Ppid, SendInfo, StreamId};
use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf},
    task::coop,
};

use crate::{association::Association, error::RecvError, event::Event, message::Received};

/// Bytes in one message, unless the send buffer is smaller.
const MAX_WRITE: usize = 64 * 1024;
/// Slices in one message.
const MAX_SLICES: usize = 64;

/// One stream of an association in both directions as [`AsyncRead`], [`AsyncBufRead`] and
/// [`AsyncWrite`], for protocols that need a byte stream: TLS (RFC 3436), HTTP, or any code that is
/// written for TCP.
///
/// # On the wire
///
/// Each write is an ordered message of up to 64 KiB, or of the size of the send buffer if that is
/// smaller. Message boundaries have no meaning: reading returns the bytes of successive messages, and
/// both ends must use the same stream. The association carries nothing else. Each end must accept
/// messages as long as the other end writes them; see
/// [`with_max_message_size`](crate::SocketBuilder::with_max_message_size). Both ends must send
/// reliably: a message that the peer abandons as a whole is not noticed.
///
/// # Reading
///
/// The end of the stream is the SHUTDOWN handshake. Reading fails with these kinds of
/// [`io::Error`]:
///
/// | kind | cause |
/// |---|---|
/// | `ConnectionReset` | The association was aborted, with the reason in the text. |
/// | `ConnectionReset` | The bytes have a gap: the peer has restarted, or abandoned a part of a message, or sent one that was too long. Reading and writing fail from then on. |
/// | `TimedOut` and others of [`End::Lost`](crate::End::Lost) | The association was lost. |
/// | `InvalidData` | A message came on another stream or unordered, and was discarded. Reading can continue. |
/// | `InvalidData` | A message exceeds the limit. The peer is aborted, except on a one-to-one socket. |
///
/// # Writing
///
/// A write completes when the kernel has accepted the bytes, and `poll_flush` has nothing to do.
/// Writing fails with `BrokenPipe` once the association is closed, or is being shut down by either
/// end.
///
/// `poll_shutdown` starts the shutdown *of the association*, after everything that was written: SCTP
/// has no half close. What the peer has written can still be read, up to the end. Dropping the
/// stream before everything that arrived is read aborts the association.
///
/// # Cancel safety
///
/// Reading and writing are cancel safe, as for tokio's `TcpStream`.
///
/// # Example
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_tokio::{Association, ByteStream};
/// use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
///
/// let association = Association::connect("127.0.0.1:9877").await?;
/// let mut stream = ByteStream::new(association, 0)?;
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
    /// The reason why bytes are missing behind `unread`.
    gap: Option<&'static str>,
}

impl ByteStream {
    /// Creates a byte stream on this stream of an association.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the association does not have the stream in both directions. The
    /// association is then dropped.
    pub fn new(association: Association, stream: impl Into<StreamId>) -> io::Result<Self> {
        let stream = stream.into();
        let streams = association
            .inbound_streams()
            .min(association.outbound_streams());
        if stream.get() >= streams {
            let text = format!("no stream {stream} in both directions: {streams} negotiated");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let send_buffer = association.control().send_buffer_size();
        Ok(Self {
            association,
            info: SendInfo::on_stream(stream),
            // An association that was closed before it had a socket can still be read.
            max_write: send_buffer.map_or(MAX_WRITE, |size| size.min(MAX_WRITE)),
            unread: Bytes::new(),
            gap: None,
        })
    }

    /// Sets the payload protocol identifier of the messages; 0 by default. That of received messages
    /// is ignored.
    #[must_use]
    pub fn with_ppid(mut self, ppid: impl Into<Ppid>) -> Self {
        self.info = self.info.with_ppid(ppid);
        self
    }

    /// Returns the association.
    pub fn get_ref(&self) -> &Association {
        &self.association
    }

    /// Returns the association, and the bytes of the last message that have not been read.
    #[must_use]
    pub fn into_parts(mut self) -> (Association, Bytes) {
        self.association.receiver.half_read = false;
        (self.association, self.unread)
    }

    /// Fails if bytes are missing.
    fn check(&self) -> io::Result<()> {
        match self.gap {
            Some(gap) => Err(io::Error::new(io::ErrorKind::ConnectionReset, gap)),
            None => Ok(()),
        }
    }

    /// Takes bytes of the last message.
    fn take(&mut self, len: usize) -> Bytes {
        // Splitting off the last bytes releases the receive buffer.
        let taken = self.unread.split_to(len.min(self.unread.len()));
        self.association.receiver.half_read = !self.unread.is_empty();
        taken
    }

    /// Waits until there are unread bytes, or none can follow.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            // Receiving consumes tokio's cooperative budget by itself.
            ready!(coop::poll_proceed(cx)).made_progress();
            return Poll::Ready(Ok(()));
        }
        loop {
            self.check()?;
            match ready!(self.association.poll_next_event(cx)) {
                Ok(Event::Message(message)) => {
                    if message.info.stream != self.info.stream || message.info.unordered {
                        return Poll::Ready(Err(self.misplaced(&message)));
                    }
                    self.unread = message.payload;
                    self.association.receiver.half_read = true;
                    return Poll::Ready(Ok(()));
                }
                Ok(Event::Notification(notification)) => self.gap = gap(&notification),
                Ok(Event::Closed(end)) if end.is_orderly() => return Poll::Ready(Ok(())),
                Ok(Event::Closed(end)) => return Poll::Ready(Err(RecvError::Closed(end).into())),
                Err(error) => {
                    if let RecvError::TooLarge { .. } = error {
                        self.gap = Some("message from peer exceeded the limit");
                    }
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
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
        self.check()?;
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        ready!(self.association.poll_send_vectored(cx, &self.info, payload))?;
        Poll::Ready(Ok(len))
    }
}

/// Returns the reason why bytes are missing, if the notification reports that.
fn gap(notification: &Notification) -> Option<&'static str> {
    match notification {
        Notification::AssocChange(change) if change.state == AssocChangeState::Restart => {
            Some("peer restarted")
        }
        Notification::PartialDelivery(_) => Some("peer abandoned a part of a message"),
        _ => None,
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
        buffer.put_slice(&stream.take(buffer.remaining()));
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
        drop(self.get_mut().take(len));
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
        let slices = slices.iter().filter(|slice| !slice.is_empty());
        for (part, slice) in payload.iter_mut().zip(slices) {
            let taken = slice.len().min(stream.max_write - len);
            if taken == 0 {
                break;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abandoned_part_is_a_gap() {
        let mut bytes = Vec::new();
        bytes.extend(0x8006u16.to_ne_bytes());
        bytes.extend(0u16.to_ne_bytes());
        bytes.extend(24u32.to_ne_bytes());
        bytes.extend([0; 16]);
        let abandoned = Notification::decode(bytes.into()).unwrap();
        assert!(matches!(abandoned, Notification::PartialDelivery(_)));
        assert_eq!(gap(&abandoned), Some("peer abandoned a part of a message"));
    }
}
