//! Builder of listeners, associations and endpoints.

use std::{fmt, io, net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};

use sctp_core::{
    EventSet, Socket,
    options::{AssocInfo, InitMsg, PeerAddrParams, RtoInfo},
};
use tokio::net::ToSocketAddrs;

use super::{
    connect::connect,
    connect_any::connect_any,
    fd,
    setup::{self, SocketConfig},
};
use crate::{
    association::{Association, shared::Style},
    endpoint::Endpoint,
    error::ConnectError,
    listener::{SctpListener, one_to_one::OneToOneListener},
};

/// Configures a socket, and creates a [`SctpListener`], an [`Association`] or an [`Endpoint`] from it.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_tokio::{SocketBuilder, options::InitMsg};
///
/// // A multi-homed listener with 100 streams in each direction.
/// let listener = SocketBuilder::new()
///     .with_local_addrs(["192.0.2.1:3868".parse()?, "198.51.100.1:3868".parse()?])
///     .with_init(InitMsg::new().with_outbound_streams(100).with_max_inbound_streams(100))
///     .listen()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it listens, connects or opens an endpoint"]
pub struct SocketBuilder {
    config: SocketConfig,
}

impl SocketBuilder {
    /// Default number of outbound streams that an association requests: 128. The kernel's default
    /// is 10.
    ///
    /// Additional streams cost an idle association little memory. They do not lengthen the INIT
    /// chunk, which carries their number in a 16-bit field.
    pub const OUTBOUND_STREAMS: u16 = setup::OUTBOUND_STREAMS;

    /// Default number of inbound streams that a peer is allowed: 1,024. The kernel's default is 65,535.
    ///
    /// The kernel allocates the streams that an INIT requests before it answers with a cookie
    /// (`sctp_process_init`), so an unverified peer can cause the allocation with one packet.
    pub const MAX_INBOUND_STREAMS: u16 = setup::MAX_INBOUND_STREAMS;

    /// Creates a builder with the defaults, which are documented at each method.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds the socket to these addresses, all with one port. Several addresses make the socket
    /// multi-homed. If the first port is 0, the kernel chooses one for all.
    ///
    /// Defaults to the wildcard address and a port chosen by the kernel: `0.0.0.0` for a socket that
    /// listens and for an [`endpoint`](Self::endpoint), and that of the peer's family for one that
    /// connects.
    ///
    /// `0.0.0.0` serves IPv4 only. `[::]` serves both families, unless the sysctl
    /// `net.ipv6.bindv6only` is 1 or `IPV6_V6ONLY` was set by [`configure`](Self::configure). Its
    /// IPv4 addresses are returned as mapped IPv6 addresses, `::ffff:192.0.2.1` for `192.0.2.1`,
    /// unless [`Socket::set_mapped_v4`] turns that off.
    ///
    /// A socket bound to the wildcard address (`0.0.0.0` or `[::]`) announces all addresses of the
    /// machine to every peer, including those of container bridges. Two peers that announce a
    /// common address with the same port exclude each other: the second gets no answer and times
    /// out. On such machines, pass only addresses that peers can reach.
    pub fn with_local_addrs(mut self, addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.config.local_addrs = addrs.into_iter().collect();
        self
    }

    /// Sets the number of streams and the INIT retransmissions of associations (`SCTP_INITMSG`).
    ///
    /// A field that is 0 has its default: [`OUTBOUND_STREAMS`](Self::OUTBOUND_STREAMS),
    /// [`MAX_INBOUND_STREAMS`](Self::MAX_INBOUND_STREAMS), and for the others the kernel's. In each
    /// direction, an association has the lesser of the number that one end requests and the number
    /// that the other allows. A socket created from a descriptor keeps its parameters unless this
    /// method is called.
    pub fn with_init(mut self, init: InitMsg) -> Self {
        self.config.init = Some(init);
        self
    }

