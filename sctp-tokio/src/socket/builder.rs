//! Builder of listeners, associations and endpoints.

use std::{fmt, io, net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};

use sctp_core::{EventSet, Socket, options::InitMsg};
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
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it listens, connects or opens an endpoint"]
pub struct SocketBuilder {
    config: SocketConfig,
}

impl SocketBuilder {
    /// How many outbound streams an association asks for unless told otherwise: 128, where the
    /// kernel's default is 10 and so few leave little to do side by side.
    ///
    /// They cost nothing: an end of an idle association took 17.6 KiB of Linux 6.1's memory with
    /// either, and 69.6 KiB with 1,024 streams. The INIT is as long in any case: the number is a
    /// field of 16 bits.
    pub const OUTBOUND_STREAMS: u16 = setup::OUTBOUND_STREAMS;

    /// How many inbound streams a peer is allowed unless it is told otherwise: 1,024, where the
    /// kernel's default is all that there are, 65,535.
    ///
    /// The kernel makes the streams that an INIT asks for before it answers with a cookie
    /// (`sctp_process_init`), so each of them is work that anybody can have done by sending one
    /// packet. More streams than this are also a cost for whoever has them, see
    /// [`OUTBOUND_STREAMS`](Self::OUTBOUND_STREAMS).
    pub const MAX_INBOUND_STREAMS: u16 = setup::MAX_INBOUND_STREAMS;

    /// Begins with the defaults, which each setter states.
    pub fn new() -> Self {
        Self::default()
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
        self.config.bind = addrs.into_iter().collect();
        self
    }

    /// Sets streams and attempts of associations to come. Default, also of a field that is 0:
    /// [`OUTBOUND_STREAMS`](Self::OUTBOUND_STREAMS),
    /// [`MAX_INBOUND_STREAMS`](Self::MAX_INBOUND_STREAMS), and of the rest what the kernel has. An
    /// association has the fewer of what one end asks for and the other allows. A socket from
    /// elsewhere keeps what it has, unless this is called.
    pub fn with_init(mut self, init: InitMsg) -> Self {
        self.config.init = Some(init);
        self
    }

    /// Sets whether small messages go out at once. Default: on; off, a small reply can wait
    /// 200 ms for the acknowledgement of the one before.
    pub fn with_nodelay(mut self, nodelay: bool) -> Self {
        self.config.nodelay = nodelay;
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
        self.config.reuse_address = reuse_address;
        self
    }

    /// Lets several listeners share the addresses and port (`SO_REUSEPORT`): the kernel spreads
    /// new associations over them by the peer's address and port. Default: off.
    pub fn with_reuse_port(mut self, reuse_port: bool) -> Self {
        self.config.reuse_port = reuse_port;
        self
    }

    /// Asks for a send buffer of this many bytes, which the kernel cuts to `net.core.wmem_max`
    /// without an error, and then doubles. It is also the longest message that can be sent; what came
    /// of it is [`Socket::send_buffer_size`]. Default: the kernel's (`net.core.wmem_default`), which is
    /// less than the longest message that is [received](Self::with_max_message_size).
    pub fn with_send_buffer_size(mut self, bytes: usize) -> Self {
        self.config.send_buffer_size = Some(bytes);
        self
    }

    /// Asks for a receive buffer of this many bytes, which the kernel cuts to `net.core.rmem_max`
    /// without an error, and then doubles; it decides the window offered to peers. Default: the
    /// kernel's (`net.core.rmem_default`).
    pub fn with_recv_buffer_size(mut self, bytes: usize) -> Self {
        self.config.recv_buffer_size = Some(bytes);
        self
    }

    /// Chooses the notifications to be told. Default: all but `SENDER_DRY`, `AUTHENTICATION` and
    /// `REMOTE_ERROR`. Some are always on inside, and then told as well.
    ///
    /// `REMOTE_ERROR` is for peers that are trusted: with it, what a peer can have the kernel
    /// queue is not bounded by the receive buffer.
    pub fn with_events(mut self, events: EventSet) -> Self {
        self.config.events = events;
        self
    }

