//! Associations with a socket of their own.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use sctp_core::AbortReason;
use sctp_tokio::{
    Association, End, Event, Message, OneToOneListener, RecvError, SctpListener, SendError,
};
use socket2::SockRef;

use crate::{ConnectInfo, Listener, Transport, TransportStats};

impl Transport for Association {
    fn connect_info(&self) -> ConnectInfo {
        ConnectInfo::new(self.id())
            .with_peer_addrs(self.initial_peer_addrs())
            .with_local_addrs(self.initial_local_addrs())
            .with_streams(self.inbound_streams(), self.outbound_streams())
    }

    fn max_message(&self) -> Option<usize> {
        self.control().send_buffer_size().ok()
    }

    fn stats(&self) -> io::Result<TransportStats> {
        let socket = self.socket().ok_or(io::ErrorKind::NotConnected)?;
        TransportStats::read(socket, self.id())
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        Self::poll_next_event(self, cx)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        Self::poll_closed(self, cx)
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.poll_send_queue(cx, queue)
    }

    fn poll_acknowledged(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flushed(cx)
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        Self::start_shutdown(self)
    }

    /// On a one-to-one socket an abort cannot carry a reason: this method returns `Unsupported`,
    /// and the kernel aborts without a reason when the association and all its
    /// [`SendHalf`](sctp_tokio::SendHalf)s are dropped.
    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        let aborted = Self::abort(self, reason);
        let unsupported = matches!(&aborted, Err(e) if e.kind() == io::ErrorKind::Unsupported);
        if let Some(socket) = self.socket().filter(|_| unsupported) {
            SockRef::from(socket).set_linger(Some(Duration::ZERO))?;
        }
        aborted
    }
}

impl Listener for SctpListener {
    type Transport = Association;

    fn accept(&mut self) -> impl Future<Output = io::Result<Association>> + Send {
        Self::accept(self)
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Self::local_addrs(self)
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        Self::stop_listening(self)
    }

    async fn accept_waiting(&mut self) -> Option<io::Result<Association>> {
        unless_would_block(self.try_accept())
    }
}

/// Serves the associations of a one-to-one socket. Aborts on such a socket cannot carry a reason:
/// the reason is logged instead, and the peer receives an ABORT without one.
impl Listener for OneToOneListener {
    type Transport = Association;

    fn accept(&mut self) -> impl Future<Output = io::Result<Association>> + Send {
        Self::accept(self)
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Self::local_addrs(self)
    }

    /// Refuses new peers while others wait to be accepted: see
    /// [`OneToOneListener::stop_listening`]. The socket stops listening when it is dropped, which a
    /// server does once all waiting associations are accepted.
    fn stop_listening(&mut self) -> io::Result<()> {
        Self::stop_listening(self)
    }

    async fn accept_waiting(&mut self) -> Option<io::Result<Association>> {
        unless_would_block(self.try_accept())
    }
}

/// Converts the result of a `try_` method: `None` if there was nothing to accept.
fn unless_would_block(accepted: io::Result<Association>) -> Option<io::Result<Association>> {
    match accepted {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        accepted => Some(accepted),
    }
}