    /// Sets the retransmission timeouts of associations (`SCTP_RTOINFO`).
    ///
    /// A field that is zero has the kernel's default, which sysctls below `net.sctp` change:
    /// `rto_initial` (3 seconds), `rto_min` (1 second) and `rto_max` (60 seconds).
    #[doc(alias = "SCTP_RTOINFO")]
    pub fn with_rto_info(mut self, rto: RtoInfo) -> Self {
        self.config.rto_info = rto;
        self
    }

    /// Sets the number of retransmissions after which an association fails, and the lifetime of
    /// cookies (`SCTP_ASSOCINFO`).
    ///
    /// A field that is zero has the kernel's default, which sysctls below `net.sctp` change:
    /// `association_max_retrans` (10) and `valid_cookie_life` (60 seconds).
    #[doc(alias = "SCTP_ASSOCINFO")]
    pub fn with_assoc_info(mut self, info: AssocInfo) -> Self {
        self.config.assoc_info = info;
        self
    }

    /// Sets heartbeats, retransmissions and other parameters of all paths (`SCTP_PEER_ADDR_PARAMS`).
    ///
    /// Fields that [`PeerAddrParams::new`] leaves unset have the kernel's defaults.
    #[doc(alias = "SCTP_PEER_ADDR_PARAMS")]
    pub fn with_peer_addr_params(mut self, params: PeerAddrParams) -> Self {
        self.config.peer_addr_params = params;
        self
    }

    /// Sends small messages at once (`SCTP_NODELAY`). Defaults to `true`.
    ///
    /// With `false`, a small message can wait up to 200 ms for the acknowledgement of the previous
    /// one.
    pub fn with_nodelay(mut self, nodelay: bool) -> Self {
        self.config.nodelay = nodelay;
        self
    }

    /// Allows binding to a port that associations of an earlier socket still use (`SO_REUSEADDR`).
    /// Defaults to `true`.
    ///
    /// After a server restart such associations can exist: some were passed to another process,
    /// others wait minutes for an unreachable peer to answer a SHUTDOWN. With `false`, binding
    /// fails with `AddrInUse` until the last one is closed. A second listening socket is rejected
    /// in either case.
    #[doc(alias = "SO_REUSEADDR")]
    pub fn with_reuse_address(mut self, reuse_address: bool) -> Self {
        self.config.reuse_address = reuse_address;
        self
    }

    /// Allows several listeners to share addresses and port (`SO_REUSEPORT`). The kernel
    /// distributes associations by the peer's address and port. Defaults to `false`.
    pub fn with_reuse_port(mut self, reuse_port: bool) -> Self {
        self.config.reuse_port = reuse_port;
        self
    }

    /// Requests a send buffer of this many bytes. Defaults to `net.core.wmem_default`.
    ///
    /// The kernel silently reduces the size to `net.core.wmem_max`, then doubles it. The result,
    /// which [`Socket::send_buffer_size`] returns, is the size of the largest message that can be
    /// sent. The default is smaller than the largest message
    /// [received](Self::with_max_message_size).
    pub fn with_send_buffer_size(mut self, bytes: usize) -> Self {
        self.config.send_buffer_size = Some(bytes);
        self
    }

    /// Requests a receive buffer of this many bytes. Defaults to `net.core.rmem_default`.
    ///
    /// The kernel silently reduces the size to `net.core.rmem_max`, then doubles it. The result
    /// determines the window offered to peers; see
    /// [`guide::performance`](crate::guide::performance).
    ///
    /// While the buffer is full, the kernel discards packets that the window still allows. The peer
    /// counts each as a failed transmission, and after 10 in a row
    /// ([`AssocInfo::max_retransmissions`](crate::options::AssocInfo::max_retransmissions)) it
    /// gives up on the association. All associations of an [`Endpoint`] share its buffer, which
    /// should hold the longest message of each.
    pub fn with_recv_buffer_size(mut self, bytes: usize) -> Self {
        self.config.recv_buffer_size = Some(bytes);
        self
    }

