//! A one-to-many socket that carries all of its associations itself.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sctp_core::{AbortReason, AssocId, Part, Socket};
use tokio::{net::ToSocketAddrs, task::coop};

use crate::{
    Association, End, EndpointSender, Event, Message, RecvError, RecvHalf, SendError,
    SocketBuilder,
    assembly::Assembler,
    connect::{check_peer, check_reach},
    endpoint_arrival::part_assoc,
    explained::not_connected_to,
    hub::Hub,
    io::Io,
    opening::first_to_bind,
    receive::{abort_on_close, has_message, receive},
    shared::{Facts, Shared, Style},
};

/// Something that happened on an association of an [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointEvent {
    /// The association.
    pub assoc: AssocId,
    /// What happened. That an association came up is told as [`Event::Notification`].
    pub event: Event,
}

/// A one-to-many socket: one descriptor for all peers, as in the textbook's servers.
///
/// Its associations share one send buffer and one receive queue: a peer that does not read its
/// replies delays the others, until it is peeled off or ended. Where that matters use
/// [`SctpListener`](crate::SctpListener).
///
/// Unless `net.sctp.sndbuf_policy=1` was set when it was made, each message becomes dearer with
/// each association that is up; see [`shared_socket`](crate::shared_socket). Answer what came
/// together with [`EndpointSender::send_many`].
///
/// Messages go to associations, never to addresses: a send by address after the association's end
/// would open another.
///
/// Dropping it ends every association once no [`EndpointSender`] is left: in order, unless any
/// message is unread, then each with an ABORT.
pub struct Endpoint {
    pub(crate) hub: Arc<Hub>,
    pub(crate) assembler: Assembler,
    pub(crate) parts: VecDeque<Part>,
    /// An association that has ended, told after the reports of its failed sends.
    pub(crate) pending_end: Option<(AssocId, End)>,
}

