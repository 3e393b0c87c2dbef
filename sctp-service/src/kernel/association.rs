//! An association with a socket of its own.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use sctp_core::AbortReason;
use sctp_tokio::{Association, End, Event, Message, RecvError, SctpListener, SendError};

use crate::{ConnectInfo, Listener, Transport};

impl Transport for Association {
    fn connect_info(&self) -> ConnectInfo {
        ConnectInfo::new(self.id())
            .with_peer_addrs(self.peer_addrs())
            .with_local_addrs(self.local_addrs())
            .with_streams(self.inbound_streams(), self.outbound_streams())
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        Self::poll_event(self, cx)
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        Self::poll_ended(self, cx)
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.poll_send_queue(cx, queue)
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        Self::start_shutdown(self)
    }

    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        Self::abort(self, reason)
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
        self.stop()
    }
}
