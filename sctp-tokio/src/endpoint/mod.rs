//! A one-to-many socket that carries all of its associations itself.

mod bundle;
mod recv;
pub(crate) mod sender;
mod state;

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use sctp_core::{AbortReason, AssocId, Socket};
use tokio::{net::ToSocketAddrs, task::coop};

use recv::RecvQueue;
use sender::EndpointSender;
use state::{EndpointState, PeeledOff};

use crate::{
    association::{
        Association,
        recv_half::RecvHalf,
        shared::{AssociationInfo, AssociationShared, Style},
    },
    error::{RecvError, SendError},
    error_context::connect_error,
    event::EndpointEvent,
    io::{
        Io, RegisterError,
        recv_batch::{abort_on_close, has_message, receive},
    },
    message::Message,
    socket::{
        connect::{check_peer, check_reach},
        fd,
        setup::{SocketConfig, first_to_bind},
    },
};

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
    state: Arc<EndpointState>,
    queue: RecvQueue,
}

impl Endpoint {
    /// Opens an endpoint on an address; of several that a name resolves to, on the first that can
    /// be bound. For several addresses at once (multi-homing) use [`SocketBuilder`](crate::SocketBuilder).
    ///
    /// The wildcard address announces every address of the machine to peers: see
    /// [`SocketBuilder::bind`](crate::SocketBuilder::bind).
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::endpoint`](crate::SocketBuilder::endpoint).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    pub async fn bind(addrs: impl ToSocketAddrs + fmt::Debug) -> io::Result<Self> {
        first_to_bind(addrs, Self::open).await
    }

    #[track_caller]
    fn new(socket: Socket, max_message_size: usize) -> io::Result<Self> {
        let state = Arc::new(EndpointState::new(Io::new(socket)?));
        Ok(Self::from_state(state, max_message_size))
    }

    fn from_state(state: Arc<EndpointState>, max_message_size: usize) -> Self {
        Self {
            state,
            queue: RecvQueue::new(max_message_size),
        }
    }

    #[track_caller]
    pub(crate) fn open(config: &SocketConfig) -> io::Result<Self> {
        let socket = config.open_listening(Style::OneToMany)?;
        Self::new(socket, config.max_message_size)
    }

    #[track_caller]
    pub(crate) fn from_fd(config: &SocketConfig, fd: OwnedFd) -> io::Result<Self> {
        let socket = fd::listening(config, fd, Style::OneToMany)?;
        let assocs = socket.assoc_ids()?;
        let endpoint = Self::new(socket, config.max_message_size)?;
        endpoint.state.add(&assocs);
        Ok(endpoint)
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
        if !self.queue.parts.is_empty() || self.queue.has_end() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        loop {
            if let Some(event) = self.queue.next(&self.state) {
                return Poll::Ready(event);
            }
            let state = Arc::clone(&self.state);
            let has_end = self.queue.has_end();
            let parts = &mut self.queue.parts;
            let result = if has_end {
                receive(state.io.socket(), parts).map(drop)
            } else {
                ready!(state.io.poll_receive(cx, parts))
            };
            if let Some(event) = self.queue.after_receive(result) {
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
            if let Some(event) = self.queue.next(&self.state) {
                return event;
            }
            let state = Arc::clone(&self.state);
            let result = receive(state.io.socket(), &mut self.queue.parts);
            if let Some(event) = self.queue.after_receive(result.map(drop)) {
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
    /// limit (`EMFILE`, `ENFILE`), in which case it stays where it is.
    ///
    /// When the reactor cannot take the new socket (`ENOSPC` at `fs.epoll.max_user_watches`,
    /// `ENOMEM`) the association has left the endpoint's socket, and the endpoint keeps it. Call
    /// again to have it, or [`abort`](Self::abort) it. Until then nothing of it is received, its
    /// end neither, and sending on it fails with [`SendError::NoAssociation`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn peel_off(&mut self, assoc: AssocId) -> io::Result<Association> {
        let unregistered = self.state.unregistered().remove(&assoc);
        let PeeledOff {
            socket,
            peer,
            reassembler,
            parts,
        } = match unregistered {
            Some(peeled_off) => peeled_off,
            None => {
                let (socket, peer) = self.state.peel_off(assoc)?;
                let (reassembler, parts) = self.queue.take(assoc);
                PeeledOff {
                    socket,
                    peer,
                    reassembler,
                    parts,
                }
            }
        };
        let io = match Io::new(socket) {
            Ok(io) => io,
            Err(RegisterError { socket, error }) => {
                let peeled_off = PeeledOff {
                    socket,
                    peer,
                    reassembler,
                    parts,
                };
                self.state.unregistered().insert(assoc, peeled_off);
                return Err(error);
            }
        };
        let socket = io.socket();
        // Its coming up may still be unread, so the kernel is asked how many streams it has.
        let (outbound_streams, inbound_streams) = match socket.status(assoc) {
            Ok(status) => (status.outbound_streams, status.inbound_streams),
            Err(_) => (peer.outbound_streams, peer.inbound_streams),
        };
        let info = AssociationInfo {
            style: Style::OneToMany,
            id: assoc,
            peer_addrs: socket.peer_addrs(assoc).unwrap_or_default(),
            local_addrs: socket.local_addrs(assoc).unwrap_or_default(),
            outbound_streams,
            inbound_streams,
        };
        let shared = Arc::new(AssociationShared::new(Some(io), info, peer.tracker));
        Ok(Association::from_receiver(RecvHalf::new(
            shared,
            reassembler,
            parts,
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
        let socket = self.state.io.socket();
        check_reach(socket, peer)?;
        match socket.connectx(peer) {
            Ok(connecting) => Ok(connecting.assoc),
            Err(error) => Err(connect_error(error, socket, peer)),
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
        self.state.try_send(assoc, message)
    }

    /// Sends one message on every association that is up; see
    /// [`EndpointSender::try_send_to_all`].
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::try_send_to_all`].
    pub fn try_send_to_all(&self, message: &Message) -> Result<(), SendError> {
        self.state.try_send_to_all(message)
    }

    /// Begins the orderly end of an association; see [`EndpointSender::start_shutdown`].
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::start_shutdown`].
    pub fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        self.state.start_shutdown(assoc)
    }

    /// Ends an association at once, with a reason; see [`EndpointSender::abort`].
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::abort`].
    pub fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        self.state.abort(assoc, reason)
    }

    /// Refuses associations from now on; those that are up live on.
    ///
    /// # Errors
    ///
    /// What `listen(2)` says.
    pub fn stop(&self) -> io::Result<()> {
        self.state.io.socket().listen(0)
    }

    /// Returns a handle for sending from other tasks.
    #[must_use]
    pub fn sender(&self) -> EndpointSender {
        EndpointSender::new(Arc::clone(&self.state))
    }

    /// Returns the addresses that the endpoint is bound to.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.state.local_addrs()
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`): the length of the longest
    /// message that can be sent, on any of the associations. One system call.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.state.io.socket().send_buffer_size()
    }

    /// Lends the socket, for options and statistics. Receiving from it directly would take
    /// messages away from the endpoint.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.state.io.socket()
    }

    /// Takes the socket, still listening, with all of its associations.
    ///
    /// # Errors
    ///
    /// Gives the endpoint back when [`EndpointSender`]s exist, or when something has been received
    /// and not told yet (receive with [`try_next_event`](Self::try_next_event) until
    /// `WouldBlock`), or when it keeps an association that the reactor could not take (see
    /// [`peel_off`](Self::peel_off)).
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        if !self.queue.is_empty() || !self.state.unregistered().is_empty() {
            return Err(Box::new(self));
        }
        let (state, limit) = (Arc::clone(&self.state), self.queue.max_message_size());
        drop(self);
        match Arc::try_unwrap(state) {
            Ok(state) => Ok(state.io.into_socket()),
            Err(state) => Err(Box::new(Self::from_state(state, limit))),
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if self.queue.has_message() {
            // The kernel takes them for read, and would let the peers believe so. Nobody could be
            // told of an error.
            let _ = abort_on_close(self.state.io.socket());
        }
        for peeled_off in self.state.unregistered().values() {
            if has_message(&peeled_off.parts) || !peeled_off.reassembler.is_empty() {
                let _ = abort_on_close(&peeled_off.socket);
            }
        }
    }
}

/// As [`SocketBuilder::endpoint_from`](crate::SocketBuilder::endpoint_from) with the builder's defaults.
impl TryFrom<OwnedFd> for Endpoint {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        Self::from_fd(&SocketConfig::default(), fd)
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state
            .debug(f, "Endpoint")
            .field("unread", &self.queue.parts.len())
            .finish()
    }
}

/// What happens on the associations of an endpoint; it never ends. An error is not the end of the
/// stream either.
impl Stream for Endpoint {
    type Item = Result<EndpointEvent, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next_event(cx).map(Some)
    }
}