impl Endpoint {
    /// Opens an endpoint on an address; of several that a name resolves to, on the first that can
    /// be bound. For several addresses at once (multi-homing) use [`SocketBuilder`].
    ///
    /// The wildcard address announces every address of the machine to peers: see
    /// [`SocketBuilder::bind`].
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::endpoint`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    pub async fn bind(addrs: impl ToSocketAddrs + fmt::Debug) -> io::Result<Self> {
        first_to_bind(addrs, SocketBuilder::endpoint).await
    }

    #[track_caller]
    pub(crate) fn new(socket: Socket, max_message_size: usize) -> io::Result<Self> {
        let hub = Arc::new(Hub::new(Io::new(socket)?));
        Ok(Self::from_hub(hub, max_message_size))
    }

    pub(crate) fn from_hub(hub: Arc<Hub>, max_message_size: usize) -> Self {
        Self {
            hub,
            assembler: Assembler::for_many(max_message_size),
            parts: VecDeque::new(),
            pending_end: None,
        }
    }

    /// Receives the next thing that happens on any association.
    ///
    /// # Errors
    ///
    /// [`RecvError::Io`] for anything unexpected that the kernel says; asking again goes on.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn next_event(&mut self) -> Result<EndpointEvent, RecvError> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    /// Polls for the next thing that happens; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::next_event`].
    pub fn poll_next_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<EndpointEvent, RecvError>> {
        // A receive takes part in cooperative scheduling, but is needed once for a batch.
        if !self.parts.is_empty() || self.pending_end.is_some() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        loop {
            if let Some(event) = self.next_queued() {
                return Poll::Ready(event);
            }
            let hub = Arc::clone(&self.hub);
            let parts = &mut self.parts;
            let result = if self.pending_end.is_some() {
                receive(hub.io.socket(), parts).map(drop)
            } else {
                ready!(hub.io.poll_receive(cx, parts))
            };
            if let Some(event) = self.after_receive(result) {
                return Poll::Ready(event);
            }
        }
    }

    /// Receives what is already there.
    ///
    /// # Errors
    ///
    /// [`RecvError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when there is nothing.
    pub fn try_next_event(&mut self) -> Result<EndpointEvent, RecvError> {
        loop {
            if let Some(event) = self.next_queued() {
                return event;
            }
            let hub = Arc::clone(&self.hub);
            let result = receive(hub.io.socket(), &mut self.parts);
            if let Some(event) = self.after_receive(result.map(drop)) {
                return event;
            }
        }
    }

    /// Moves an association to a socket of its own, with all that is queued for it, here and in
    /// the kernel. From then on a slow peer delays itself alone.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when there is no such association (any more); the process's descriptor
    /// limit, in which case it stays where it is.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn peel_off(&mut self, assoc: AssocId) -> io::Result<Association> {
        let (socket, peer) = self.hub.peel_off(assoc)?;
        // Its coming up may still be unread, so the kernel is asked how many streams it has.
        let (outbound_streams, inbound_streams) = match socket.status(assoc) {
            Ok(status) => (status.outbound_streams, status.inbound_streams),
            Err(_) => (peer.outbound_streams, peer.inbound_streams),
        };
        let (moved, kept): (VecDeque<_>, VecDeque<_>) = self
            .parts
            .drain(..)
            .partition(|part| part_assoc(part) == Some(assoc));
        self.parts = kept;
        let facts = Facts {
            style: Style::OneToMany,
            id: assoc,
            peer_addrs: socket.peer_addrs(assoc).unwrap_or_default(),
            local_addrs: socket.local_addrs(assoc).unwrap_or_default(),
            outbound_streams,
            inbound_streams,
        };
        let shared = Arc::new(Shared::new(Some(Io::new(socket)?), facts, peer.marks));
        Ok(Association::from_receiver(RecvHalf::new(
            shared,
            self.assembler.take(assoc),
            moved,
        )))
    }

    /// Begins an association with a peer that has these addresses. How it went is told as an
    /// event of the association returned: a notification that it came up, or its end.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for what cannot be the addresses of a peer: none, port 0, different ports,
    /// `0.0.0.0`, none of a family that the endpoint's own addresses have. What `sctp_connectx` says, with
    /// the addresses: no route, or an association with that peer that exists already, on this socket
    /// or, of kind `AddrNotAvailable`, on another one.
    pub fn connect(&self, peer: &[SocketAddr]) -> io::Result<AssocId> {
        check_peer(peer)?;
        let socket = self.hub.io.socket();
        check_reach(socket, peer)?;
        match socket.connectx(peer) {
            Ok(connecting) => Ok(connecting.assoc),
            Err(error) => Err(not_connected_to(error, socket, peer)),
        }
    }

    /// Sends one message on an association; see [`EndpointSender::send`].
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::send`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing.
    pub async fn send(&self, assoc: AssocId, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender().send(assoc, message).await
    }

    /// Sends one message if there is room now; see [`EndpointSender::try_send`].
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::try_send`].
    pub fn try_send(&self, assoc: AssocId, message: &Message) -> Result<(), SendError> {
        self.hub.try_send(assoc, message)
    }

    /// Sends one message on every association that is up; see
    /// [`EndpointSender::try_send_to_all`].
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::try_send_to_all`].
    pub fn try_send_to_all(&self, message: &Message) -> Result<(), SendError> {
        self.hub.try_send_to_all(message)
    }

    /// Begins the orderly end of an association; see [`EndpointSender::start_shutdown`].
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::start_shutdown`].
    pub fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        self.hub.start_shutdown(assoc)
    }

    /// Ends an association at once, with a reason; see [`EndpointSender::abort`].
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::abort`].
    pub fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        self.hub.abort(assoc, reason)
    }

    /// Refuses associations from now on; those that are up live on.
    ///
    /// # Errors
    ///
    /// What `listen(2)` says.
    pub fn stop(&self) -> io::Result<()> {
        self.hub.io.socket().listen(0)
    }

    /// Returns a handle for sending from other tasks.
    #[must_use]
    pub fn sender(&self) -> EndpointSender {
        EndpointSender::new(Arc::clone(&self.hub))
    }

    /// Returns the addresses that the endpoint is bound to.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.hub.io.socket().local_addrs(AssocId::FUTURE)
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`): the length of the longest
    /// message that can be sent, on any of the associations. One system call.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.hub.io.socket().send_buffer_size()
    }

    /// Lends the socket, for options and statistics. Receiving from it directly would take
    /// messages away from the endpoint.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.hub.io.socket()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if has_message(&self.parts) || !self.assembler.is_empty() {
            // The kernel takes them for read, and would let the peers believe so. Nobody could be
            // told of an error.
            let _ = abort_on_close(self.hub.io.socket());
        }
    }
}
