//! What a socket is set up with before it is bound, listens or connects.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use sctp_core::{EventSet, Socket, options::InitMsg};

use tokio::net::ToSocketAddrs;

use crate::{
    Association, ConnectError, Endpoint, OneToOneListener, SctpListener, connect,
    connect_any::connect_any, shared::Style,
};

/// The notifications that are on unless the caller chooses others: all that tell of something
/// lost or changed, and none that comes with each message. Nor the peer's ERROR chunks: the kernel
/// queues a copy of the rest of the chunk for each cause in it, whatever the receive buffer holds
/// already, so one packet of 1 KiB can cost 300 KiB while nobody reads.
pub(crate) const DEFAULT_EVENTS: EventSet = EventSet::ALL
    .difference(EventSet::SENDER_DRY)
    .difference(EventSet::REMOTE_ERROR)
    .difference(EventSet::AUTHENTICATION);

/// The largest message that is put together, unless the caller chooses otherwise: 1 MiB.
const DEFAULT_MAX_MESSAGE_SIZE: usize = 1024 * 1024;
type Configure = Arc<dyn Fn(&Socket) -> io::Result<()> + Send + Sync>;

/// Sets up a socket, and then makes a [`SctpListener`], an [`Association`] or an [`Endpoint`] of
/// it.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_tokio::{SocketBuilder, options::InitMsg};
///
/// // A multi-homed listener that allows a hundred streams each way.
/// let listener = SocketBuilder::new()
///     .bind(["192.0.2.1:3868".parse()?, "198.51.100.1:3868".parse()?])
///     .with_init(InitMsg::new().with_outbound_streams(100).with_max_inbound_streams(100))
///     .listen()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it listens, connects or opens an endpoint"]
pub struct SocketBuilder {
    pub(crate) bind: Vec<SocketAddr>,
    pub(crate) init: Option<InitMsg>,
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

impl Default for SocketBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl SocketBuilder {
    /// How many outbound streams an association asks for unless told otherwise: 128, where the
    /// kernel's default is 10 and so few leave little to do side by side.
    ///
    /// They cost nothing: an end of an idle association took 17.6 KiB of Linux 6.1's memory with
    /// either, and 69.6 KiB with 1,024 streams. The INIT is as long in any case: the number is a
    /// field of 16 bits.
    pub const OUTBOUND_STREAMS: u16 = 128;

    /// How many inbound streams a peer is allowed unless it is told otherwise: 1,024, where the
    /// kernel's default is all that there are, 65,535.
    ///
    /// The kernel makes the streams that an INIT asks for before it answers with a cookie
    /// (`sctp_process_init`), so each of them is work that anybody can have done by sending one
    /// packet. More streams than this are also a cost for whoever has them, see
    /// [`OUTBOUND_STREAMS`](Self::OUTBOUND_STREAMS).
    pub const MAX_INBOUND_STREAMS: u16 = 1024;

