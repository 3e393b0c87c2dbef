//! What a log line shows of sockets and their handles: who talks to whom, how it was set up, and how
//! much is queued. Never what is queued: that is the users' data, and may be long.
//!
//! The addresses of a listening socket are asked for, as the standard library does it: if the kernel
//! does not tell, they are left out.

use std::{fmt, io, net::SocketAddr};

use crate::{
    Association, Endpoint, EndpointSender, OneToOneListener, RecvHalf, SctpListener, SendHalf,
    SocketBuilder, builder::DEFAULT_EVENTS, hub::Hub, shared::Shared,
};

/// Adds the addresses of a socket, if there are any.
fn addrs(shown: &mut fmt::DebugStruct<'_, '_>, addrs: io::Result<Vec<SocketAddr>>) {
    if let Ok(addrs) = addrs {
        shown.field("local_addrs", &addrs);
    }
}

/// What was not asked for is left out.
fn if_some<T: fmt::Debug>(shown: &mut fmt::DebugStruct<'_, '_>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        shown.field(name, &value);
    }
}

/// The addresses, limits, and whatever differs from the defaults; of the functions of
/// [`configure`](Self::configure) how many there are.
impl fmt::Debug for SocketBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let init = self.init_of_own();
        let mut shown = f.debug_struct("SocketBuilder");
        shown
            .field("bind", &self.bind)
            .field("outbound_streams", &init.outbound_streams)
            .field("max_inbound_streams", &init.max_inbound_streams)
            .field("nodelay", &self.nodelay)
            .field("interleaving", &self.interleaving)
            .field("reuse_address", &self.reuse_address)
            .field("reuse_port", &self.reuse_port)
            .field("max_message_size", &self.max_message_size);
        let attempts = Some(init.max_attempts).filter(|attempts| *attempts > 0);
        if_some(&mut shown, "max_attempts", attempts);
        let timeout = Some(init.max_timeout).filter(|timeout| !timeout.is_zero());
        if_some(&mut shown, "max_timeout", timeout);
        if_some(&mut shown, "connect_timeout", self.connect_timeout);
        if_some(&mut shown, "send_buffer_size", self.send_buffer_size);
        if_some(&mut shown, "recv_buffer_size", self.recv_buffer_size);
        let events = Some(self.events).filter(|events| *events != DEFAULT_EVENTS);
        if_some(&mut shown, "events", events);
        let configured = Some(self.configure.len()).filter(|count| *count > 0);
        if_some(&mut shown, "configured", configured);
        shown.finish()
    }
}

/// Begins with what is known about an association; nothing is asked for.
fn association<'a, 'b>(
    f: &'a mut fmt::Formatter<'b>,
    name: &str,
    shared: &Shared,
) -> fmt::DebugStruct<'a, 'b> {
    let mut shown = f.debug_struct(name);
    shown
        .field("id", &shared.id)
        .field("peer_addrs", &shared.peer_addrs)
        .field("local_addrs", &shared.local_addrs)
        .field("outbound_streams", &shared.outbound_streams())
        .field("inbound_streams", &shared.inbound_streams())
        .field("style", &shared.style)
        .field("end", &shared.end());
    shown
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        association(f, "Association", &self.receiver.shared)
            .field("unread", &self.receiver.parts.len())
            .field("unflushed", &self.sender.outgoing.len())
            .finish()
    }
}

impl fmt::Debug for RecvHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        association(f, "RecvHalf", &self.shared)
            .field("unread", &self.parts.len())
            .finish()
    }
}

impl fmt::Debug for SendHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        association(f, "SendHalf", &self.shared)
            .field("unflushed", &self.outgoing.len())
            .finish()
    }
}

impl fmt::Debug for SctpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SctpListener");
        addrs(&mut shown, self.local_addrs());
        shown
            .field("max_message_size", &self.max_message_size)
            .field("waiting", &self.waiting.len())
            .finish()
    }
}

impl fmt::Debug for OneToOneListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("OneToOneListener");
        addrs(&mut shown, self.local_addrs());
        shown
            .field("max_message_size", &self.max_message_size)
            .finish()
    }
}

/// Begins with what an endpoint and its senders share.
fn endpoint<'a, 'b>(
    f: &'a mut fmt::Formatter<'b>,
    name: &str,
    hub: &Hub,
    local: io::Result<Vec<SocketAddr>>,
) -> fmt::DebugStruct<'a, 'b> {
    let mut shown = f.debug_struct(name);
    addrs(&mut shown, local);
    shown.field("associations", &hub.peers().len());
    shown
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        endpoint(f, "Endpoint", &self.hub, self.local_addrs())
            .field("unread", &self.parts.len())
            .finish()
    }
}

impl fmt::Debug for EndpointSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.socket().local_addrs(sctp_core::AssocId::FUTURE);
        endpoint(f, "EndpointSender", &self.hub, local).finish()
    }
}
