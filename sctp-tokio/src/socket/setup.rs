//! Creation of sockets and their options.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use sctp_core::{
    AssocId, EventSet, Family, Socket,
    options::{AssocInfo, InitMsg, PeerAddrParams, RtoInfo, StreamScheduler},
};
use tokio::net::ToSocketAddrs;

use crate::{association::shared::Style, error_context::prefixed};

/// Notifications subscribed by default: those that report a loss or a change.
///
/// `SENDER_DRY` is excluded because it can follow every message. `REMOTE_ERROR` is excluded because
/// its memory is not bounded: for each cause in an ERROR chunk, the kernel queues a copy of the
/// remaining causes, even if the receive buffer is full.
const DEFAULT_EVENTS: EventSet = EventSet::all()
    .difference(EventSet::SENDER_DRY)
    .difference(EventSet::REMOTE_ERROR)
    .difference(EventSet::AUTHENTICATION);

/// Notifications that this crate depends on.
const INTERNAL: EventSet = EventSet::ASSOC_CHANGE
    .union(EventSet::SHUTDOWN)
    .union(EventSet::PARTIAL_DELIVERY)
    .union(EventSet::STREAM_CHANGE);

/// Backlog for `listen(2)`. For one-to-many sockets any value above 0 enables listening. For
/// one-to-one sockets `net.core.somaxconn` is a further limit.
pub(crate) const BACKLOG: u32 = 4096;

/// Default size limit of received messages: 1 MiB.
const DEFAULT_MAX_MESSAGE_SIZE: usize = 1024 * 1024;

/// Default number of outbound streams that an association requests.
pub(crate) const OUTBOUND_STREAMS: u16 = 128;
/// Default number of inbound streams that a peer is allowed.
pub(crate) const MAX_INBOUND_STREAMS: u16 = 1024;

type Configure = Arc<dyn Fn(&Socket) -> io::Result<()> + Send + Sync>;

/// Addresses, options and limits of a socket.
#[derive(Clone)]
pub(crate) struct SocketConfig {
    pub(crate) local_addrs: Vec<SocketAddr>,
    pub(crate) init: Option<InitMsg>,
    pub(crate) rto_info: RtoInfo,
    pub(crate) assoc_info: AssocInfo,
    pub(crate) peer_addr_params: PeerAddrParams,
    pub(crate) nodelay: bool,
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    pub(crate) send_buffer_size: Option<usize>,
    pub(crate) recv_buffer_size: Option<usize>,
    pub(crate) events: EventSet,
    pub(crate) max_message_size: usize,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) interleaving: bool,
    pub(crate) configure: Vec<Configure>,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            local_addrs: Vec::new(),
            init: None,
            rto_info: RtoInfo::new(),
            assoc_info: AssocInfo::new(),
            peer_addr_params: PeerAddrParams::new(),
            nodelay: true,
            reuse_address: true,
            reuse_port: false,
            send_buffer_size: None,
            recv_buffer_size: None,
            events: DEFAULT_EVENTS,
            max_message_size: DEFAULT_MAX_MESSAGE_SIZE,
            connect_timeout: None,
            interleaving: false,
            configure: Vec::new(),
        }
    }
}

impl SocketConfig {
    /// Creates a socket that listens.
    pub(crate) fn open_listening(&self, style: Style) -> io::Result<Socket> {
        let socket = self.open(Family::of(&self.local_addrs), style)?;
        self.bind_socket(&socket)?;
        // Two sockets with `SO_REUSEADDR` can bind the same port, so a conflict may be detected
        // only here.
        socket
            .listen(BACKLOG)
            .map_err(|error| match self.local_addrs.first() {
                Some(addr) => prefixed(&error, format_args!("cannot listen on {addr}")),
                None => error,
            })?;
        Ok(socket)
    }

