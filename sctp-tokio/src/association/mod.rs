//! One association with a peer.

pub(crate) mod control;
pub(crate) mod end;
mod eof;
pub(crate) mod recv_half;
pub(crate) mod reunite;
pub(crate) mod send_half;
pub(crate) mod shared;

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::stream::{FusedStream, Stream};
use sctp_core::{AbortReason, AssocId, SendInfo, Socket};
use tokio::{net::ToSocketAddrs, time::timeout};

use control::Control;
use end::End;
use recv_half::RecvHalf;
use send_half::SendHalf;
use shared::{AssociationShared, Style};

use crate::{
    error::{ConnectError, RecvError, SendError},
    event::Event,
    io::{reassembly::Reassembler, recv_batch::abort_on_close},
    message::{Message, Received},
    socket::{connect_any::connect_any, setup::SocketConfig},
};

/// Association with one peer, on its own socket.
///
/// Created by [`connect`](Self::connect) and [`SctpListener::accept`](crate::SctpListener::accept).
/// A slow peer does not delay other associations.
///
/// # Closing
///
/// * [`shutdown`](Self::shutdown) delivers everything that was sent, then runs the SHUTDOWN handshake.
/// * [`abort`](Self::abort) closes the association immediately, with a reason that the peer
///   receives.
/// * Dropping the association closes its socket, unless a [`sender`](Self::sender) handle exists.
///   The kernel then completes the SHUTDOWN handshake in the background, or sends an ABORT without a
///   reason if messages are unread.
///
/// # Cancel safety
///
/// A method is *cancel safe* if dropping its future before completion has no effect, neither on the
/// association nor on the wire. Every async method documents its cancel safety.
///
/// # Example
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_tokio::{Association, Message};
///
/// let mut association = Association::connect("127.0.0.1:9877").await?;
/// association.send(Message::new("hello").on_stream(1)).await?;
/// if let Some(reply) = association.recv().await? {
///     println!("{:?} on stream {}", reply.payload, reply.info.stream);
/// }
/// let end = association.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub struct Association {
    pub(crate) receiver: RecvHalf,
    pub(crate) sender: SendHalf,
}

impl Association {
    pub(crate) fn from_receiver(receiver: RecvHalf) -> Self {
        let sender = SendHalf::new(Arc::clone(&receiver.shared));
        Self { receiver, sender }
    }

    /// Connects to a peer.
    ///
    /// If a name resolves to several addresses, the first that answers is used; see
    /// [`SocketBuilder::connect_any`](crate::SocketBuilder::connect_any). Use
    /// [`SocketBuilder::connect`](crate::SocketBuilder::connect) for one peer with several addresses.
    ///
    /// # Errors
    ///
    /// Returns the error of the attempt that failed last; see [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the attempts. A peer that has already answered receives an
    /// ABORT.
    pub async fn connect(addrs: impl ToSocketAddrs + fmt::Debug) -> Result<Self, ConnectError> {
        let receiver = connect_any(&SocketConfig::default(), addrs).await?;
        Ok(Self::from_receiver(receiver))
    }