    /// Selects the notifications that are returned as events. Defaults to all except `SENDER_DRY`,
    /// `AUTHENTICATION` and `REMOTE_ERROR`. Notifications that this crate depends on are always
    /// returned.
    ///
    /// Enable `REMOTE_ERROR` only for trusted peers: the memory that its notifications occupy is
    /// not bounded by the receive buffer.
    pub fn with_events(mut self, events: EventSet) -> Self {
        self.config.events = events;
        self
    }

    /// Limits received messages to this many bytes. Defaults to 1 MiB.
    ///
    /// The limit also bounds the incomplete messages of an association. A peer that exceeds it is
    /// aborted with the reason `message too large`.
    pub fn with_max_message_size(mut self, bytes: usize) -> Self {
        self.config.max_message_size = bytes;
        self
    }

    /// Limits the duration of a connection attempt. By default the kernel's INIT retransmissions
    /// bound it, which take minutes; see [`InitMsg`].
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = Some(timeout);
        self
    }

    /// Interleaves messages of different streams on the wire, with I-DATA chunks (RFC 8260) and
    /// round-robin scheduling of streams (`SCTP_SS_RR`). Defaults to `false`, as in the kernel.
    ///
    /// Without interleaving, the kernel sends a message completely before it starts the next one:
    /// streams protect other messages from a *lost* one, not from a *long* one. Both ends must
    /// enable it, or the association silently uses ordinary DATA chunks;
    /// [`Socket::interleaving_supported`] returns the result.
    ///
    /// Requires the sysctl `net.sctp.intl_enable=1` when the socket is created. Otherwise listening
    /// and connecting fail with `PermissionDenied`.
    #[doc(alias = "SCTP_INTERLEAVING_SUPPORTED", alias = "SCTP_STREAM_SCHEDULER")]
    pub fn with_interleaving(mut self, interleaving: bool) -> Self {
        self.config.interleaving = interleaving;
        self
    }

    /// Calls a function on the socket before it is bound, to set further options.
    ///
    /// SCTP's own options apply to all associations of the socket. Some others do not:
    /// [`listen`](Self::listen) and [`connect`](Self::connect) peel associations off, and Linux
    /// gives a peeled-off socket the defaults of `IP_TOS`, `IPV6_TCLASS`, `IPV6_UNICAST_HOPS`,
    /// `SO_MARK` and `SO_PRIORITY` (`sctp_copy_sock`; seen on 6.1 and 6.12). `IP_TTL` and
    /// `SO_BINDTODEVICE` are kept. The handshake uses the options set here, later packets those of
    /// the peeled-off socket. Therefore:
    ///
    /// - For differentiated services set [`PeerAddrParams::with_dscp`] by
    ///   [`with_peer_addr_params`](Self::with_peer_addr_params), which belongs to the association.
    /// - Set the other options again on [`Association::socket`].
    ///
    /// The associations of an [`endpoint`](Self::endpoint) keep these options until they are peeled
    /// off.
    ///
    /// [`PeerAddrParams::with_dscp`]: crate::options::PeerAddrParams::with_dscp
    #[doc(alias = "IP_TOS", alias = "SO_MARK")]
    pub fn configure(
        mut self,
        set: impl Fn(&Socket) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.config.configure.push(Arc::new(set));
        self
    }

    /// Returns the [local addresses](Self::with_local_addrs); none for the wildcard address.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.config.local_addrs
    }

    /// Returns the [number of streams and the INIT retransmissions](Self::with_init), with the
    /// defaults of this crate in place of zeros.
    #[must_use]
    pub fn init(&self) -> InitMsg {
        self.config.init_msg()
    }

    /// Returns the [retransmission timeouts](Self::with_rto_info).
    #[must_use]
    pub fn rto_info(&self) -> RtoInfo {
        self.config.rto_info
    }

    /// Returns the [parameters of associations](Self::with_assoc_info).
    #[must_use]
    pub fn assoc_info(&self) -> AssocInfo {
        self.config.assoc_info
    }

    /// Returns the [parameters of paths](Self::with_peer_addr_params).
    #[must_use]
    pub fn peer_addr_params(&self) -> PeerAddrParams {
        self.config.peer_addr_params
    }

    /// Returns `true` if small messages are sent [at once](Self::with_nodelay).
    #[must_use]
    pub fn nodelay(&self) -> bool {
        self.config.nodelay
    }

    /// Returns `true` if the port may still be [in use](Self::with_reuse_address).
    #[must_use]
    pub fn reuse_address(&self) -> bool {
        self.config.reuse_address
    }

    /// Returns `true` if several listeners may [share](Self::with_reuse_port) addresses and port.
    #[must_use]
    pub fn reuse_port(&self) -> bool {
        self.config.reuse_port
    }

    /// Returns the [requested size](Self::with_send_buffer_size) of the send buffer, in bytes.
    #[must_use]
    pub fn send_buffer_size(&self) -> Option<usize> {
        self.config.send_buffer_size
    }

    /// Returns the [requested size](Self::with_recv_buffer_size) of the receive buffer, in bytes.
    #[must_use]
    pub fn recv_buffer_size(&self) -> Option<usize> {
        self.config.recv_buffer_size
    }

    /// Returns the notifications that are [returned as events](Self::with_events).
    #[must_use]
    pub fn events(&self) -> EventSet {
        self.config.events
    }

    /// Returns the [limit](Self::with_max_message_size) of received messages, in bytes.
    #[must_use]
    pub fn max_message_size(&self) -> usize {
        self.config.max_message_size
    }

    /// Returns the [time limit](Self::with_connect_timeout) of a connection attempt.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.config.connect_timeout
    }

    /// Returns `true` if messages of different streams are [interleaved](Self::with_interleaving).
    #[must_use]
    pub fn interleaving(&self) -> bool {
        self.config.interleaving
    }

    /// Listens for associations, each of which gets a socket of its own.
    ///
    /// # Errors
    ///
    /// Returns `Unsupported` if the kernel has no SCTP. Returns `AddrInUse`, `AddrNotAvailable` or
    /// `PermissionDenied` with the address if it cannot be bound.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen(&self) -> io::Result<SctpListener> {
        SctpListener::open(&self.config)
    }

    /// Creates a listening one-to-many socket, on which all associations remain.
    ///
    /// # Errors
    ///
    /// The same as for [`listen`](Self::listen).
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        Endpoint::open(&self.config)
    }

    /// Listens with a *one-to-one* socket, for interoperation. Its associations cannot be aborted
    /// with a reason; see [`OneToOneListener`].
    ///
    /// # Errors
    ///
    /// The same as for [`listen`](Self::listen).
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen_one_to_one(&self) -> io::Result<OneToOneListener> {
        OneToOneListener::open(&self.config)
    }

    /// Connects to one peer that has these addresses (`sctp_connectx`). The first is used for the
    /// handshake, the others are further paths.
    ///
    /// # Errors
    ///
    /// Returns a [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt. A peer that has answered receives an ABORT.
    pub async fn connect(&self, peer: &[SocketAddr]) -> Result<Association, ConnectError> {
        let receiver = connect(&self.config, peer, Style::OneToMany).await?;
        Ok(Association::from_receiver(receiver))
    }

    /// Connects to the first of several hosts that answers (RFC 8305). For several addresses of one
    /// host, use [`connect`](Self::connect).
    ///
    /// Each address is tried separately, in order. The next attempt starts 250 milliseconds after
    /// the last one, or at once when one fails. The first association that is established is
    /// returned, and the other attempts are dropped. [`with_connect_timeout`] applies to each
    /// attempt. With a fixed local port and without [`with_reuse_address`], each attempt waits
    /// until the previous one has failed.
    ///
    /// # Errors
    ///
    /// Returns the error of the attempt that failed last; see [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all attempts. A peer that has answered receives an ABORT.
    ///
    /// [`with_connect_timeout`]: Self::with_connect_timeout
    /// [`with_reuse_address`]: Self::with_reuse_address
    pub async fn connect_any(
        &self,
        addrs: impl ToSocketAddrs + fmt::Debug,
    ) -> Result<Association, ConnectError> {
        let receiver = connect_any(&self.config, addrs).await?;
        Ok(Association::from_receiver(receiver))
    }

    /// Connects a *one-to-one* socket, for programs that need such a descriptor.
    ///
    /// The kernel cannot abort its association with a reason: [`Association::abort`] fails. Use
    /// [`Association::abort_without_reason`] instead.
    ///
    /// # Errors
    ///
    /// Returns a [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt. A peer that has answered receives an ABORT.
    pub async fn connect_one_to_one(
        &self,
        peer: &[SocketAddr],
    ) -> Result<Association, ConnectError> {
        let receiver = connect(&self.config, peer, Style::OneToOne).await?;
        Ok(Association::from_receiver(receiver))
    }
}

