//! Connecting.

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

/// Sets up a socket for this association alone. By default one peeled off a one-to-many socket, as
/// a listener's are: on Linux that, and not a one-to-one socket, is what can abort with a reason.
pub(crate) async fn connect(
    config: &SocketConfig,
    peer: &[SocketAddr],
    style: Style,
) -> Result<RecvHalf, ConnectError> {
    check_peer(peer)?;
    check_families(&config.bind, peer)?;
    let socket = config.open_for(peer, style)?;
    // A function of the caller's can have made it an IPv6 socket without IPv4.
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

/// Refuses what cannot be the addresses of a peer: what the kernel refuses without a word, and port 0, which
/// it would try and nobody may use (RFC 9260, section 3.1).
pub(crate) fn check_peer(peer: &[SocketAddr]) -> io::Result<()> {
    let Some(first) = peer.first() else {
        return Err(invalid("there is no address to connect to"));
    };
    for addr in peer {
        if addr.ip().is_unspecified() || addr.port() == 0 {
            return Err(invalid(format!(
                "cannot connect to {addr}: no peer is there"
            )));
        }
        if addr.port() != first.port() {
            return Err(invalid(format!(
                "cannot connect to {addr}: all addresses of a peer have one port, here {}",
                first.port()
            )));
        }
    }
    Ok(())
}

/// Refuses a peer of another family than the local addresses. The kernel would not: it finds no address
/// to send from each time that it tries, and gives up after minutes.
fn check_families(local: &[SocketAddr], peer: &[SocketAddr]) -> io::Result<()> {
    if share_a_family(local, peer) {
        return Ok(());
    }
    Err(invalid(format!(
        "cannot connect to {}: the local addresses, {}, are of the other family",
        AddrList(peer),
        AddrList(local)
    )))
}

/// The same of the socket itself: what the kernel lists are the addresses that it can send from, those
/// of the host where it is bound to none in particular, and no IPv4 where it is for IPv6 only.
pub(crate) fn check_reach(socket: &Socket, peer: &[SocketAddr]) -> io::Result<()> {
    check_families(&socket.local_addrs(AssocId::FUTURE)?, peer)
}

fn share_a_family(local: &[SocketAddr], peer: &[SocketAddr]) -> bool {
    let ipv4 = |addr: &SocketAddr| addr.ip().to_canonical().is_ipv4();
    // An IPv6 socket that is bound to no address in particular has all of IPv4 as well.
    let anywhere = |addr: &SocketAddr| addr.is_ipv6() && addr.ip().is_unspecified();
    local.is_empty()
        || local.iter().any(anywhere)
        || peer
            .iter()
            .any(|peer| local.iter().any(|local| ipv4(local) == ipv4(peer)))
}

impl ConnectError {
    /// What the kernel said to an attempt, and who was tried.
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
            ended => ended,
        }
    }
}

/// A handshake under way.
struct Attempt {
    io: Io,
    style: Style,
    id: AssocId,
    peer: Vec<SocketAddr>,
    /// When the kernel would have given up, had nobody answered.
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
        // On a one-to-many socket neither writability nor SO_ERROR tells how a connect went. A
        // one-to-one socket whose connect failed has an error, but never becomes writable while a
        // notification is queued. The first change of the association tells it on both; on a
        // one-to-one socket the error comes before it, and says more.
        let change = match poll_fn(|cx| self.poll_change(cx)).await {
            Ok(change) => change,
            Err(error) => return Err(ConnectError::at(error, self.io.socket(), &self.peer)),
        };
        match change.state {
            AssocChangeState::CommUp => Ok(self.into_receiver(&change)?),
            AssocChangeState::CantStart => Err(self.cant_start()),
            _ => Err(ConnectError::Ended {
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

    /// The kernel reports a refusal and a silence alike (cause 0). It gives a silent peer up at
    /// a moment that its own parameters fix, so an earlier failure is a refusal.
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

/// Moves the association, and what is queued for it, to a socket of its own. It is alone on the
/// other one too, but only a peeled-off socket has an error of its own (`sctp_cmd_set_sk_err`): it
/// tells a peer that stopped answering from one that answered with an ABORT without a cause, as
/// one does that was restarted and knows nothing of the association.
fn peeled_off(io: Io, assoc: AssocId) -> io::Result<Io> {
    // Out of the reactor first, which may have room for one of the two only.
    let socket = io.into_socket();
    // Over already, no descriptor left, or another network namespace: all else works here too.
    let own = socket.peel_off(assoc).unwrap_or(socket);
    Ok(Io::new(own)?)
}

/// How long the kernel waits at the least before it gives a silent peer up
/// (`sctp_sf_t1_init_timer_expire`): each INIT waits for the retransmission timeout, which doubles
/// when all addresses have been tried once. A tenth is taken off for the timer's coarseness.
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