    /// Shuts the association down and returns its end.
    ///
    /// Everything that was sent is delivered and acknowledged before the SHUTDOWN handshake.
    /// Messages that arrive meanwhile are discarded. To receive them, use
    /// [`start_shutdown`](Self::start_shutdown) and receive until [`Event::Closed`].
    ///
    /// A peer that does not read can delay the shutdown without limit; see
    /// [`shutdown_within`](Self::shutdown_within).
    ///
    /// # Errors
    ///
    /// Returns errors of the system calls. An abort or a loss is not an error: it is the end returned.
    ///
    /// # Cancel safety
    ///
    /// The shutdown starts when the future is first polled, and dropping the future does not stop
    /// it. The method can be called again.
    pub async fn shutdown(&mut self) -> io::Result<End> {
        self.start_shutdown()?;
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// Shuts the association down, and aborts it with `reason` if it is not closed within `limit`.
    ///
    /// # Errors
    ///
    /// The same as for [`shutdown`](Self::shutdown) and [`abort`](Self::abort).
    ///
    /// # Cancel safety
    ///
    /// The shutdown starts when the future is first polled. Dropping the future does not stop the
    /// shutdown, and no abort follows.
    pub async fn shutdown_within(
        &mut self,
        limit: Duration,
        reason: &AbortReason,
    ) -> io::Result<End> {
        if let Ok(result) = timeout(limit, self.shutdown()).await {
            return result;
        }
        self.abort(reason)?;
        self.discard_until_closed().await
    }

    /// Waits until the association is closed and returns its end. Messages that arrive are discarded.
    ///
    /// Unlike [`closed`](Self::closed), this method receives, so the end is never [`End::Unread`].
    ///
    /// # Errors
    ///
    /// Returns errors of the system calls.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, except that discarded messages are lost.
    pub async fn discard_until_closed(&mut self) -> io::Result<End> {
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// Polls [`shutdown`](Self::shutdown). Only the waker of the most recent call is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`shutdown`](Self::shutdown).
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        // Repeating the request is harmless, so no flag records an earlier one.
        self.start_shutdown()?;
        self.poll_end(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        loop {
            match ready!(self.poll_next_event(cx)) {
                Ok(Event::Closed(end)) => return Poll::Ready(Ok(end)),
                Ok(_) | Err(RecvError::TooLarge { .. }) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Starts the shutdown; see [`SendHalf::start_shutdown`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::start_shutdown`].
    pub fn start_shutdown(&self) -> io::Result<()> {
        self.sender.start_shutdown()
    }

    /// Aborts the association with a reason; see [`SendHalf::abort`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::abort`].
    pub fn abort(&self, reason: &AbortReason) -> io::Result<()> {
        self.sender.abort(reason)
    }

    /// Waits until the association is closed and returns its end; see [`SendHalf::closed`].
    ///
    /// To receive at the same time, use [`sender`](Self::sender).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn closed(&self) -> End {
        self.sender.closed().await
    }

    /// Returns the end of the association, or `None` while it is not closed.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.sender.end()
    }

    /// Returns another handle for sending.
    ///
    /// The socket stays open while such a handle exists, even if the association is closed.
    #[must_use]
    pub fn sender(&self) -> SendHalf {
        self.sender.clone()
    }

    /// Returns a handle for options, addresses and statistics, which does not keep the socket open.
    #[must_use]
    pub fn control(&self) -> Control {
        self.sender.control()
    }

    /// Splits the association into a sending and a receiving half, for use in two tasks.
    /// [`reunite`](SendHalf::reunite) joins them.
    #[must_use]
    pub fn split(self) -> (SendHalf, RecvHalf) {
        (self.sender, self.receiver)
    }

    /// Returns the association's identifier on its socket.
    #[must_use]
    pub fn id(&self) -> AssocId {
        self.shared().id
    }

    /// Returns the peer's addresses at the time the association was established, in the kernel's order.
    ///
    /// Also available after the association is closed. [`Control::peer_addrs`] returns the
    /// current list.
    #[must_use]
    pub fn initial_peer_addrs(&self) -> &[SocketAddr] {
        &self.shared().peer_addrs
    }

    /// Returns the local addresses at the time the association was established.
    ///
    /// Also available after the association is closed. [`Control::local_addrs`] returns
    /// the current list.
    #[must_use]
    pub fn initial_local_addrs(&self) -> &[SocketAddr] {
        &self.shared().local_addrs
    }

    /// Returns the number of outbound streams.
    #[must_use]
    pub fn outbound_streams(&self) -> u16 {
        self.shared().outbound_streams()
    }

    /// Returns the number of inbound streams.
    #[must_use]
    pub fn inbound_streams(&self) -> u16 {
        self.shared().inbound_streams()
    }

    /// Returns the socket, for options and statistics, or `None` if the association was closed
    /// before it had a socket of its own.
    ///
    /// Messages received directly from the socket are not seen by the association.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        self.shared().socket()
    }

    /// Converts the association into its socket, from which `OwnedFd::from` takes the file
    /// descriptor.
    ///
    /// The association and everything queued in the kernel stay on the socket.
    ///
    /// # Errors
    ///
    /// Returns the association if another handle ([`SendHalf`]) exists, if another thread is in a call
    /// of a [`Control`], if received data has not
    /// been returned yet, or if the association was closed before it had a socket. To receive such
    /// data first, call [`try_next_event`](Self::try_next_event) until it returns `WouldBlock`.
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        let Self { receiver, sender } = self;
        let idle = receiver.is_idle() && receiver.shared.io().is_some();
        if !idle {
            return Err(Box::new(Self { receiver, sender }));
        }
        drop(sender);
        // Nothing is unread, so the receiving half has no other state.
        let (shared, limit) = (Arc::clone(&receiver.shared), receiver.max_message_size());
        drop(receiver);
        // No handle other than the two halves existed, but a `Control` may be in a call.
        let left = match Arc::try_unwrap(shared).map(AssociationShared::into_socket) {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(shared)) => Arc::from(shared),
            Err(shared) => shared,
        };
        Err(Box::new(Self::from_receiver(RecvHalf::new(
            left,
            Reassembler::new(limit),
            VecDeque::new(),
        ))))
    }

    /// Aborts the association without a reason, on any kind of socket.
    ///
    /// A one-to-one socket sends the ABORT when its last handle is dropped (`SO_LINGER` with a
    /// timeout of 0), which is immediately unless a [`SendHalf`] exists. Other sockets send it
    /// immediately, like [`abort`](Self::abort). Unsent messages are discarded.
    ///
    /// # Errors
    ///
    /// Returns errors of the system calls. A closed association is not an error.
    pub fn abort_without_reason(self) -> io::Result<()> {
        match (self.shared().style, self.socket()) {
            (_, None) => Ok(()),
            (Style::OneToMany, _) => self.abort(&AbortReason::default()),
            (Style::OneToOne, Some(socket)) => abort_on_close(socket),
        }
    }

