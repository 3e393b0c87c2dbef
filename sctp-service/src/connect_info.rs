//! Information about the association of a request.

use std::{fmt, net::SocketAddr, sync::Arc};

use sctp_core::AssocId;
use sctp_tokio::Side;

/// The association that a request came on: its identifier, both ends' addresses, and how many
/// streams were negotiated.
///
/// Every [`Request`](crate::Request) has one, so there is nothing to ask for when the service
/// is made; a clone costs one reference count. It shows the association as it was when it came
/// up or last restarted: paths that were added later are in the
/// [lifecycle events](crate::ServerEvent).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectInfo(Arc<Inner>);

#[derive(Clone, Default, PartialEq, Eq)]
struct Inner {
    assoc: AssocId,
    peer_addrs: Vec<SocketAddr>,
    local_addrs: Vec<SocketAddr>,
    inbound_streams: u16,
    outbound_streams: u16,
    initiated_here: bool,
}

impl ConnectInfo {
    /// Begins with an association's identifier, no addresses and no streams.
    #[must_use]
    pub fn new(assoc: AssocId) -> Self {
        Self(Arc::new(Inner {
            assoc,
            ..Inner::default()
        }))
    }

    /// Sets the peer's addresses, the primary one first.
    #[must_use]
    pub fn with_peer_addrs(mut self, addrs: impl Into<Vec<SocketAddr>>) -> Self {
        Arc::make_mut(&mut self.0).peer_addrs = addrs.into();
        self
    }

    /// Sets the addresses of this end.
    #[must_use]
    pub fn with_local_addrs(mut self, addrs: impl Into<Vec<SocketAddr>>) -> Self {
        Arc::make_mut(&mut self.0).local_addrs = addrs.into();
        self
    }

    /// Sets how many streams the peer can send on, and how many this end can.
    #[must_use]
    pub fn with_streams(mut self, inbound: u16, outbound: u16) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.inbound_streams = inbound;
        inner.outbound_streams = outbound;
        self
    }

    /// Sets the end that set the association up. Defaults to [`Side::Peer`].
    #[must_use]
    pub fn with_initiated_by(mut self, side: Side) -> Self {
        Arc::make_mut(&mut self.0).initiated_here = side == Side::Local;
        self
    }

    /// Returns the identifier of the association on its socket.
    #[must_use]
    pub fn assoc(&self) -> AssocId {
        self.0.assoc
    }

    /// Returns the peer's first address; `None` only if the association ended before the kernel
    /// was asked. On a socket that is bound to an IPv6 address, that of an IPv4 peer is a mapped one,
    /// `::ffff:192.0.2.1`: [`IpAddr::to_canonical`](std::net::IpAddr::to_canonical) makes one of it
    /// that compares with others.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addrs.first().copied()
    }

    /// Returns all addresses of a multi-homed peer.
    #[must_use]
    pub fn peer_addrs(&self) -> &[SocketAddr] {
        &self.0.peer_addrs
    }

    /// Returns the addresses of this end.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.0.local_addrs
    }

    /// Returns the end that set the association up (sent INIT). After a restart this is the peer.
    ///
    /// RFC 6733, section 5.6, calls the two ends initiator and responder.
    #[must_use]
    pub fn initiated_by(&self) -> Side {
        match self.0.initiated_here {
            true => Side::Local,
            false => Side::Peer,
        }
    }

    /// Returns how many streams the peer can send on.
    #[must_use]
    pub fn inbound_streams(&self) -> u16 {
        self.0.inbound_streams
    }

    /// Returns how many streams replies can go out on: streams `0..outbound_streams()`.
    #[must_use]
    pub fn outbound_streams(&self) -> u16 {
        self.0.outbound_streams
    }
}

impl fmt::Debug for ConnectInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectInfo")
            .field("assoc", &self.0.assoc)
            .field("peer_addrs", &self.0.peer_addrs)
            .field("local_addrs", &self.0.local_addrs)
            .field("inbound_streams", &self.0.inbound_streams)
            .field("outbound_streams", &self.0.outbound_streams)
            .finish()
    }
}

/// Names the association in a log line: its identifier and the peer's first address.
impl fmt::Display for ConnectInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "association {}", self.0.assoc)?;
        match self.peer_addr() {
            Some(peer) => write!(f, " with {peer}"),
            None => Ok(()),
        }
    }
}