    /// Creates a socket with all options, not yet bound.
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
        let init = Some(self.init_msg());
        // A new socket has no other subscriptions, so one call suffices instead of one per type.
        self.set_up(&socket, init, |socket, events| {
            socket.set_all_events(events)
        })?;
        Ok(socket)
    }

    /// Sets the options that this crate needs, and those that the caller has set.
    pub(crate) fn set_up(
        &self,
        socket: &Socket,
        init: Option<InitMsg>,
        subscribe: impl FnOnce(&Socket, EventSet) -> io::Result<()>,
    ) -> io::Result<()> {
        socket.set_recv_rcvinfo(true)?;
        socket.set_nodelay(self.nodelay)?;
        // Without fragment interleave, a partially delivered message blocks all others of the
        // socket.
        socket.set_fragment_interleave(true)?;
        if self.interleaving {
            interleave(socket)?;
        }
        subscribe(socket, INTERNAL | self.events)?;
        if let Some(init) = init {
            socket.set_init_msg(&init)?;
        }
        self.set_up_timers(socket)?;
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

    /// Sets the timers and retransmissions that the caller has set.
    fn set_up_timers(&self, socket: &Socket) -> io::Result<()> {
        if self.rto_info != RtoInfo::new() {
            socket.set_rto_info(AssocId::FUTURE, &self.rto_info)?;
        }
        if self.assoc_info != AssocInfo::new() {
            socket.set_assoc_info(AssocId::FUTURE, &self.assoc_info)?;
        }
        if self.peer_addr_params != PeerAddrParams::new() {
            socket.set_peer_addr_params(AssocId::FUTURE, None, &self.peer_addr_params)?;
        }
        Ok(())
    }

    /// Returns the setup parameters of associations of a new socket. A socket created elsewhere
    /// keeps its own, unless the caller has set some.
    pub(crate) fn init_msg(&self) -> InitMsg {
        let mut init = self.init.unwrap_or_default();
        if init.outbound_streams == 0 {
            init.outbound_streams = OUTBOUND_STREAMS;
        }
        if init.max_inbound_streams == 0 {
            init.max_inbound_streams = MAX_INBOUND_STREAMS;
        }
        init
    }

    /// Subscribes to the notifications that this crate needs, and those that the caller has chosen.
    pub(crate) fn subscribe(&self, socket: &Socket, assocs: AssocId) -> io::Result<()> {
        socket.subscribe(assocs, INTERNAL | self.events)
    }

    /// Creates the socket of a client.
    pub(crate) fn open_for(&self, peer: &[SocketAddr], style: Style) -> io::Result<Socket> {
        let all: Vec<SocketAddr> = self.local_addrs.iter().chain(peer).copied().collect();
        let socket = self.open(Family::of(&all), style)?;
        self.bind_socket(&socket)?;
        Ok(socket)
    }

    fn bind_socket(&self, socket: &Socket) -> io::Result<()> {
        let Some((first, rest)) = self.local_addrs.split_first() else {
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
                let message = format!("cannot bind {addr}: port differs from {port}");
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

impl fmt::Debug for SocketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let init = self.init_msg();
        let mut shown = f.debug_struct("SocketBuilder");
        shown
            .field("local_addrs", &self.local_addrs)
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
        let rto = Some(self.rto_info).filter(|info| *info != RtoInfo::new());
        if_some(&mut shown, "rto_info", rto);
        let info = Some(self.assoc_info).filter(|info| *info != AssocInfo::new());
        if_some(&mut shown, "assoc_info", info);
        let params = Some(self.peer_addr_params).filter(|params| *params != PeerAddrParams::new());
        if_some(&mut shown, "peer_addr_params", params);
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

/// Adds a field if it is set.
fn if_some<T: fmt::Debug>(shown: &mut fmt::DebugStruct<'_, '_>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        shown.field(name, &value);
    }
}

/// Creates a socket on the first of several addresses that can be bound.
pub(crate) async fn first_to_bind<T>(
    addrs: impl ToSocketAddrs + fmt::Debug,
    make: impl Fn(&SocketConfig) -> io::Result<T>,
) -> io::Result<T> {
    let (first, rest) = resolve(addrs).await?;
    let make = |addr| {
        make(&SocketConfig {
            local_addrs: vec![addr],
            ..SocketConfig::default()
        })
    };
    let mut made = make(first);
    for addr in rest {
        if made.is_ok() {
            break;
        }
        made = make(addr);
    }
    made
}

/// Resolves a name to at least one address. Adds the name to errors.
pub(crate) async fn resolve(
    name: impl ToSocketAddrs + fmt::Debug,
) -> io::Result<(SocketAddr, Vec<SocketAddr>)> {
    let text = format!("{name:?}");
    let mut found = tokio::net::lookup_host(name)
        .await
        .map_err(|error| prefixed(&error, format_args!("cannot resolve {text}")))?;
    match found.next() {
        Some(first) => Ok((first, found.collect())),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{text} resolved to no address"),
        )),
    }
}

fn name_address(error: &io::Error, addr: SocketAddr) -> io::Error {
    prefixed(error, format_args!("cannot bind {addr}"))
}

/// Enables I-DATA with round-robin scheduling of streams. The kernel requires fragment interleave.
fn interleave(socket: &Socket) -> io::Result<()> {
    socket
        .set_interleaving_supported(true)
        .map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => io::Error::new(
                error.kind(),
                "message interleaving (I-DATA) is disabled by sysctl net.sctp.intl_enable",
            ),
            _ => error,
        })?;
    socket.set_stream_scheduler(AssocId::FUTURE, StreamScheduler::RoundRobin)
}
