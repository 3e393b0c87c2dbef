//! Accepting associations: a one-to-many socket, and each association peeled off it.

mod accept_queue;
pub(crate) mod one_to_one;

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use futures_core::Stream;
use sctp_core::{AssocId, Socket};
use tokio::{net::ToSocketAddrs, task::coop};

use accept_queue::{AcceptQueue, receive_part};

use crate::{
    association::{Association, shared::Style},
    error_context::show_addrs,
    io::Io,
    socket::{
        fd,
        setup::{SocketConfig, first_to_bind},
    },
};

/// Listens for associations and hands each one over with a socket of its own.
///
/// Underneath is a one-to-many socket, from which each association is peeled off as it comes
/// up: unlike a one-to-one socket, a peeled-off one can end with `SCTP_EOF` and with `SCTP_ABORT`
/// and a reason.
///
/// Dropping it stops listening. Associations that were accepted live on; those that have come up
/// and were not accepted are closed, with an ABORT if they have sent anything.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_tokio::SctpListener;
///
/// let mut listener = SctpListener::bind("127.0.0.1:9877").await?;
/// loop {
///     let mut association = listener.accept().await?;
///     tokio::spawn(async move {
///         while let Some(message) = association.recv().await? {
///             association.send(message.reply(message.payload.clone())).await?;
///         }
///         std::io::Result::Ok(())
///     });
/// }
/// # }
/// ```
pub struct SctpListener {
    io: Io,
    queue: AcceptQueue,
    scratch: BytesMut,
}

impl SctpListener {
    /// Listens on an address; of several that a name resolves to, on the first that can be
    /// bound. For several addresses at once (multi-homing) use [`SocketBuilder`](crate::SocketBuilder).
    ///
    /// The wildcard address announces every address of the machine to peers: see
    /// [`SocketBuilder::bind`](crate::SocketBuilder::bind).
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::listen`](crate::SocketBuilder::listen).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    pub async fn bind(addrs: impl ToSocketAddrs + fmt::Debug) -> io::Result<Self> {
        first_to_bind(addrs, Self::open).await
    }

    #[track_caller]
    fn new(socket: Socket, max_message_size: usize) -> io::Result<Self> {
        Ok(Self {
            io: Io::new(socket)?,
            queue: AcceptQueue::new(max_message_size),
            scratch: BytesMut::new(),
        })
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
        let mut listener = Self::new(socket, config.max_message_size)?;
        listener.queue.add(listener.io.socket(), assocs);
        Ok(listener)
    }

    /// Accepts the next association.
    ///
    /// One that has ended already is handed over too: what it sent can be received, and then its
    /// end.
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
    /// As [`SctpListener::accept`].
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Association>> {
        // A receive takes part in cooperative scheduling, but is not needed for those that wait.
        if self.queue.len() > 0 {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        loop {
            if let Some(association) = self.queue.accept(self.io.socket())? {
                return Poll::Ready(Ok(association));
            }
            let scratch = &mut self.scratch;
            let part = ready!(
                self.io
                    .poll_read(cx, |socket| receive_part(socket, scratch))
            )?;
            if let Some(association) = self.queue.sort(part) {
                return Poll::Ready(Ok(association));
            }
        }
    }

    /// Accepts an association that has come up already.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and as
    /// [`SctpListener::accept`].
    pub fn try_accept(&mut self) -> io::Result<Association> {
        loop {
            if let Some(association) = self.queue.accept(self.io.socket())? {
                return Ok(association);
            }
            let part = receive_part(self.io.socket(), &mut self.scratch)?;
            if let Some(association) = self.queue.sort(part) {
                return Ok(association);
            }
        }
    }

    /// Refuses associations from now on (`listen(2)` with backlog 0): a peer that tries is
    /// refused at once. Those that are up live on, and those not yet accepted still can be.
    ///
    /// # Errors
    ///
    /// What `listen(2)` says.
    pub fn stop(&self) -> io::Result<()> {
        self.io.socket().listen(0)
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
    ///
    /// Receiving from it directly would lose associations.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.io.socket()
    }

    /// Takes the socket, still listening. Associations that were not accepted are on it.
    ///
    /// # Errors
    ///
    /// Gives the listener back while it holds an association that is no longer on the socket: one
    /// that the reactor could not take, or what one sent that ended before it was accepted. Accept
    /// until `WouldBlock` first.
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        if self.queue.is_complete() {
            Ok(self.io.into_socket())
        } else {
            Err(Box::new(self))
        }
    }
}

/// As [`SocketBuilder::listen_from`](crate::SocketBuilder::listen_from) with the builder's defaults.
impl TryFrom<OwnedFd> for SctpListener {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        Self::from_fd(&SocketConfig::default(), fd)
    }
}

impl AsFd for SctpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl fmt::Debug for SctpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SctpListener");
        show_addrs(&mut shown, self.local_addrs());
        shown
            .field("max_message_size", &self.queue.max_message_size())
            .field("waiting", &self.queue.len())
            .finish()
    }
}

/// The associations that come up; it never ends. An error is not the end of the stream, see
/// [`SctpListener::accept`].
impl Stream for SctpListener {
    type Item = io::Result<Association>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(cx).map(Some)
    }
}
