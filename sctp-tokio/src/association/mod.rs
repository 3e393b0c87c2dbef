//! One association with a peer.

pub(crate) mod end;
mod eof;
mod options;
pub(crate) mod recv_half;
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
use futures_sink::Sink;
use sctp_core::{AbortReason, AssocId, SendInfo, Socket};
use tokio::{net::ToSocketAddrs, time::timeout};

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

/// One association with a peer: whole messages out and in, both terminations, and how it ended.
///
/// Made by [`connect`](Self::connect) or by [`SctpListener::accept`](crate::SctpListener::accept).
/// An association has a socket of its own, so a slow peer delays nobody else.
///
/// # Ending it
///
/// * [`shutdown`](Self::shutdown): orderly. Everything sent is delivered first.
/// * [`abort`](Self::abort): at once, with a reason that the peer can read.
/// * Dropping it closes the socket, unless a [`sender`](Self::sender) is left: an orderly SHUTDOWN
///   goes on in the background, unless messages are unread, then an ABORT without a reason goes
///   out.
///
/// # Cancel safety
///
/// A call is *cancel-safe* if dropping it before it is ready changes nothing, neither here nor on
/// the wire. Each asynchronous method says whether it is.
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
    sender: SendHalf,
}

impl Association {
    pub(crate) fn from_receiver(receiver: RecvHalf) -> Self {
        let sender = SendHalf::new(Arc::clone(&receiver.shared));
        Self { receiver, sender }
    }

    /// Connects to a peer. Of several addresses that a name resolves to, the first to answer is
    /// taken: they may be different hosts; see [`SocketBuilder::connect_any`](crate::SocketBuilder::connect_any). For one peer with
    /// several addresses use [`SocketBuilder::connect`](crate::SocketBuilder::connect).
    ///
    /// # Errors
    ///
    /// That of the last attempt to fail; see [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the call ends the attempt: the peer hears an ABORT if it had answered.
    pub async fn connect(addrs: impl ToSocketAddrs + fmt::Debug) -> Result<Self, ConnectError> {
        let receiver = connect_any(&SocketConfig::default(), addrs).await?;
        Ok(Self::from_receiver(receiver))
    }

