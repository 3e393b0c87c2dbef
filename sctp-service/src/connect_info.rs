//! Information about the association of a request.

use std::{fmt, net::SocketAddr, sync::Arc};

use sctp_core::AssocId;
use sctp_tokio::Side;

/// Information about an association: its identifier, the addresses of both ends, and the negotiated
/// numbers of streams.
///
/// Every [`Request`](crate::Request) has one. Cloning only increments a reference count. The values
/// are those from when the association was established or last restarted. Paths that were added
/// later are reported as [events](crate::ServerEvent).
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
    /// Creates the information of an association without addresses and streams.
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

    /// Sets the numbers of inbound and outbound streams.
    #[must_use]
    pub fn with_streams(mut self, inbound: u16, outbound: u16) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.inbound_streams = inbound;
        inner.outbound_streams = outbound;
        self
    }

    /// Sets the end that initiated the association. Defaults to [`Side::Peer`].
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

    /// Returns the peer's first address, or `None` if the association closed before the kernel
    /// could be queried.
    ///
    /// On a socket bound to an IPv6 address, the address of an IPv4 peer is IPv4-mapped, such as
    /// `::ffff:192.0.2.1`. To compare it with other addresses, convert it with
    /// [`IpAddr::to_canonical`](std::net::IpAddr::to_canonical).
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

    /// Returns the end that initiated the association by sending INIT. After a restart this is the
    /// peer.
    ///
    /// RFC 6733, section 5.6, calls the two ends initiator and responder.
    #[must_use]
    pub fn initiated_by(&self) -> Side {
        match self.0.initiated_here {
            true => Side::Local,
            false => Side::Peer,
        }
    }

    /// Returns the number of streams on which the peer can send.
    #[must_use]
    pub fn inbound_streams(&self) -> u16 {
        self.0.inbound_streams
    }

    /// Returns the number of streams on which this end can send, `0..outbound_streams()`.
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

/// Shows the identifier and the peer's first address, for logs.
impl fmt::Display for ConnectInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "association {}", self.0.assoc)?;
        match self.peer_addr() {
            Some(peer) => write!(f, " with {peer}"),
            None => Ok(()),
        }
    }
}