/// Conversion from descriptors of a supervisor (systemd's socket activation), a parent process or
/// another library.
///
/// Each method makes the descriptor non-blocking and sets the options that this crate needs
/// (receive information, notifications, fragment interleave), then those of the builder. The
/// builder's addresses, `SO_REUSEADDR` and `SO_REUSEPORT` are ignored. The methods check that the
/// descriptor is an SCTP socket (`SO_PROTOCOL`) of the right style (`SO_TYPE`) that listens or
/// carries an association. They close it on any error, including a lack of epoll watches (`ENOSPC`
/// at `fs.epoll.max_user_watches`) or memory. A duplicate ([`OwnedFd::try_clone`]) keeps the
/// association for another attempt.
///
/// The kernel does not distinguish a peeled-off socket from a one-to-many socket, so the caller
/// chooses the method.
impl SocketBuilder {
    /// Listens on a bound one-to-many socket (systemd: `ListenSequentialPacket=` with
    /// `SocketProtocol=sctp`). The socket need not listen yet.
    ///
    /// Established associations are accepted as well. Messages of an association that is already
    /// closed are discarded.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the descriptor is not a one-to-many SCTP socket, or is a
    /// peeled-off one. Returns other errors of the system calls.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen_from(&self, fd: OwnedFd) -> io::Result<SctpListener> {
        SctpListener::from_fd(&self.config, fd)
    }

    /// Listens on a bound one-to-one socket (systemd: `ListenStream=` with `SocketProtocol=sctp`).
    /// The socket need not listen yet.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the descriptor is not a one-to-one SCTP socket, or carries an
    /// association. Returns other errors of the system calls.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen_one_to_one_from(&self, fd: OwnedFd) -> io::Result<OneToOneListener> {
        OneToOneListener::from_fd(&self.config, fd)
    }

    /// Creates an endpoint from a bound one-to-many socket and its associations. The socket need
    /// not listen yet.
    ///
    /// No events report the associations that are already established; [`Socket::assoc_ids`] lists
    /// them.
    ///
    /// # Errors
    ///
    /// The same as for [`listen_from`](Self::listen_from).
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn endpoint_from(&self, fd: OwnedFd) -> io::Result<Endpoint> {
        Endpoint::from_fd(&self.config, fd)
    }

    /// Takes over the association of a *peeled-off* socket, or of a one-to-many socket that carries
    /// no other association and does not listen.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the descriptor is not such a socket, and `NotConnected` if it has
    /// no association. Returns other errors of the system calls.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn peeled_off_from(&self, fd: OwnedFd) -> io::Result<Association> {
        fd::peeled_off(&self.config, fd).map(Association::from_receiver)
    }

    /// Takes over the association of a one-to-one socket.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the descriptor is not a one-to-one SCTP socket, and `NotConnected`
    /// if it has no association. Returns other errors of the system calls.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn one_to_one_from(&self, fd: OwnedFd) -> io::Result<Association> {
        fd::one_to_one(&self.config, fd).map(Association::from_receiver)
    }
}

/// Formats addresses, limits, everything that differs from the defaults, and the number of
/// [`configure`](Self::configure) functions.
impl fmt::Debug for SocketBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