    /// Ends the association in order, and says how it ended: everything that was sent is
    /// delivered and acknowledged, then the SHUTDOWN handshake runs. Messages that the peer sends
    /// meanwhile are discarded; to have them, use [`start_shutdown`](Self::start_shutdown) and
    /// receive until the end.
    ///
    /// A peer that does not read can hold this up without limit;
    /// [`shutdown_within`](Self::shutdown_within) has one.
    ///
    /// # Errors
    ///
    /// What the kernel says. An end other than orderly is not an error: it is the answer.
    ///
    /// # Cancel safety
    ///
    /// Once polled, SHUTDOWN is under way, and dropping the call does not take it back. It can be
    /// called again.
    pub async fn shutdown(&mut self) -> io::Result<End> {
        self.start_shutdown()?;
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// As [`shutdown`](Self::shutdown), but aborts the association with the reason if it has not
    /// ended after the time given.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown), and as [`abort`](Self::abort).
    ///
    /// # Cancel safety
    ///
    /// Once polled, SHUTDOWN is under way, and dropping the call does not take it back; the abort
    /// does not happen then.
    pub async fn shutdown_within(
        &mut self,
        limit: Duration,
        reason: &AbortReason,
    ) -> io::Result<End> {
        if let Ok(result) = timeout(limit, self.shutdown()).await {
            return result;
        }
        self.abort(reason)?;
        self.ended().await
    }

    /// Waits for the end and says how it came, discarding what the peer still sends. Unlike
    /// [`closed`](Self::closed) it receives, so it always has the full answer.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe, but for the messages that have been discarded.
    pub async fn ended(&mut self) -> io::Result<End> {
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// Polls to end the association in order; the waker of the last task to ask is kept. See
    /// [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        // Asking the kernel again does no harm, and there is nothing else to know it by.
        self.start_shutdown()?;
        self.poll_end(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        loop {
            match ready!(self.poll_next_event(cx)) {
                Ok(Event::Ended(end)) => return Poll::Ready(Ok(end)),
                Ok(_) | Err(RecvError::TooLarge { .. }) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Begins the orderly end; see [`SendHalf::start_shutdown`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::start_shutdown`].
    pub fn start_shutdown(&self) -> io::Result<()> {
        self.sender.start_shutdown()
    }

    /// Ends the association at once, with a reason; see [`SendHalf::abort`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::abort`].
    pub fn abort(&self, reason: &AbortReason) -> io::Result<()> {
        self.sender.abort(reason)
    }

    /// Waits until the association has ended; see [`SendHalf::closed`]. To receive and wait at
    /// once, use [`sender`](Self::sender).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closed(&self) -> End {
        self.sender.closed().await
    }

    /// Returns how the association ended, if that is known.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.sender.end()
    }

    /// Returns a further handle for sending. While one lives the descriptor stays open, even when
    /// the association has ended.
    #[must_use]
    pub fn sender(&self) -> SendHalf {
        self.sender.clone()
    }

    /// Takes the association apart, so that two tasks can send and receive.
    #[must_use]
    pub fn split(self) -> (SendHalf, RecvHalf) {
        (self.sender, self.receiver)
    }

    /// Returns the identifier that the kernel gave the association.
    #[must_use]
    pub fn id(&self) -> AssocId {
        self.shared().id
    }

    /// Returns the peer's addresses as they were when the association came up, in the kernel's
    /// order.
    #[must_use]
    pub fn peer_addrs(&self) -> &[SocketAddr] {
        &self.shared().peer_addrs
    }

    /// Returns this end's addresses as they were when the association came up.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.shared().local_addrs
    }

    /// Returns how many streams can be sent on.
    #[must_use]
    pub fn outbound_streams(&self) -> u16 {
        self.shared().outbound_streams()
    }

    /// Returns how many streams the peer can send on.
    #[must_use]
    pub fn inbound_streams(&self) -> u16 {
        self.shared().inbound_streams()
    }

    /// Lends the socket, for options and statistics. `None` when the association had ended before
    /// it could get a socket of its own.
    ///
    /// Receiving from it directly would take messages away from the association.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        self.shared().socket()
    }

    /// Takes the socket, with the association on it and all that is queued in the kernel;
    /// `OwnedFd::from` makes a plain descriptor of it.
    ///
    /// # Errors
    ///
    /// Gives the association back when other handles ([`SendHalf`]) exist, when
    /// something has been received and not told yet (receive with
    /// [`try_next_event`](Self::try_next_event) until `WouldBlock`), or when it ended before it
    /// could get a socket.
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        let Self { receiver, sender } = self;
        let idle = receiver.is_idle() && sender.is_idle() && receiver.shared.io().is_some();
        if !idle {
            return Err(Box::new(Self { receiver, sender }));
        }
        drop(sender);
        // Nothing is unread, so there is no more to it than this.
        let (shared, limit) = (Arc::clone(&receiver.shared), receiver.max_message_size());
        drop(receiver);
        // The halves were the only ones to hold it.
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

    /// Ends the association at once, without a reason: for one-to-one sockets, which can do no
    /// better, and for code that serves both kinds.
    ///
    /// On a one-to-one socket this is `SO_LINGER` with a time of 0, and `close(2)`: the ABORT goes
    /// out when the last handle is dropped, which is now unless a [`SendHalf`] is left. On others
    /// it is [`Association::abort`] with no reason, at once. The peer hears
    /// [`End::Aborted`] with an empty reason. What is unsent is discarded.
    ///
    /// # Errors
    ///
    /// What the kernel says; an association that has ended is no error.
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
    /// Receives the next whole message; see [`RecvHalf::recv`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn recv(&mut self) -> Result<Option<Received>, RecvError> {
        self.receiver.recv().await
    }