    fn shared(&self) -> &AssociationShared {
        &self.receiver.shared
    }
}

/// Receiving.
impl Association {
    /// Receives the next message; see [`RecvHalf::recv`].
    ///
    /// # Errors
    ///
    /// The same as for [`RecvHalf::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv(&mut self) -> Result<Option<Received>, RecvError> {
        self.receiver.recv().await
    }

    /// Receives the next event; see [`RecvHalf::next_event`].
    ///
    /// # Errors
    ///
    /// The same as for [`RecvHalf::next_event`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn next_event(&mut self) -> Result<Event, RecvError> {
        self.receiver.next_event().await
    }

    /// Receives a message that has already arrived; see [`RecvHalf::try_recv`].
    ///
    /// # Errors
    ///
    /// The same as for [`RecvHalf::try_recv`].
    pub fn try_recv(&mut self) -> Result<Option<Received>, RecvError> {
        self.receiver.try_recv()
    }

    /// Receives an event that has already arrived; see [`RecvHalf::try_next_event`].
    ///
    /// # Errors
    ///
    /// The same as for [`RecvHalf::try_next_event`].
    pub fn try_next_event(&mut self) -> Result<Event, RecvError> {
        self.receiver.try_next_event()
    }

    /// Polls for the next message; see [`RecvHalf::poll_recv`].
    ///
    /// # Errors
    ///
    /// The same as for [`RecvHalf::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Received>, RecvError>> {
        self.receiver.poll_recv(cx)
    }

    /// Polls for the next event; see [`RecvHalf::poll_next_event`].
    ///
    /// # Errors
    ///
    /// The same as for [`RecvHalf::next_event`].
    pub fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.receiver.poll_next_event(cx)
    }

    /// Polls for the end of the association without receiving; see [`RecvHalf::poll_closed`].
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.receiver.poll_closed(cx)
    }
}

/// Sending.
impl Association {
    /// Sends a message; see [`SendHalf::send`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::send`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.send(message).await
    }

    /// Sends a message if the send buffer has space; see [`SendHalf::try_send`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::try_send`].
    pub fn try_send(&self, message: &Message) -> Result<(), SendError> {
        self.sender.try_send(message)
    }

    /// Polls to send a message; see [`SendHalf::poll_send`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::send`].
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), SendError>> {
        self.sender.poll_send(cx, message)
    }

    /// Sends all messages of a queue; see [`SendHalf::send_queue`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::send_queue`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Messages that were sent have left the queue.
    pub async fn send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        self.sender.send_queue(queue).await
    }

    /// Polls to send all messages of a queue; see [`SendHalf::poll_send_queue`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::send_queue`].
    pub fn poll_send_queue(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.sender.poll_send_queue(cx, queue)
    }

    /// Sends messages of a queue while the send buffer has space; see [`SendHalf::try_send_queue`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::try_send_queue`].
    pub fn try_send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        self.sender.try_send_queue(queue)
    }

    /// Sends a message from several buffers; see [`SendHalf::send_vectored`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::send_vectored`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        self.sender.send_vectored(info, payload).await
    }

    /// Sends a message from several buffers if the send buffer has space; see
    /// [`SendHalf::try_send_vectored`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::try_send_vectored`].
    pub fn try_send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        self.sender.try_send_vectored(info, payload)
    }

    /// Polls to send a message from several buffers; see [`SendHalf::poll_send_vectored`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::send_vectored`].
    pub fn poll_send_vectored(
        &mut self,
        cx: &mut Context<'_>,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Poll<Result<(), SendError>> {
        self.sender.poll_send_vectored(cx, info, payload)
    }

    /// Waits until everything that was sent is acknowledged; see [`SendHalf::flushed`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::flushed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flushed(&self) -> Result<(), SendError> {
        self.sender.flushed().await
    }

    /// Polls [`flushed`](Self::flushed). Only the waker of the most recent call is kept, together with
    /// that of the methods that poll to send.
    ///
    /// # Errors
    ///
    /// The same as for [`flushed`](Self::flushed).
    pub fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.sender.poll_flushed(cx)
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared()
            .debug(f, "Association")
            .field("unread", &self.receiver.unread())
            .finish()
    }
}

/// The same as for [`RecvHalf`].
impl Stream for Association {
    type Item = Result<Received, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.get_mut().receiver).poll_next(cx)
    }
}

impl FusedStream for Association {
    fn is_terminated(&self) -> bool {
        self.receiver.is_terminated()
    }
}
