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

use crate::{ConnectInfo, Listener, Transport};

impl Transport for Association {
    fn connect_info(&self) -> ConnectInfo {
        ConnectInfo::new(self.id())
            .with_peer_addrs(self.initial_peer_addrs())
            .with_local_addrs(self.initial_local_addrs())
            .with_streams(self.inbound_streams(), self.outbound_streams())
    }

    fn max_message(&self) -> Option<usize> {
        self.send_buffer_size().ok()
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

    /// On a one-to-one socket an abort cannot carry a reason. There this is `Unsupported`, and
    /// has the kernel abort without one when the association is dropped, with every
    /// [`SendHalf`](sctp_tokio::SendHalf) of it.
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

/// Serves the associations of a one-to-one socket, with the restrictions of its kind: an abort
/// cannot carry a reason. Each time the log has the reason that was not sent, and the peer hears
/// an abort without one.
impl Listener for OneToOneListener {
    type Transport = Association;

    fn accept(&mut self) -> impl Future<Output = io::Result<Association>> + Send {
        Self::accept(self)
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Self::local_addrs(self)
    }

    /// Refuses peers while others wait to be accepted, see [`OneToOneListener::stop_listening`]. The socket
    /// stops listening when it is dropped, as the server does once all of these are accepted.
    fn stop_listening(&mut self) -> io::Result<()> {
        Self::stop_listening(self)
    }

    async fn accept_waiting(&mut self) -> Option<io::Result<Association>> {
        unless_would_block(self.try_accept())
    }
}

/// Returns what a `try_` method accepted; `None` if nothing waited.
fn unless_would_block(accepted: io::Result<Association>) -> Option<io::Result<Association>> {
    match accepted {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        accepted => Some(accepted),
    }
}
