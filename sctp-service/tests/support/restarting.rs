//! A transport whose peer restarts.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use sctp_service::{
    AbortReason, ConnectInfo, End, Event, Message, RecvError, SendError, Transport,
    testing::{InMemory, Peer},
};

/// A transport whose peer starts again just before something is sent.
pub(crate) struct Restarting {
    pub(crate) inner: InMemory,
    pub(crate) peer: Arc<Peer>,
    /// How often it does so at the next message.
    pub(crate) restarts: Arc<AtomicU8>,
}

impl Transport for Restarting {
    fn connect_info(&self) -> ConnectInfo {
        self.inner.connect_info()
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.inner.poll_next_event(cx)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.inner.poll_closed(cx)
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        for _ in 0..self.restarts.swap(0, Ordering::Relaxed) {
            self.peer.restart();
        }
        self.inner.poll_send(cx, queue)
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        self.inner.start_shutdown()
    }

    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        self.inner.abort(reason)
    }
}
