//! In-memory transport.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use sctp_core::{AbortReason, AssocId, RecvInfo};
use sctp_tokio::{End, Event, Message, Received, RecvError, SendError, SocketBuilder};

use super::{
    Peer,
    wire::{Item, State, Wire, WireEnd, causes},
};
use crate::{ConnectInfo, Transport};

/// Number of streams in each direction, as between two sockets of sctp-tokio.
pub(super) const STREAMS: u16 = SocketBuilder::OUTBOUND_STREAMS;

/// The number of the first association.
pub(super) const FIRST: i32 = 3;

/// Creates both ends of an in-memory association, with the default settings of [`Duplex`].
#[must_use]
pub fn duplex() -> (InMemory, Peer) {
    Duplex::new().build()
}

/// Settings of an in-memory association.
#[derive(Clone, Debug)]
#[must_use = "build it"]
pub struct Duplex {
    connect_info: Option<ConnectInfo>,
    capacity: usize,
    max_message: usize,
}

impl Default for Duplex {
    fn default() -> Self {
        Self {
            connect_info: None,
            capacity: 1024,
            max_message: 200_000,
        }
    }
}

impl Duplex {
    /// Creates the default settings: association 3 between two documentation addresses, 128 streams
    /// in each direction, queues of 1,024 messages, and messages of up to 200,000 bytes. A
    /// [`Network`](super::Network) gives each association its own number and port.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the information that the server, or the transport of [`build`](Self::build), has about
    /// the association. The other end has the mirrored information.
    pub fn with_connect_info(mut self, connect_info: ConnectInfo) -> Self {
        self.connect_info = Some(connect_info);
        self
    }

    /// Sets the maximum number of unread messages in each direction, at least 1.
    pub fn with_capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// Sets the maximum size in bytes of messages that a server or a client sends. Messages of a
    /// [`Peer`] may be longer.
    pub fn with_max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Creates both ends.
    #[must_use]
    pub fn build(self) -> (InMemory, Peer) {
        let (transport, other) = self.transports(FIRST);
        (transport, other.into_peer())
    }

    /// Creates both ends, the server's first. The number is used if the settings have none.
    pub(super) fn transports(self, number: i32) -> (InMemory, InMemory) {
        let server = self.connect_info.unwrap_or_else(|| numbered(number));
        let client = ConnectInfo::new(server.assoc())
            .with_peer_addrs(server.local_addrs())
            .with_local_addrs(server.peer_addrs())
            .with_streams(server.outbound_streams(), server.inbound_streams());
        let wire = Arc::new(Wire::new(self.capacity, server.assoc()));
        let end = |at, connect_info| InMemory {
            wire: Arc::clone(&wire),
            at,
            connect_info,
            max_message: self.max_message,
            given_away: false,
        };
        (end(WireEnd::A, server), end(WireEnd::Z, client))
    }
}

/// Returns the address of every in-memory server.
pub(super) fn server_addr() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2], 9_877))
}

pub(super) fn numbered(number: i32) -> ConnectInfo {
    let port = 40_000 + u16::try_from((number - FIRST) % 20_000).unwrap_or_default();
    ConnectInfo::new(AssocId::new(number))
        .with_peer_addrs([SocketAddr::from(([192, 0, 2, 1], port))])
        .with_local_addrs([server_addr()])
        .with_streams(STREAMS, STREAMS)
}

/// In-memory transport of a server or a client. The other end is another transport or a [`Peer`].
///
/// Dropping an open transport closes the association as the kernel does when a socket is closed:
/// with a SHUTDOWN, or with an ABORT without a reason if messages are unread.
#[derive(Debug)]
pub struct InMemory {
    wire: Arc<Wire>,
    at: WireEnd,
    connect_info: ConnectInfo,
    max_message: usize,
    /// Set when converted to a peer, so that dropping the transport does not close the association.
    given_away: bool,
}

impl InMemory {
    /// Converts this end to a peer for a test.
    pub(super) fn into_peer(mut self) -> Peer {
        self.given_away = true;
        let streams = self.connect_info.outbound_streams();
        Peer::new(Arc::clone(&self.wire), self.at, streams)
    }

