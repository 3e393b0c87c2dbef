//! Connecting to a peer.

use std::{
    collections::VecDeque,
    error::Error,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_core::{AssocChange, AssocChangeState, AssocId, Notification, Part, Socket};
use tokio::time::{Instant, timeout};

use super::setup::SocketConfig;
use crate::{
    association::{
        end::{EndTracker, end_of},
        recv_half::RecvHalf,
        shared::{AssociationInfo, AssociationShared, Style},
    },
    error::ConnectError,
    error_context::{AddrList, connect_error},
    io::{
        Io,
        reassembly::{Reassembled, Reassembler},
        recv_batch::receive,
    },
};

/// Creates a socket and establishes an association on it.
///
/// By default the association is peeled off a one-to-many socket, like those of a listener. On
/// Linux such an association can be aborted with a reason, but that of a one-to-one socket cannot.
pub(crate) async fn connect(
    config: &SocketConfig,
    peer: &[SocketAddr],
    style: Style,
) -> Result<RecvHalf, ConnectError> {
    check_peer(peer)?;
    check_families(&config.local_addrs, peer)?;
    let socket = config.open_for(peer, style)?;
    // A `configure` function may have set `IPV6_V6ONLY`.
    check_reach(&socket, peer)?;
    let attempt = Attempt::start(socket, peer, style, config.max_message_size)?;
    match config.connect_timeout {
        Some(limit) => timeout(limit, attempt.finish()).await.unwrap_or_else(|_| {
            Err(ConnectError::TimedOut {
                peer: peer.to_vec(),
            })
        }),
        None => attempt.finish().await,
    }
}

fn invalid(what: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Rejects addresses that cannot belong to one peer: those that the kernel rejects without a
/// reason, and port 0, which is reserved (RFC 9260 section 3.1) but which the kernel would try.
pub(crate) fn check_peer(peer: &[SocketAddr]) -> io::Result<()> {
    let Some(first) = peer.first() else {
        return Err(invalid("no address to connect to"));
    };
    for addr in peer {
        if addr.ip().is_unspecified() || addr.port() == 0 {
            return Err(invalid(format!(
                "cannot connect to {addr}: not the address of a peer"
            )));
        }
        if addr.port() != first.port() {
            return Err(invalid(format!(
                "cannot connect to {addr}: port differs from {}",
                first.port()
            )));
        }
    }
    Ok(())
}

/// Rejects a peer of another family than the local addresses. The kernel would find no source
/// address for any attempt, and give up after minutes.
fn check_families(local: &[SocketAddr], peer: &[SocketAddr]) -> io::Result<()> {
    if share_a_family(local, peer) {
        return Ok(());
    }
    Err(invalid(format!(
        "cannot connect to {}: local addresses {} are of the other family",
        AddrList(peer),
        AddrList(local)
    )))
}

/// Rejects a peer of another family than the addresses of the socket, as the kernel lists them:
/// those of the host if the socket is bound to none, and no IPv4 if it is for IPv6 only.
pub(crate) fn check_reach(socket: &Socket, peer: &[SocketAddr]) -> io::Result<()> {
    check_families(&socket.local_addrs(AssocId::FUTURE)?, peer)
}

fn share_a_family(local: &[SocketAddr], peer: &[SocketAddr]) -> bool {
    let ipv4 = |addr: &SocketAddr| addr.ip().to_canonical().is_ipv4();
    // An IPv6 socket bound to the wildcard address accepts IPv4 as well.
    let anywhere = |addr: &SocketAddr| addr.is_ipv6() && addr.ip().is_unspecified();
    local.is_empty()
        || local.iter().any(anywhere)
        || peer
            .iter()
            .any(|peer| local.iter().any(|local| ipv4(local) == ipv4(peer)))
}

impl ConnectError {
    /// Adds the peer's addresses to the kernel's error.
    fn at(error: io::Error, socket: &Socket, addrs: &[SocketAddr]) -> Self {
        match Self::from(error) {
            Self::Refused { .. } => Self::Refused {
                peer: addrs.to_vec(),
            },
            Self::TimedOut { .. } => Self::TimedOut {
                peer: addrs.to_vec(),
            },
            Self::Unreachable { error, .. } => Self::Unreachable {
                peer: addrs.to_vec(),
                error,
            },
            Self::Io(error) => Self::Io(connect_error(error, socket, addrs)),
            closed => closed,
        }
    }
}

/// Handshake in progress.
struct Attempt {
    io: Io,
    style: Style,
    id: AssocId,
    peer: Vec<SocketAddr>,
    /// Time at which the kernel gives up if no answer comes.
    gives_up: Instant,
    reassembler: Reassembler,
    parts: VecDeque<Part>,
}

impl Attempt {
    fn start(
        socket: Socket,
        peer: &[SocketAddr],
        style: Style,
        limit: usize,
    ) -> Result<Self, ConnectError> {
        let gives_up = Instant::now() + min_handshake_time(&socket, peer.len())?;
        let connecting = match socket.connectx(peer) {
            Ok(connecting) => connecting,
            Err(error) => return Err(ConnectError::at(error, &socket, peer)),
        };
        Ok(Self {
            io: Io::new(socket).map_err(io::Error::from)?,
            style,
            id: connecting.assoc,
            peer: peer.to_vec(),
            gives_up,
            reassembler: Reassembler::new(limit),
            parts: VecDeque::new(),
        })
    }

    async fn finish(mut self) -> Result<RecvHalf, ConnectError> {
        // On a one-to-many socket neither writability nor SO_ERROR has the result of a connect. A
        // one-to-one socket whose connect failed has an error, but does not become writable while a
        // notification is queued. On both, the first change of the association has the result. On a
        // one-to-one socket the error comes before it, and is more specific.
        let change = match poll_fn(|cx| self.poll_change(cx)).await {
            Ok(change) => change,
            Err(error) => return Err(ConnectError::at(error, self.io.socket(), &self.peer)),
        };
        match change.state {
            AssocChangeState::CommUp => Ok(self.into_receiver(&change)?),
            AssocChangeState::CantStart => Err(self.cant_start()),
            _ => Err(ConnectError::Closed {
                peer: self.peer,
                end: end_of(&change, &EndTracker::default(), || None),
            }),
        }
    }

    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<AssocChange>> {
        loop {
            while let Some(part) = self.parts.pop_front() {
                match self.reassembler.push(part) {
                    Reassembled::Notification(Notification::AssocChange(change)) => {
                        return Poll::Ready(Ok(change));
                    }
                    Reassembled::Malformed(what) => {
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
                    }
                    _ => {}
                }
            }
            let parts = &mut self.parts;
            ready!(self.io.poll_read(cx, |socket| receive(socket, parts)))?;
        }
    }

    /// Returns the error of a failed handshake.
    ///
    /// The kernel reports a refusal and a timeout alike (cause 0). The time of a timeout is
    /// determined by its parameters, so an earlier failure is a refusal.
    fn cant_start(self) -> ConnectError {
        let peer = self.peer;
        if Instant::now() < self.gives_up {
            ConnectError::Refused { peer }
        } else {
            ConnectError::TimedOut { peer }
        }
    }

    fn into_receiver(mut self, change: &AssocChange) -> io::Result<RecvHalf> {
        if self.style == Style::OneToMany {
            self.io = peeled_off(self.io, self.id)?;
        }
        let socket = self.io.socket();
        let info = AssociationInfo {
            style: self.style,
            id: self.id,
            peer_addrs: socket.peer_addrs(self.id).unwrap_or(self.peer),
            local_addrs: socket.local_addrs(self.id).unwrap_or_default(),
            outbound_streams: change.outbound_streams,
            inbound_streams: change.inbound_streams,
        };
        let shared = Arc::new(AssociationShared::new(
            Some(self.io),
            info,
            EndTracker::default(),
        ));
        Ok(RecvHalf::new(shared, self.reassembler, self.parts))
    }
}

/// Moves the association, and what is queued for it, to a peeled-off socket.
///
/// The association is alone on either socket, but only a peeled-off socket reports the error of its
/// association (`sctp_cmd_set_sk_err`). The error distinguishes a timeout from an ABORT without a
/// cause, such as that of a restarted peer.
fn peeled_off(io: Io, assoc: AssocId) -> io::Result<Io> {
    // Deregistered first, because the reactor may have room for only one of the two sockets.
    let socket = io.into_socket();
    // If the association is already closed, no descriptor is left, or the network namespace
    // differs, continue on the original socket.
    let own = socket.peel_off(assoc).unwrap_or(socket);
    Ok(Io::new(own)?)
}

/// Returns the minimum time before the kernel gives up on a peer that does not answer
/// (`sctp_sf_t1_init_timer_expire`).
///
/// Each INIT waits for the retransmission timeout, which doubles when all addresses have been tried
/// once. A tenth is subtracted for the timer's granularity.
fn min_handshake_time(socket: &Socket, addrs: usize) -> io::Result<Duration> {
    let init = socket.init_msg()?;
    let mut wait = socket.rto_info(AssocId::FUTURE)?.initial;
    let mut total = Duration::ZERO;
    for attempt in 0..=u32::from(init.max_attempts) {
        if attempt > 0 && (attempt as usize).is_multiple_of(addrs) {
            wait = (wait * 2).min(init.max_timeout);
        }
        total += wait;
    }
    Ok(total.mul_f64(0.9))
}
