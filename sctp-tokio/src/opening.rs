//! Making a socket as a builder says.

use std::{fmt, io, net::SocketAddr};

use sctp_core::{
    AssocId, EventSet, Family, Socket,
    options::{InitMsg, StreamScheduler},
};
use tokio::net::ToSocketAddrs;

use crate::{SocketBuilder, explained::named, shared::Style};

/// The notifications that this crate needs for itself.
const INTERNAL: EventSet = EventSet::ASSOC_CHANGE
    .union(EventSet::SHUTDOWN)
    .union(EventSet::PARTIAL_DELIVERY)
    .union(EventSet::STREAM_CHANGE);
/// The backlog given to `listen(2)`. One-to-many sockets do not count it, they only want it
/// above 0; for one-to-one sockets `net.core.somaxconn` bounds it further.
pub(crate) const BACKLOG: u32 = 4096;

impl SocketBuilder {
    /// Makes a socket that listens.
    pub(crate) fn open_listening(&self, style: Style) -> io::Result<Socket> {
        let socket = self.open(Family::of(&self.bind), style)?;
        self.bind_socket(&socket)?;
        // Two sockets that may reuse a port can both bind it before either of them listens.
        socket
            .listen(BACKLOG)
            .map_err(|error| match self.bind.first() {
                Some(addr) => named(&error, format_args!("cannot listen on {addr}")),
                None => error,
            })?;
        Ok(socket)
    }

    /// Makes a socket with every option set, not yet bound.
    fn open(&self, family: Family, style: Style) -> io::Result<Socket> {
        let socket = match style {
            Style::OneToMany => Socket::one_to_many(family)?,
            Style::OneToOne => Socket::one_to_one(family)?,
        };
        if self.reuse_address {
            socket.set_reuse_address(true)?;
        }
        if self.reuse_port {
            socket.set_reuse_port(true)?;
        }
        let init = Some(self.init_of_own());
        // A fresh socket has no other subscriptions to keep: one call instead of one for each type.
        self.set_up(&socket, init, |socket, events| {
            socket.set_all_events(events)
        })?;
        Ok(socket)
    }

    /// Sets what this crate relies on, and what the caller asked for.
    pub(crate) fn set_up(
        &self,
        socket: &Socket,
        init: Option<InitMsg>,
        subscribe: impl FnOnce(&Socket, EventSet) -> io::Result<()>,
    ) -> io::Result<()> {
        socket.set_recv_rcvinfo(true)?;
        socket.set_nodelay(self.nodelay)?;
        // One long message must not hold up the others of the socket.
        socket.set_fragment_interleave(true)?;
        if self.interleaving {
            interleave(socket)?;
        }
        subscribe(socket, INTERNAL | self.events)?;
        if let Some(init) = init {
            socket.set_init_msg(&init)?;
        }
        if let Some(bytes) = self.send_buffer_size {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.recv_buffer_size {
            socket.set_recv_buffer_size(bytes)?;
        }
        for set in &self.configure {
            set(socket)?;
        }
        Ok(())
    }

    /// What associations of a socket that was made here are set up with. A socket from elsewhere
    /// keeps what its maker gave it, but for what the caller asked for.
    pub(crate) fn init_of_own(&self) -> InitMsg {
        let mut init = self.init.unwrap_or_default();
        if init.outbound_streams == 0 {
            init.outbound_streams = Self::OUTBOUND_STREAMS;
        }
        if init.max_inbound_streams == 0 {
            init.max_inbound_streams = Self::MAX_INBOUND_STREAMS;
        }
        init
    }

    /// Subscribes to the notifications that this crate needs, and those that were asked for.
    pub(crate) fn subscribe(&self, socket: &Socket, assocs: AssocId) -> io::Result<()> {
        socket.subscribe(assocs, INTERNAL | self.events)
    }

    /// Makes the socket of a client.
    pub(crate) fn open_for(&self, peer: &[SocketAddr], style: Style) -> io::Result<Socket> {
        let all: Vec<SocketAddr> = self.bind.iter().chain(peer).copied().collect();
        let socket = self.open(Family::of(&all), style)?;
        self.bind_socket(&socket)?;
        Ok(socket)
    }

    fn bind_socket(&self, socket: &Socket) -> io::Result<()> {
        let Some((first, rest)) = self.bind.split_first() else {
            return Ok(());
        };
        socket
            .bind(*first)
            .map_err(|error| name_address(&error, *first))?;
        if rest.is_empty() {
            return Ok(());
        }
        let port = match first.port() {
            0 => socket
                .local_addrs(AssocId::FUTURE)?
                .first()
                .map_or(0, SocketAddr::port),
            port => port,
        };
        for addr in rest {
            if addr.port() != port && addr.port() != 0 {
                let message = format!(
                    "cannot bind {addr}: all addresses of a socket have one port, here {port}"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            let addr = SocketAddr::new(addr.ip(), port);
            socket
                .bindx_add(&[addr])
                .map_err(|error| name_address(&error, addr))?;
        }
        Ok(())
    }
}

/// Makes a socket of the first of several addresses, or of those that a name resolves to, that can
/// be bound.
pub(crate) async fn first_to_bind<T>(
    addrs: impl ToSocketAddrs + fmt::Debug,
    make: impl Fn(&SocketBuilder) -> io::Result<T>,
) -> io::Result<T> {
    let (first, rest) = resolve(addrs).await?;
    let make = |addr| make(&SocketBuilder::new().bind([addr]));
    let mut made = make(first);
    for addr in rest {
        if made.is_ok() {
            break;
        }
        made = make(addr);
    }
    made
}

/// The addresses of a name, at least one. An error names the name, which the resolver's does not.
pub(crate) async fn resolve(
    name: impl ToSocketAddrs + fmt::Debug,
) -> io::Result<(SocketAddr, Vec<SocketAddr>)> {
    let text = format!("{name:?}");
    let mut found = tokio::net::lookup_host(name)
        .await
        .map_err(|error| named(&error, format_args!("cannot resolve {text}")))?;
    match found.next() {
        Some(first) => Ok((first, found.collect())),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{text} resolved to no address"),
        )),
    }
}

fn name_address(error: &io::Error, addr: SocketAddr) -> io::Error {
    named(error, format_args!("cannot bind {addr}"))
}

/// Offers I-DATA, and has streams take turns. The kernel wants fragment interleaving to be on.
fn interleave(socket: &Socket) -> io::Result<()> {
    socket
        .set_interleaving_supported(true)
        .map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => io::Error::new(
                error.kind(),
                "message interleaving (I-DATA) is off in this kernel: sysctl net.sctp.intl_enable=1 turns it on",
            ),
            _ => error,
        })?;
    socket.set_stream_scheduler(AssocId::FUTURE, StreamScheduler::RoundRobin)
}