    /// Begins with the defaults, which each setter states.
    pub fn new() -> Self {
        Self {
            bind: Vec::new(),
            init: None,
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

    /// Binds to these addresses, all of them with one port: several make the socket
    /// multi-homed. If the first has port 0 the kernel chooses one, for all. Default: the wildcard
    /// address, a port of the kernel's choice.
    ///
    /// Bound to the wildcard address (`0.0.0.0` or `[::]`), the kernel tells every peer all
    /// addresses of the machine, those of container bridges included. Two peers that announce one
    /// common address with the same port shut each other out: the association of the second
    /// gets no answer, and connecting times out. Name the addresses that peers can reach where a
    /// machine has others.
    pub fn bind(mut self, addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.bind = addrs.into_iter().collect();
        self
    }

    /// Sets streams and attempts of associations to come. Default, also of a field that is 0:
    /// [`OUTBOUND_STREAMS`](Self::OUTBOUND_STREAMS),
    /// [`MAX_INBOUND_STREAMS`](Self::MAX_INBOUND_STREAMS), and of the rest what the kernel has. An
    /// association has the fewer of what one end asks for and the other allows. A socket from
    /// elsewhere keeps what it has, unless this is called.
    pub fn with_init(mut self, init: InitMsg) -> Self {
        self.init = Some(init);
        self
    }

    /// Sets whether small messages go out at once. Default: on; off, a small reply can wait
    /// 200 ms for the acknowledgement of the one before.
    pub fn with_nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// Sets whether a port can be bound while associations of an earlier socket still use it
    /// (`SO_REUSEADDR`). Default: on.
    ///
    /// A server that is restarted meets such associations: those that live on elsewhere, and those
    /// whose SHUTDOWN an unreachable peer has not answered, which the kernel keeps for minutes. Off,
    /// binding fails with `AddrInUse` until the last one has ended. A second socket that listens is
    /// refused in either case.
    #[doc(alias = "SO_REUSEADDR")]
    pub fn with_reuse_address(mut self, reuse_address: bool) -> Self {
        self.reuse_address = reuse_address;
        self
    }

    /// Lets several listeners share the addresses and port (`SO_REUSEPORT`): the kernel spreads
    /// new associations over them by the peer's address and port. Default: off.
    pub fn with_reuse_port(mut self, reuse_port: bool) -> Self {
        self.reuse_port = reuse_port;
        self
    }

    /// Asks for a send buffer of this many bytes, which the kernel cuts to `net.core.wmem_max`
    /// without an error, and then doubles. It is also the longest message that can be sent; what came
    /// of it is [`Socket::send_buffer_size`]. Default: the kernel's (`net.core.wmem_default`), which is
    /// less than the longest message that is [received](Self::with_max_message_size).
    pub fn with_send_buffer_size(mut self, bytes: usize) -> Self {
        self.send_buffer_size = Some(bytes);
        self
    }

    /// Asks for a receive buffer of this many bytes, which the kernel cuts to `net.core.rmem_max`
    /// without an error, and then doubles; it decides the window offered to peers. Default: the
    /// kernel's (`net.core.rmem_default`).
    pub fn with_recv_buffer_size(mut self, bytes: usize) -> Self {
        self.recv_buffer_size = Some(bytes);
        self
    }

    /// Chooses the notifications to be told. Default: all but `SENDER_DRY`, `AUTHENTICATION` and
    /// `REMOTE_ERROR`. Some are always on inside, and then told as well.
    ///
    /// `REMOTE_ERROR` is for peers that are trusted: with it, what a peer can have the kernel
    /// queue is not bounded by the receive buffer.
    pub fn with_events(mut self, events: EventSet) -> Self {
        self.events = events;
        self
    }

    /// Bounds the messages that are received, and with them what one association can leave
    /// unfinished in memory: a peer that exceeds it is aborted with the reason "message too
    /// large". Default: 1 MiB.
    pub fn with_max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Bounds the time that a connect takes. Default: what the kernel's attempts add up to,
    /// minutes; see [`InitMsg`].
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Lets the messages of different streams take turns on the wire, chunk by chunk: I-DATA chunks
    /// (RFC 8260), and streams served in turn (`SCTP_SS_RR`). Default: off, as in the kernel.
    ///
    /// Without it a message that has begun to be sent is sent to its end, whatever waits on other
    /// streams: streams keep a *lost* packet from holding up other messages, not a *long* one. Both
    /// ends must offer it, or the association has ordinary DATA chunks, and says nothing of it:
    /// [`Socket::interleaving_supported`] tells.
    ///
    /// The kernel has it off unless the sysctl `net.sctp.intl_enable` is 1 when the socket is made.
    /// Where it is not, listening and connecting fail with `PermissionDenied`, and say so.
    #[doc(alias = "SCTP_INTERLEAVING_SUPPORTED", alias = "SCTP_STREAM_SCHEDULER")]
    pub fn with_interleaving(mut self, interleaving: bool) -> Self {
        self.interleaving = interleaving;
        self
    }

    /// Calls a function on the socket before it is bound, to set any further option.
    ///
    /// SCTP's own options hold for each association of the socket. Of the others some do not: what
    /// [`listen`](Self::listen) and [`connect`](Self::connect) make of an association is a
    /// peeled-off socket, at both ends, and Linux gives that one the defaults of `IP_TOS`,
    /// `IPV6_TCLASS`, `IPV6_UNICAST_HOPS`, `SO_MARK` and `SO_PRIORITY` (`sctp_copy_sock`; seen on 6.1
    /// and 6.12). `IP_TTL` and `SO_BINDTODEVICE` follow. With what is set here the handshake goes
    /// out, and with what the peeled-off socket has all that comes later. So:
    ///
    /// - for differentiated services, set [`PeerAddrParams::with_dscp`] of
    ///   [`AssocId::FUTURE`](crate::AssocId::FUTURE): it belongs to the association;
    /// - set the others once more, on [`Association::socket`], as soon as there is one.
    ///
    /// An [`endpoint`](Self::endpoint) peels nothing off by itself, and keeps them.
    ///
    /// [`PeerAddrParams::with_dscp`]: crate::options::PeerAddrParams::with_dscp
    #[doc(alias = "IP_TOS", alias = "SO_MARK")]
    pub fn configure(
        mut self,
        set: impl Fn(&Socket) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.configure.push(Arc::new(set));
        self
    }

    /// Listens for associations, each of which gets a socket of its own.
    ///
    /// # Errors
    ///
    /// `Unsupported`, with advice, when the kernel has no SCTP; `AddrInUse`,
    /// `AddrNotAvailable` or `PermissionDenied`, naming the address.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen(&self) -> io::Result<SctpListener> {
        let socket = self.open_listening(Style::OneToMany)?;
        SctpListener::new(socket, self.max_message_size)
    }

    /// Opens a one-to-many socket that carries all of its associations itself, and listens.
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::listen`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        let socket = self.open_listening(Style::OneToMany)?;
        Endpoint::new(socket, self.max_message_size)
    }

    /// Listens with a *one-to-one* socket, for interoperation. Its associations cannot be aborted
    /// with a reason, see [`OneToOneListener`].
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::listen`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen_one_to_one(&self) -> io::Result<OneToOneListener> {
        let socket = self.open_listening(Style::OneToOne)?;
        OneToOneListener::new(socket, self.max_message_size, None)
    }

    /// Connects to one peer that has these addresses (`sctp_connectx`): the first answers the
    /// handshake, the others are further paths.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the call ends the attempt: the peer hears an ABORT if it had answered.
    pub async fn connect(&self, peer: &[SocketAddr]) -> Result<Association, ConnectError> {
        connect::connect(self, peer, Style::OneToMany).await
    }

    /// Connects to the first of several addresses, or of those that a name resolves to, that
    /// answers (RFC 8305). They may be different hosts; [`connect`](Self::connect) takes them for
    /// paths to one.
    ///
    /// Each address is tried by itself, in the order given. The next one begins 250 milliseconds
    /// after the one before, or at once when one fails. The first association to come up is
    /// returned, and the other attempts are dropped. [`with_connect_timeout`] bounds each attempt.
    /// With a local port of its own and without [`with_reuse_address`] each attempt waits for the one
    /// before to fail.
    ///
    /// # Errors
    ///
    /// That of the last attempt to fail; see [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the call ends every attempt: a peer that had answered hears an ABORT.
    ///
    /// [`with_connect_timeout`]: Self::with_connect_timeout
    /// [`with_reuse_address`]: Self::with_reuse_address
    pub async fn connect_any(
        &self,
        addrs: impl ToSocketAddrs + fmt::Debug,
    ) -> Result<Association, ConnectError> {
        connect_any(self, addrs).await
    }

    /// Connects a *one-to-one* socket, for code that wants to hand the descriptor to something that
    /// expects one. The kernel cannot abort its association with a reason: [`Association::abort`]
    /// is refused, and [`Association::abort_without_reason`] is what there is. Otherwise as
    /// [`SocketBuilder::connect`].
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the call ends the attempt: the peer hears an ABORT if it had answered.
    pub async fn connect_one_to_one(
        &self,
        peer: &[SocketAddr],
    ) -> Result<Association, ConnectError> {
        connect::connect(self, peer, Style::OneToOne).await
    }
}
