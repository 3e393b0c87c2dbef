//! One association with a peer.

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_core::{AbortReason, AssocId, Socket};
use tokio::{net::ToSocketAddrs, time::timeout};

use crate::{ConnectError, End, Event, RecvError, RecvHalf, SendHalf, SocketBuilder};

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
    pub(crate) sender: SendHalf,
}

impl Association {
    pub(crate) fn from_receiver(receiver: RecvHalf) -> Self {
        let sender = SendHalf::new(Arc::clone(&receiver.shared));
        Self { receiver, sender }
    }

    /// Connects to a peer. Of several addresses that a name resolves to, the first to answer is
    /// taken: they may be different hosts; see [`SocketBuilder::connect_any`]. For one peer with
    /// several addresses use [`SocketBuilder::connect`].
    ///
    /// # Errors
    ///
    /// That of the last attempt to fail; see [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the call ends the attempt: the peer hears an ABORT if it had answered.
    pub async fn connect(addrs: impl ToSocketAddrs + fmt::Debug) -> Result<Self, ConnectError> {
        SocketBuilder::new().connect_any(addrs).await
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
        self.sender.shared.id
    }

    /// Returns the peer's addresses as they were when the association came up, in the kernel's
    /// order.
    #[must_use]
    pub fn peer_addrs(&self) -> &[SocketAddr] {
        &self.sender.shared.peer_addrs
    }

    /// Returns this end's addresses as they were when the association came up.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.sender.shared.local_addrs
    }

    /// Returns how many streams can be sent on.
    #[must_use]
    pub fn outbound_streams(&self) -> u16 {
        self.sender.shared.outbound_streams()
    }

    /// Returns how many streams the peer can send on.
    #[must_use]
    pub fn inbound_streams(&self) -> u16 {
        self.sender.shared.inbound_streams()
    }

    /// Lends the socket, for options and statistics. `None` when the association had ended before
    /// it could get a socket of its own.
    ///
    /// Receiving from it directly would take messages away from the association.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        self.sender.shared.socket()
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
