//! Accepting associations on a one-to-one socket.

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use sctp_core::{AssocId, Socket};
use tokio::{net::ToSocketAddrs, task::coop};

use crate::{
    association::{Association, shared::Style},
    error_context::show_addrs,
    io::{Io, RegisterError},
    socket::{
        fd::{self, from_one_to_one},
        setup::{SocketConfig, first_to_bind},
    },
};

/// Listens with a one-to-one socket (`SOCK_STREAM`, RFC 6458 section 4), TCP's way: `accept(2)`
/// hands each association over on a socket of its own.
///
/// It exists for interoperation: with a supervisor that hands over such a descriptor, or with code
/// that expects one. [`SctpListener`](crate::SctpListener) does the same job with fewer
/// restrictions. What Linux does not do on the sockets that come from here:
///
/// * [`Association::abort`] is refused with [`Unsupported`](io::ErrorKind::Unsupported): an abort
///   cannot carry a reason. [`Association::abort_without_reason`] is what there is.
/// * For the same reason a peer that exceeds the message limit is not aborted: its message is
///   dropped, and [`RecvError::TooLarge`](crate::RecvError::TooLarge) says so.
///
/// Associations that were not accepted yet count against the backlog, and beyond it peers are
/// refused. Dropping the listener aborts them; those that were accepted live on.
pub struct OneToOneListener {
    io: Io,
    max_message_size: usize,
    /// Set when the socket came from elsewhere: associations that began before it did are not
    /// subscribed to the notifications of this crate.
    subscribe_accepted: Option<SocketConfig>,
    /// Accepted socket that could not be set up or registered with the reactor. The next accept
    /// tries again, before any other.
    pending: Option<Socket>,
}

impl OneToOneListener {
    /// Listens on an address; of several that a name resolves to, on the first that can be bound.
    ///
    /// The wildcard address announces every address of the machine to peers: see
    /// [`SocketBuilder::bind`](crate::SocketBuilder::bind).
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::listen_one_to_one`](crate::SocketBuilder::listen_one_to_one).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    pub async fn bind(addrs: impl ToSocketAddrs + fmt::Debug) -> io::Result<Self> {
        first_to_bind(addrs, Self::open).await
    }

    #[track_caller]
    pub(crate) fn open(config: &SocketConfig) -> io::Result<Self> {
        let socket = config.open_listening(Style::OneToOne)?;
        Self::new(socket, config.max_message_size, None)
    }

    #[track_caller]
    pub(crate) fn from_fd(config: &SocketConfig, fd: OwnedFd) -> io::Result<Self> {
        let socket = fd::listening(config, fd, Style::OneToOne)?;
        Self::new(socket, config.max_message_size, Some(config.clone()))
    }

    #[track_caller]
    fn new(
        socket: Socket,
        max_message_size: usize,
        subscribe_accepted: Option<SocketConfig>,
    ) -> io::Result<Self> {
        Ok(Self {
            io: Io::new(socket)?,
            max_message_size,
            subscribe_accepted,
            pending: None,
        })
    }

    /// Accepts the next association. One that has ended already is handed over too: what it sent
    /// can be received, and then its end.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptors left (`EMFILE`, `ENFILE`), or when the
    /// reactor can take no more of them (`ENOSPC` at `fs.epoll.max_user_watches`, `ENOMEM`): the
    /// association is kept, and the next call tries again. The kernel answers the same at once
    /// while the shortage lasts: wait before that. Anything else that the kernel says.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call loses no association.
    pub async fn accept(&mut self) -> io::Result<Association> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next association; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`OneToOneListener::accept`].
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Association>> {
        // An accept takes part in cooperative scheduling, but is not needed for one that is pending.
        if self.pending.is_some() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        let socket = match self.pending.take() {
            Some(socket) => socket,
            None => ready!(self.io.poll_read(cx, Socket::accept))?,
        };
        Poll::Ready(self.accepted(socket))
    }

    /// Accepts an association that has come up already.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and as
    /// [`OneToOneListener::accept`].
    pub fn try_accept(&mut self) -> io::Result<Association> {
        let socket = match self.pending.take() {
            Some(socket) => socket,
            None => self.io.socket().accept()?,
        };
        self.accepted(socket)
    }

    fn accepted(&mut self, socket: Socket) -> io::Result<Association> {
        let subscribed = match &self.subscribe_accepted {
            Some(config) => config.subscribe(&socket, AssocId::FUTURE),
            None => Ok(()),
        };
        let registered = match subscribed {
            Ok(()) => from_one_to_one(socket, self.max_message_size),
            Err(error) => Err(RegisterError { socket, error }),
        };
        match registered {
            Ok(receiver) => Ok(Association::from_receiver(receiver)),
            Err(RegisterError { socket, error }) => {
                self.pending = Some(socket);
                Err(error)
            }
        }
    }

    /// Returns the addresses that it listens on.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.io.socket().local_addrs(AssocId::FUTURE)
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`): the length of the longest
    /// message that can be sent on an association from here, each of which keeps it. One system call.
    ///
    /// # Errors
    ///
    /// What `getsockopt(2)` says.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.io.socket().send_buffer_size()
    }

    /// Lends the socket, for options.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.io.socket()
    }

    /// Takes the socket, still listening. Associations that were not accepted are on it.
    ///
    /// # Errors
    ///
    /// Gives the listener back while it holds an association that the reactor could not take:
    /// accept it first.
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        match self.pending {
            None => Ok(self.io.into_socket()),
            Some(_) => Err(Box::new(self)),
        }
    }
}

impl AsFd for OneToOneListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.socket().as_fd()
    }
}

/// The associations that come up; it never ends. An error is not the end of the stream, see
/// [`OneToOneListener::accept`].
impl Stream for OneToOneListener {
    type Item = io::Result<Association>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(cx).map(Some)
    }
}

/// As [`SocketBuilder::listen_one_to_one_from`](crate::SocketBuilder::listen_one_to_one_from) with the builder's defaults.
impl TryFrom<OwnedFd> for OneToOneListener {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        Self::from_fd(&SocketConfig::default(), fd)
    }
}

impl fmt::Debug for OneToOneListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("OneToOneListener");
        show_addrs(&mut shown, self.local_addrs());
        shown
            .field("max_message_size", &self.max_message_size)
            .finish()
    }
}
