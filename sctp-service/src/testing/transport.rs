//! The server's end of an association in memory.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use sctp_core::{AbortReason, AssocId, ErrorCauses};
use sctp_tokio::{End, Event, Message, RecvError, SendError, Side, SocketBuilder};

use super::{
    Peer,
    wire::{State, Wire},
};
use crate::{ConnectInfo, Transport};

/// As many each way as an association of two ends with this crate's sockets has.
pub(super) const STREAMS: u16 = SocketBuilder::OUTBOUND_STREAMS;

/// Makes both ends of an association in memory, with the defaults of [`Duplex`].
#[must_use]
pub fn duplex() -> (InMemory, Peer) {
    Duplex::new().build()
}

/// Settings of an association in memory.
#[derive(Clone, Debug)]
#[must_use = "build it"]
pub struct Duplex {
    connect_info: ConnectInfo,
    capacity: usize,
    max_message: usize,
}

impl Default for Duplex {
    fn default() -> Self {
        let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
        let local = SocketAddr::from(([192, 0, 2, 2], 9_877));
        let connect_info = ConnectInfo::new(AssocId::new(3))
            .with_peer_addrs([peer])
            .with_local_addrs([local])
            .with_streams(STREAMS, STREAMS);
        Self {
            connect_info,
            capacity: 1024,
            max_message: 200_000,
        }
    }
}

impl Duplex {
    /// Begins with association 3 between two addresses of the documentation network, 128 streams
    /// each way, queues of 1,024 messages, and messages of up to 200,000 bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the association looks like to the server.
    pub fn with_connect_info(mut self, connect_info: ConnectInfo) -> Self {
        self.connect_info = connect_info;
        self
    }

    /// Sets how many messages each direction holds unread, at least 1.
    pub fn with_capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// Sets how long a message of the server may be, in bytes, before sending it is refused. What
    /// the peer sends is not checked.
    pub fn with_max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Makes both ends.
    #[must_use]
    pub fn build(self) -> (InMemory, Peer) {
        let wire = Arc::new(Wire::new(self.capacity));
        let peer = Peer::new(Arc::clone(&wire), self.connect_info.assoc());
        (
            InMemory {
                wire,
                connect_info: self.connect_info,
                max_message: self.max_message,
            },
            peer,
        )
    }
}

/// The server's end of an association in memory.
///
/// Dropped before its end, it aborts without a reason.
#[derive(Debug)]
pub struct InMemory {
    wire: Arc<Wire>,
    connect_info: ConnectInfo,
    max_message: usize,
}

impl InMemory {
    fn check(&self, message: &Message) -> Result<(), SendError> {
        let (len, stream) = (message.payload.len(), message.info.stream);
        let negotiated = self.connect_info.outbound_streams();
        if len == 0 {
            Err(SendError::Empty)
        } else if len > self.max_message {
            Err(SendError::TooLarge { len })
        } else if stream.get() >= negotiated {
            Err(SendError::InvalidStream { stream, negotiated })
        } else {
            Ok(())
        }
    }

    /// Moves what there is room for.
    fn send(
        &self,
        state: &mut State,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        while let Some(front) = queue.front() {
            let refused = match (&state.end, state.shutting_down) {
                (Some(end), _) => Err(SendError::Ended(end.clone())),
                (None, Some(_)) => Err(SendError::ShuttingDown),
                (None, None) => self.check(front),
            };
            if let Err(error) = refused {
                queue.pop_front();
                return Poll::Ready(Err(error));
            }
            if state.outbound.len() >= state.capacity {
                return Poll::Pending;
            }
            state.outbound.extend(queue.pop_front());
        }
        Poll::Ready(Ok(()))
    }
}

impl Transport for InMemory {
    fn connect_info(&self) -> ConnectInfo {
        self.connect_info.clone()
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.wire.serve(|state| {
            if let Some(event) = state.inbound.pop_front() {
                return Poll::Ready(event);
            }
            state.register(cx.waker());
            state
                .end
                .clone()
                .map_or(Poll::Pending, |end| Poll::Ready(Ok(Event::Ended(end))))
        })
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut state = self.wire.look();
        state.register(cx.waker());
        match &state.end {
            None => Poll::Pending,
            // As on the kernel, how it ended is known when all is read.
            Some(_) if !state.inbound.is_empty() => Poll::Ready(End::Unread),
            Some(end) => Poll::Ready(end.clone()),
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.wire.serve(|state| {
            state.register(cx.waker());
            self.send(state, queue)
        })
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        self.wire.serve(|state| match state.end {
            Some(_) => Err(io::ErrorKind::BrokenPipe.into()),
            None => {
                state.shut_down(Side::Local);
                Ok(())
            }
        })
    }

    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        self.wire.serve(|state| match state.end {
            Some(_) => Err(io::ErrorKind::BrokenPipe.into()),
            None => {
                state.abort(Side::Local, reason);
                Ok(())
            }
        })
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        let causes = ErrorCauses::default;
        self.wire.serve(|state| {
            state.finish(
                End::Aborted {
                    by: Side::Local,
                    causes: causes(),
                },
                End::Aborted {
                    by: Side::Peer,
                    causes: causes(),
                },
            );
        });
    }
}