    /// Bounds the messages that are received, and with them what one association can leave
    /// unfinished in memory: a peer that exceeds it is aborted with the reason "message too
    /// large". Default: 1 MiB.
    pub fn with_max_message_size(mut self, bytes: usize) -> Self {
        self.config.max_message_size = bytes;
        self
    }

    /// Bounds the time that a connect takes. Default: what the kernel's attempts add up to,
    /// minutes; see [`InitMsg`].
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = Some(timeout);
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
        self.config.interleaving = interleaving;
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
        self.config.configure.push(Arc::new(set));
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
        SctpListener::open(&self.config)
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
        Endpoint::open(&self.config)
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
        OneToOneListener::open(&self.config)
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
        let receiver = connect(&self.config, peer, Style::OneToMany).await?;
        Ok(Association::from_receiver(receiver))
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
        let receiver = connect_any(&self.config, addrs).await?;
        Ok(Association::from_receiver(receiver))
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
        let receiver = connect(&self.config, peer, Style::OneToOne).await?;
        Ok(Association::from_receiver(receiver))
    }
}

/// Taking over descriptors that were made elsewhere: by a supervisor (systemd's socket
/// activation), by a parent process, by another library.
///
/// Each call makes the descriptor non-blocking, sets on it what this crate relies on (receive
/// information, notifications, fragment interleave), and what the builder says; the builder's
/// addresses, `SO_REUSEADDR` and `SO_REUSEPORT` are not looked at, for it is too late. What can be checked is
/// checked: that it is an SCTP socket (`SO_PROTOCOL`), of the right style (`SO_TYPE`), that it
/// listens or carries an association. On any error the descriptor is closed, also when the reactor
/// cannot take it (`ENOSPC` at `fs.epoll.max_user_watches`, `ENOMEM`). A duplicate of the descriptor
/// ([`OwnedFd::try_clone`]) keeps what it carries for another attempt.
///
/// The kernel does not tell a peeled-off socket from a one-to-many socket, which is why the caller
/// names what it is.
impl SocketBuilder {
    /// Listens on a one-to-many socket that is bound already (systemd:
    /// `ListenSequentialPacket=` with `SocketProtocol=sctp`). If it does not listen yet, it does
    /// from now on.
    ///
    /// Associations that are up already are accepted as well. One that has ended before this call
    /// is not, and what it sent is dropped.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is not a one-to-many SCTP socket, or is a peeled-off one; otherwise
    /// what the kernel says.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen_from(&self, fd: OwnedFd) -> io::Result<SctpListener> {
        SctpListener::from_fd(&self.config, fd)
    }

    /// Listens on a one-to-one socket that is bound already (systemd: `ListenStream=` with
    /// `SocketProtocol=sctp`). If it does not listen yet, it does from now on.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is not a one-to-one SCTP socket, or carries an association;
    /// otherwise what the kernel says.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen_one_to_one_from(&self, fd: OwnedFd) -> io::Result<OneToOneListener> {
        OneToOneListener::from_fd(&self.config, fd)
    }

    /// Opens an endpoint on a one-to-many socket that is bound already, with the associations that
    /// are on it. If it does not listen yet, it does from now on.
    ///
    /// That these came up is not told as an event; [`Socket::assoc_ids`] lists them.
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::listen_from`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn endpoint_from(&self, fd: OwnedFd) -> io::Result<Endpoint> {
        Endpoint::from_fd(&self.config, fd)
    }

    /// Takes over the association of a *peeled-off* socket, or of a one-to-many socket that
    /// carries no other and does not listen.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is not such a socket; `NotConnected` when there is no association
    /// (any more); otherwise what the kernel says.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn peeled_off_from(&self, fd: OwnedFd) -> io::Result<Association> {
        fd::peeled_off(&self.config, fd).map(Association::from_receiver)
    }

    /// Takes over the association of a one-to-one socket.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is not a one-to-one SCTP socket; `NotConnected` when there is no
    /// association (any more); otherwise what the kernel says.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn one_to_one_from(&self, fd: OwnedFd) -> io::Result<Association> {
        fd::one_to_one(&self.config, fd).map(Association::from_receiver)
    }
}

/// The addresses, limits, and whatever differs from the defaults; of the functions of
/// [`configure`](Self::configure) how many there are.
impl fmt::Debug for SocketBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
