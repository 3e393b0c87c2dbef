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

use sctp_core::{AssocChange, AssocId, AssocState, Notification, Part, Socket};
use tokio::{
    net::ToSocketAddrs,
    time::{Instant, timeout},
};

use crate::{
    Association, ConnectError, RecvHalf, SocketBuilder,
    assembly::{Assembled, Assembler},
    end::{Marks, ending},
    io::Io,
    opening::no_address,
    receive::receive,
    shared::{Facts, Shared, Style},
};

/// Sets up a socket for this association alone. By default one peeled off a one-to-many socket, as
/// a listener's are: on Linux that, and not a one-to-one socket, is what can abort with a reason.
pub(crate) async fn connect(
    builder: &SocketBuilder,
    peer: &[SocketAddr],
    style: Style,
) -> Result<Association, ConnectError> {
    check_peer(peer)?;
    check_families(&builder.bind, peer)?;
    let socket = builder.open_for(peer, style)?;
    let attempt = Attempt::start(socket, peer, style, builder.max_message_size)?;
    match builder.connect_timeout {
        Some(limit) => timeout(limit, attempt.finish())
            .await
            .unwrap_or(Err(ConnectError::TimedOut)),
        None => attempt.finish().await,
    }
}

/// Tries one address after the other.
pub(crate) async fn connect_any(
    builder: &SocketBuilder,
    addrs: impl ToSocketAddrs,
) -> Result<Association, ConnectError> {
    let mut last = ConnectError::Io(no_address());
    for addr in tokio::net::lookup_host(addrs).await? {
        match builder.connect(&[addr]).await {
            Ok(association) => return Ok(association),
            Err(error) => last = error,
        }
    }
    Err(last)
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
        "cannot connect to {peer:?}: the local addresses, {local:?}, are of the other family"
    )))
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

/// A handshake under way.
struct Attempt {
    io: Io,
    style: Style,
    id: AssocId,
    peer: Vec<SocketAddr>,
    /// When the kernel would have given up, had nobody answered.
    gives_up: Instant,
    assembler: Assembler,
    parts: VecDeque<Part>,
}

impl Attempt {
    fn start(
        socket: Socket,
        peer: &[SocketAddr],
        style: Style,
        limit: usize,
    ) -> Result<Self, ConnectError> {
        let gives_up = Instant::now() + patience(&socket, peer.len())?;
        let connecting = socket.connectx(peer)?;
        Ok(Self {
            io: Io::new(socket)?,
            style,
            id: connecting.assoc,
            peer: peer.to_vec(),
            gives_up,
            assembler: Assembler::new(limit),
            parts: VecDeque::new(),
        })
    }

    async fn finish(mut self) -> Result<Association, ConnectError> {
        // On a one-to-many socket neither writability nor SO_ERROR tells how a connect went. A
        // one-to-one socket whose connect failed has an error, but never becomes writable while a
        // notification is queued. The first change of the association tells it on both; on a
        // one-to-one socket the error comes before it, and says more.
        let change = poll_fn(|cx| self.poll_change(cx)).await?;
        match change.state {
            AssocState::CommUp => Ok(self.into_association(&change)?),
            AssocState::CantStart => Err(self.cant_start()),
            _ => Err(ConnectError::Ended(ending(
                &change,
                &Marks::default(),
                || None,
            ))),
        }
    }

    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<AssocChange>> {
        loop {
            while let Some(part) = self.parts.pop_front() {
                match self.assembler.push(part) {
                    Assembled::Notification(Notification::AssocChange(change)) => {
                        return Poll::Ready(Ok(change));
                    }
                    Assembled::Malformed(what) => {
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
    fn cant_start(&self) -> ConnectError {
        if Instant::now() < self.gives_up {
            ConnectError::Refused
        } else {
            ConnectError::TimedOut
        }
    }

    fn into_association(mut self, change: &AssocChange) -> io::Result<Association> {
        if self.style == Style::OneToMany {
            self.io = peeled_off(self.io, self.id)?;
        }
        let socket = self.io.socket();
        let facts = Facts {
            style: self.style,
            id: self.id,
            peer_addrs: socket.peer_addrs(self.id).unwrap_or(self.peer),
            local_addrs: socket.local_addrs(self.id).unwrap_or_default(),
            outbound_streams: change.outbound_streams,
            inbound_streams: change.inbound_streams,
        };
        let shared = Arc::new(Shared::new(Some(self.io), facts, Marks::default()));
        let receiver = RecvHalf::new(shared, self.assembler, self.parts);
        Ok(Association::from_receiver(receiver))
    }
}

/// Moves the association, and what is queued for it, to a socket of its own. It is alone on the
/// other one too, but only a peeled-off socket has an error of its own (`sctp_cmd_set_sk_err`): it
/// tells a peer that stopped answering from one that answered with an ABORT without a cause, as
/// one does that was restarted and knows nothing of the association.
fn peeled_off(io: Io, assoc: AssocId) -> io::Result<Io> {
    match io.socket().peel_off(assoc) {
        Ok(socket) => Io::new(socket),
        // Over already, no descriptor left, or another network namespace: all else works here too.
        Err(_) => Ok(io),
    }
}

/// How long the kernel waits at the least before it gives a silent peer up
/// (`sctp_sf_t1_init_timer_expire`): each INIT waits for the retransmission timeout, which doubles
/// when all addresses have been tried once. A tenth is taken off for the timer's coarseness.
fn patience(socket: &Socket, addrs: usize) -> io::Result<Duration> {
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
