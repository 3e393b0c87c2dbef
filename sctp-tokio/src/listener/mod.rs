//! Listener on a one-to-many socket, from which each association is peeled off.

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

/// Listens for associations, each of which gets a socket of its own.
///
/// The listener is a one-to-many socket, from which associations are peeled off when they are
/// accepted. Unlike a one-to-one socket, a peeled-off socket can be shut down with `SCTP_EOF`, and
/// aborted with a reason.
///
/// Dropping the listener stops listening. Accepted associations continue. Established associations
/// that were not accepted are closed, with an ABORT if they have sent anything.
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
    /// Listens on an address.
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
    /// The same as for [`SocketBuilder::listen`](crate::SocketBuilder::listen).
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
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
    /// An association that was closed before it was accepted is returned too, with the messages
    /// that the peer sent.
    ///
    /// # Errors
    ///
    /// Returns an error if the process or the system has no descriptors left (`EMFILE`, `ENFILE`),
    /// or if the reactor has no watches or memory for another one (`ENOSPC` at
    /// `fs.epoll.max_user_watches`, `ENOMEM`). No association is lost. Wait before calling the
    /// method again: until resources are freed, it returns the same error immediately. Also returns
    /// other errors of the system calls.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future before completion loses no association.
    pub async fn accept(&mut self) -> io::Result<Association> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next association. Only the waker of the most recent call is kept.
    ///
    /// # Errors
    ///
    /// The same as for [`accept`](Self::accept).
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Association>> {
        // A receive consumes tokio's cooperative budget, but a queued association needs no receive.
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

    /// Accepts an association that is established already.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, and the errors of
    /// [`accept`](Self::accept).
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

    /// Refuses new associations (`listen(2)` with a backlog of 0). Established ones continue, and
    /// can still be accepted.
    ///
    /// # Errors
    ///
    /// Returns errors of `listen(2)`.
    pub fn stop_listening(&self) -> io::Result<()> {
        self.io.socket().listen(0)
    }

    /// Returns the addresses that the listener is bound to.
    ///
    /// # Errors
    ///
    /// Returns errors of the system call.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.io.socket().local_addrs(AssocId::FUTURE)
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`) in bytes, with one system call. It is the
    /// size of the largest message that can be sent on an accepted association, which inherits it.
    ///
    /// # Errors
    ///
    /// Returns errors of `getsockopt(2)`.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.io.socket().send_buffer_size()
    }

    /// Returns the socket, for options. Receiving from the socket directly loses associations.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.io.socket()
    }

    /// Converts the listener into its socket, which still listens and has all associations that
    /// were not accepted.
    ///
    /// # Errors
    ///
    /// Returns the listener while it holds an association that is not on its socket: one that could
    /// not be registered with the reactor, or the messages of one that was closed before it was
    /// accepted. Accept until `WouldBlock` first.
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        if self.queue.is_complete() {
            Ok(self.io.into_socket())
        } else {
            Err(Box::new(self))
        }
    }
}

/// The same as [`SocketBuilder::listen_from`](crate::SocketBuilder::listen_from) with the defaults.
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

/// Yields accepted associations, and never ends. An error does not end the stream; see
/// [`SctpListener::accept`].
impl Stream for SctpListener {
    type Item = io::Result<Association>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(cx).map(Some)
    }
}
