//! Listener with a one-to-one socket.

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
        setup::{BACKLOG, SocketConfig, first_to_bind},
    },
};

/// Largest effective backlog: the largest useful value of `net.core.somaxconn`.
const MAX_BACKLOG: u32 = 65_535;

/// Listens with a one-to-one socket (`SOCK_STREAM`, RFC 6458 section 4), on which `accept(2)`
/// returns a socket per association, as for TCP.
///
/// Meant for interoperability with supervisors and libraries that pass such descriptors. Otherwise
/// use [`SctpListener`](crate::SctpListener), which has fewer restrictions. On these associations
/// Linux cannot send an ABORT with a reason:
///
/// * [`Association::abort`] returns [`Unsupported`](io::ErrorKind::Unsupported). Use
///   [`Association::abort_without_reason`].
/// * A message over the limit is dropped and reported as
///   [`RecvError::TooLarge`](crate::RecvError::TooLarge), and the peer is not aborted.
///
/// Associations that are not accepted yet count against the backlog. Beyond it, peers are refused.
/// Dropping the listener aborts them; accepted associations continue.
pub struct OneToOneListener {
    io: Io,
    max_message_size: usize,
    /// Set if the listener was created from an existing socket, whose earlier associations lack the
    /// subscriptions of this crate.
    subscribe_accepted: Option<SocketConfig>,
    /// Accepted socket that could not be set up or registered with the reactor. The next accept
    /// tries it again first.
    pending: Option<Socket>,
    /// Set after [`OneToOneListener::stop_listening`]: the maximum number of associations still to
    /// be accepted.
    remaining: Option<u32>,
}

impl OneToOneListener {
    /// Listens on an address.
    ///
    /// If a name resolves to several addresses, the first that can be bound is used.
    ///
    /// `[::]` serves IPv6 and IPv4, `0.0.0.0` IPv4 only. The wildcard address announces every address
    /// of the machine to peers; see
    /// [`SocketBuilder::with_local_addrs`](crate::SocketBuilder::with_local_addrs).
    ///
    /// # Errors
    ///
    /// The same as for [`SocketBuilder::listen_one_to_one`](crate::SocketBuilder::listen_one_to_one).
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
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
            remaining: None,
        })
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
        // `accept(2)` consumes tokio's cooperative budget, but a pending socket needs no system
        // call.
        if self.pending.is_some() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        let socket = match self.pending.take() {
            Some(socket) => socket,
            None => {
                let remaining = &mut self.remaining;
                ready!(
                    self.io
                        .poll_read(cx, |socket| take_waiting(remaining, socket))
                )?
            }
        };
        Poll::Ready(self.accepted(socket))
    }

    /// Accepts an association that is established already.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, and the errors of
    /// [`accept`](Self::accept).
    pub fn try_accept(&mut self) -> io::Result<Association> {
        let socket = match self.pending.take() {
            Some(socket) => socket,
            None => take_waiting(&mut self.remaining, self.io.socket())?,
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

    /// Refuses new associations while others wait to be accepted. Established ones continue, and
    /// can still be accepted: call [`try_accept`](Self::try_accept) until it returns
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), then drop the listener.
    ///
    /// Linux accepts associations only while the socket listens, so this method sets the backlog to
    /// 1 instead: up to two further peers at a time are not refused. The listener then accepts at
    /// most as many associations as the backlog could hold when this method was called, in the
    /// order of their arrival. After that, `accept` never completes.
    ///
    /// # Errors
    ///
    /// Returns errors of `listen(2)`.
    pub fn stop_listening(&mut self) -> io::Result<()> {
        self.io.socket().listen(1)?;
        let backlog = match self.subscribe_accepted {
            None => BACKLOG,
            // The backlog of a socket created elsewhere is unknown.
            Some(_) => MAX_BACKLOG,
        };
        self.remaining.get_or_insert(backlog + 1);
        Ok(())
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

    /// Returns the socket, for options.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.io.socket()
    }

    /// Converts the listener into its socket, which still listens and has all associations that
    /// were not accepted.
    ///
    /// # Errors
    ///
    /// Returns the listener while it holds an association that could not be registered with the
    /// reactor: accept it first.
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        match self.pending {
            None => Ok(self.io.into_socket()),
            Some(_) => Err(Box::new(self)),
        }
    }
}

/// Accepts a queued association, unless the listener has stopped and `remaining` is 0.
fn take_waiting(remaining: &mut Option<u32>, socket: &Socket) -> io::Result<Socket> {
    if *remaining == Some(0) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let accepted = socket.accept()?;
    if let Some(remaining) = remaining {
        *remaining -= 1;
    }
    Ok(accepted)
}

impl AsFd for OneToOneListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.socket().as_fd()
    }
}

/// Yields accepted associations, and never ends. An error does not end the stream; see
/// [`OneToOneListener::accept`].
impl Stream for OneToOneListener {
    type Item = io::Result<Association>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(cx).map(Some)
    }
}

/// The same as
/// [`SocketBuilder::listen_one_to_one_from`](crate::SocketBuilder::listen_one_to_one_from) with the
/// defaults.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stopped_listener_accepts_no_more_than_waited() {
        let mut listener = OneToOneListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addrs().unwrap()[0];
        listener.stop_listening().unwrap();
        assert_eq!(listener.remaining, Some(BACKLOG + 1));
        listener.remaining = Some(3);
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(Association::connect(addr).await.unwrap());
            listener.try_accept().unwrap();
        }
        clients.push(Association::connect(addr).await.unwrap());
        let none = listener.try_accept().unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
    }
}