    /// Receives the next thing that happens; see [`RecvHalf::next_event`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::next_event`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn next_event(&mut self) -> Result<Event, RecvError> {
        self.receiver.next_event().await
    }

    /// Receives a whole message that is already there; see [`RecvHalf::try_recv`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::try_recv`].
    pub fn try_recv(&mut self) -> Result<Option<Received>, RecvError> {
        self.receiver.try_recv()
    }

    /// Receives what is already there; see [`RecvHalf::try_next_event`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::try_next_event`].
    pub fn try_next_event(&mut self) -> Result<Event, RecvError> {
        self.receiver.try_next_event()
    }

    /// Polls for the next whole message; see [`RecvHalf::poll_recv`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Received>, RecvError>> {
        self.receiver.poll_recv(cx)
    }

    /// Polls for the next thing that happens; see [`RecvHalf::poll_next_event`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::next_event`].
    pub fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.receiver.poll_next_event(cx)
    }

    /// Polls for the end while messages are not received; see [`RecvHalf::poll_ended`].
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.receiver.poll_ended(cx)
    }
}

/// Sending.
impl Association {
    /// Sends one message; see [`SendHalf::send`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.send(message).await
    }

    /// Sends one message if there is room now; see [`SendHalf::try_send`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::try_send`].
    pub fn try_send(&self, message: &Message) -> Result<(), SendError> {
        self.sender.try_send(message)
    }

    /// Polls to send one message; see [`SendHalf::poll_send`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send`].
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), SendError>> {
        self.sender.poll_send(cx, message)
    }

    /// Sends the messages of a queue; see [`SendHalf::send_queue`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_queue`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent those that have left the queue, and no others.
    pub async fn send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        self.sender.send_queue(queue).await
    }

    /// Polls to send the messages of a queue; see [`SendHalf::poll_send_queue`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_queue`].
    pub fn poll_send_queue(
        &self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.sender.poll_send_queue(cx, queue)
    }

    /// Sends the messages of a queue as long as there is room now; see
    /// [`SendHalf::try_send_queue`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::try_send_queue`].
    pub fn try_send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        self.sender.try_send_queue(queue)
    }

    /// Sends one message from several places; see [`SendHalf::send_vectored`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_vectored`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing.
    pub async fn send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        self.sender.send_vectored(info, payload).await
    }

    /// Sends one message from several places if there is room now; see
    /// [`SendHalf::try_send_vectored`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::try_send_vectored`].
    pub fn try_send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        self.sender.try_send_vectored(info, payload)
    }

    /// Polls to send one message from several places; see [`SendHalf::poll_send_vectored`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_vectored`].
    pub fn poll_send_vectored(
        &self,
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
    /// As [`SendHalf::flushed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has changed nothing.
    pub async fn flushed(&self) -> Result<(), SendError> {
        self.sender.flushed().await
    }
}

/// Puts the halves of one association together again.
///
/// # Errors
///
/// Gives both back when they are not of the same association.
impl TryFrom<(SendHalf, RecvHalf)> for Association {
    type Error = (SendHalf, RecvHalf);

    fn try_from((sender, receiver): (SendHalf, RecvHalf)) -> Result<Self, Self::Error> {
        if Arc::ptr_eq(&sender.shared, &receiver.shared) {
            Ok(Self { receiver, sender })
        } else {
            Err((sender, receiver))
        }
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared()
            .debug(f, "Association")
            .field("unread", &self.receiver.unread())
            .field("unflushed", &self.sender.unflushed())
            .finish()
    }
}

/// As for [`RecvHalf`].
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

/// As for [`SendHalf`].
impl Sink<Message> for Association {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().sender).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        Pin::new(&mut self.get_mut().sender).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().sender).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().sender).poll_close(cx)
    }
}