    fn check(&self, message: &Message) -> Result<(), SendError> {
        let (len, stream) = (message.payload.len(), message.info.stream);
        let negotiated = self.connect_info.outbound_streams();
        if len == 0 {
            Err(SendError::Empty)
        } else if len > self.max_message {
            Err(SendError::TooLarge {
                len,
                limit: self.max_message,
            })
        } else if stream.get() >= negotiated {
            Err(SendError::InvalidStream { stream, negotiated })
        } else {
            Ok(())
        }
    }

    /// Moves as many messages as there is room for.
    fn send(
        &self,
        state: &mut State,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        let to = self.at.other();
        while let Some(front) = queue.front() {
            let refused = if let Some(end) = &state.at(self.at).end {
                Err(SendError::Closed(end.clone()))
            } else if state.shutting_down.is_some() {
                Err(SendError::ShuttingDown)
            } else {
                self.check(front)
            };
            if let Err(error) = refused {
                queue.pop_front();
                return Poll::Ready(Err(error));
            }
            if !state.has_room(to) {
                return Poll::Pending;
            }
            if let Some(message) = queue.pop_front() {
                state.push(to, Item::Message(message));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Transport for InMemory {
    fn connect_info(&self) -> ConnectInfo {
        self.connect_info.clone()
    }

    fn max_message(&self) -> Option<usize> {
        Some(self.max_message)
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        let (polled, _earlier) = self.wire.act(|state| {
            if let Some(item) = state.pop(self.at) {
                return (Poll::Ready(event(item, self.connect_info.assoc())), None);
            }
            let here = state.at(self.at);
            let earlier = here.register(cx.waker());
            let end = here.end.clone();
            let polled = end.map_or(Poll::Pending, |end| Poll::Ready(Ok(Event::Closed(end))));
            (polled, earlier)
        });
        polled
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let _earlier;
        let mut state = self.wire.look();
        let here = state.at(self.at);
        _earlier = here.register(cx.waker());
        match &here.end {
            None => Poll::Pending,
            // As with the kernel, the end is known when all messages are read.
            Some(_) if here.has_unread() => Poll::Ready(End::Unread),
            Some(end) => Poll::Ready(end.clone()),
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        let (sent, _earlier) = self.wire.act(|state| {
            let earlier = state.at(self.at).register(cx.waker());
            (self.send(state, queue), earlier)
        });
        sent
    }

    fn poll_acknowledged(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let (polled, _earlier) = self.wire.act(|state| {
            if let Some(end) = state.at(self.at).end.clone() {
                return (Poll::Ready(Err(SendError::Closed(end))), None);
            }
            if !state.at(self.at.other()).holds_acks {
                return (Poll::Ready(Ok(())), None);
            }
            (Poll::Pending, state.at(self.at).register(cx.waker()))
        });
        polled
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        self.wire.act(|state| match state.at(self.at).end {
            Some(_) => Err(io::ErrorKind::BrokenPipe.into()),
            None => {
                state.shut_down(self.at);
                Ok(())
            }
        })
    }

    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        self.wire.act(|state| match state.at(self.at).end {
            Some(_) => Err(io::ErrorKind::BrokenPipe.into()),
            None => {
                state.abort(self.at, causes(reason));
                Ok(())
            }
        })
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        if !self.given_away {
            self.wire.act(|state| state.close(self.at));
        }
    }
}

/// Converts a sent message to the received one.
pub(super) fn received(message: Message, assoc: AssocId) -> Received {
    let Message { payload, info } = message;
    let info = RecvInfo::default()
        .with_assoc(assoc)
        .with_stream(info.stream)
        .with_ppid(info.ppid)
        .with_unordered(info.unordered);
    Received::new(payload, info)
}

/// Converts an item to an event of the transport.
fn event(item: Item, assoc: AssocId) -> Result<Event, RecvError> {
    match item {
        Item::Message(message) => Ok(Event::Message(received(message, assoc))),
        Item::Notification(notification) => Ok(Event::Notification(notification)),
        Item::Failure(error) => Err(error),
    }
}
