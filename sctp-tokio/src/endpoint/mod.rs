//! Endpoint: a one-to-many socket for any number of associations.

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

/// One-to-many socket (RFC 6458 section 3): one descriptor for all peers.
///
/// The associations share one send buffer and one receive queue. A peer that does not read
/// therefore delays all others until its association is peeled off or closed.
/// [`SctpListener`](crate::SctpListener) isolates its associations.
///
/// Unless `net.sctp.sndbuf_policy=1` was set when the socket was created, the cost of a message
/// grows with the number of associations; see [`guide::performance`](crate::guide::performance).
/// Send replies together, with [`EndpointSender::send_many`].
///
/// Messages are sent to associations, never to addresses: once an association is closed, a send to
/// its address would establish a new one.
///
/// Dropping the endpoint and every [`EndpointSender`] closes its associations. They are shut down,
/// or aborted if any message is unread.
pub struct Endpoint {
    state: Arc<EndpointState>,
    queue: RecvQueue,
}

impl Endpoint {
    /// Binds an endpoint to an address.
    ///
    /// If a name resolves to several addresses, the first that can be bound is used. For several
    /// addresses at once (multi-homing) use [`SocketBuilder`](crate::SocketBuilder).
    ///
    /// `[::]` serves IPv6 and IPv4, `0.0.0.0` IPv4 only. The wildcard address announces every address
    /// of the machine to peers; see
    /// [`SocketBuilder::with_local_addrs`](crate::SocketBuilder::with_local_addrs).
    ///
    /// # Errors
    ///
    /// The same as for [`SocketBuilder::endpoint`](crate::SocketBuilder::endpoint).
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
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

    /// Receives the next event of any association.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Io`] for an unexpected error of the kernel. Further calls continue
    /// after it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future before completion loses no event.
    pub async fn next_event(&mut self) -> Result<EndpointEvent, RecvError> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    /// Polls for the next event. Only the waker of the most recent call is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`next_event`](Self::next_event).
    pub fn poll_next_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<EndpointEvent, RecvError>> {
        // A receive consumes tokio's cooperative budget, but is needed only once per batch.
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

    /// Receives an event that has already arrived.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Io`] of kind [`WouldBlock`](io::ErrorKind::WouldBlock) if there is
    /// none, and the errors of [`next_event`](Self::next_event).
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

    /// Moves an association to its own socket, together with everything queued for it (RFC 6458
    /// section 9.2). The association then no longer delays others.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the association does not exist, and an error if the process has no
    /// descriptors left (`EMFILE`, `ENFILE`). The association then remains on the endpoint.
    ///
    /// Returns an error if the reactor has no watches or memory for the new socket (`ENOSPC` at
    /// `fs.epoll.max_user_watches`, `ENOMEM`). The endpoint then keeps the association apart from
    /// its socket: call this method again, or [`abort`](Self::abort) the association. Meanwhile
    /// nothing is received on it, not even its end, and sends return [`SendError::NoAssociation`].
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
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
        // Its `SCTP_COMM_UP` may be unread, so the number of streams is read from the kernel.
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

    /// Starts an association with a peer that has these addresses.
    ///
    /// An event of the association reports the result: a notification when it is established, or
    /// its end.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the addresses cannot belong to one peer: the list is empty, a port
    /// is 0, ports differ, an address is `0.0.0.0`, or no address is of a local family. Returns
    /// other errors of `sctp_connectx`, with the addresses: no route, or an existing association
    /// with that peer. The kind is `AddrNotAvailable` if another socket has that association.
    pub fn connect(&self, peer: &[SocketAddr]) -> io::Result<AssocId> {
        check_peer(peer)?;
        let socket = self.state.io.socket();
        check_reach(socket, peer)?;
        match socket.connectx(peer) {
            Ok(connecting) => Ok(connecting.assoc),
            Err(error) => Err(connect_error(error, socket, peer)),
        }
    }

    /// Sends a message on an association; see [`EndpointSender::send`].
    ///
    /// # Errors
    ///
    /// The same as for [`EndpointSender::send`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future before completion sends nothing.
    pub async fn send(&self, assoc: AssocId, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender().send(assoc, message).await
    }

    /// Sends a message if the send buffer has space; see [`EndpointSender::try_send`].
    ///
    /// # Errors
    ///
    /// The same as for [`EndpointSender::try_send`].
    pub fn try_send(&self, assoc: AssocId, message: &Message) -> Result<(), SendError> {
        self.state.try_send(assoc, message)
    }

    /// Sends a message on every established association; see [`EndpointSender::try_send_to_all`].
    ///
    /// # Errors
    ///
    /// The same as for [`EndpointSender::try_send_to_all`].
    pub fn try_send_to_all(&self, message: &Message) -> Result<(), SendError> {
        self.state.try_send_to_all(message)
    }

    /// Starts the shutdown of an association; see [`EndpointSender::start_shutdown`].
    ///
    /// # Errors
    ///
    /// The same as for [`EndpointSender::start_shutdown`].
    pub fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        self.state.start_shutdown(assoc)
    }

    /// Aborts an association with a reason; see [`EndpointSender::abort`].
    ///
    /// # Errors
    ///
    /// The same as for [`EndpointSender::abort`].
    pub fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        self.state.abort(assoc, reason)
    }

    /// Refuses new associations (`listen(2)` with a backlog of 0). Established ones continue.
    ///
    /// # Errors
    ///
    /// Returns errors of `listen(2)`.
    pub fn stop_listening(&self) -> io::Result<()> {
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
    /// Returns errors of the system call.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.state.local_addrs()
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`) in bytes, with one system call. It is the
    /// size of the largest message that can be sent on any of the associations.
    ///
    /// # Errors
    ///
    /// Returns errors of `getsockopt(2)`.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.state.io.socket().send_buffer_size()
    }

    /// Returns the socket, for options and statistics. Messages received directly from the socket
    /// are not seen by the endpoint.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.state.io.socket()
    }

    /// Converts the endpoint into its socket, which still listens and has all associations.
    ///
    /// # Errors
    ///
    /// Returns the endpoint if an [`EndpointSender`] exists, if received data has not been returned
    /// yet, or if it keeps an association that could not be registered with the reactor (see
    /// [`peel_off`](Self::peel_off)). To receive such data first, call
    /// [`try_next_event`](Self::try_next_event) until it returns `WouldBlock`.
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
            // The kernel considers these messages read and would shut the associations down. An
            // error cannot be returned from `drop`.
            let _ = abort_on_close(self.state.io.socket());
        }
        for peeled_off in self.state.unregistered().values() {
            if has_message(&peeled_off.parts) || !peeled_off.reassembler.is_empty() {
                let _ = abort_on_close(&peeled_off.socket);
            }
        }
    }
}

/// The same as [`SocketBuilder::endpoint_from`](crate::SocketBuilder::endpoint_from) with the defaults.
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

/// Yields events. The stream never ends, not even after an error.
impl Stream for Endpoint {
    type Item = Result<EndpointEvent, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next_event(cx).map(Some)
    }
}
