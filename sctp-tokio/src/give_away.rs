//! Sockets that go elsewhere.

use std::{collections::VecDeque, sync::Arc};

use sctp_core::Socket;

use crate::{Association, Endpoint, RecvHalf, SctpListener, assembly::Assembler, shared::Shared};

impl Association {
    /// Takes the socket, with the association on it and all that is queued in the kernel;
    /// `OwnedFd::from` makes a plain descriptor of it.
    ///
    /// # Errors
    ///
    /// Gives the association back when other handles ([`SendHalf`](crate::SendHalf)) exist, when
    /// something has been received and not told yet (receive with
    /// [`try_next_event`](Self::try_next_event) until `WouldBlock`), or when it ended before it
    /// could get a socket.
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        let Self { receiver, sender } = self;
        let idle = receiver.is_idle() && sender.is_idle() && receiver.shared.io().is_some();
        if !idle {
            return Err(Box::new(Self { receiver, sender }));
        }
        drop(sender);
        // Nothing is unread, so there is no more to it than this.
        let (shared, limit) = (Arc::clone(&receiver.shared), receiver.assembler.limit());
        drop(receiver);
        // The halves were the only ones to hold it.
        let left = match Arc::try_unwrap(shared).map(Shared::into_socket) {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(shared)) => Arc::from(shared),
            Err(shared) => shared,
        };
        Err(Box::new(Self::from_receiver(RecvHalf::new(
            left,
            Assembler::new(limit),
            VecDeque::new(),
        ))))
    }
}

impl SctpListener {
    /// Takes the socket, still listening. Associations that were not accepted are on it.
    ///
    /// # Errors
    ///
    /// Gives the listener back while it holds what an association sent that ended before it was
    /// accepted: accept until `WouldBlock` first.
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        if self.orphans.is_empty() {
            Ok(self.io.into_socket())
        } else {
            Err(Box::new(self))
        }
    }
}

impl Endpoint {
    /// Takes the socket, still listening, with all of its associations.
    ///
    /// # Errors
    ///
    /// Gives the endpoint back when [`EndpointSender`](crate::EndpointSender)s exist, or when something has been received
    /// and not told yet (receive with [`try_next_event`](Self::try_next_event) until
    /// `WouldBlock`).
    pub fn into_socket(self) -> Result<Socket, Box<Self>> {
        let idle = self.parts.is_empty() && self.assembler.is_empty() && self.pending_end.is_none();
        if !idle {
            return Err(Box::new(self));
        }
        let (hub, limit) = (Arc::clone(&self.hub), self.assembler.limit());
        drop(self);
        match Arc::try_unwrap(hub) {
            Ok(hub) => Ok(hub.io.into_socket()),
            Err(hub) => Err(Box::new(Self::from_hub(hub, limit))),
        }
    }
}
