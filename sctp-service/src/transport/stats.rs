//! Statistics that a transport has of its association.

use std::io;

use sctp_core::{
    AssocId, Socket,
    options::{AssocStats, PathInfo, Status},
};

/// Statistics of an association and its paths; see
/// [`AssociationHandle::stats`](crate::AssociationHandle::stats).
///
/// A transport of your own begins with the default, and sets what it knows.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TransportStats {
    /// Current state (`SCTP_STATUS`).
    pub status: Status,
    /// Counters since the association was established (`SCTP_GET_ASSOC_STATS`). A restart of the peer
    /// does not reset them. Reading them resets [`AssocStats::max_rto`].
    pub counters: AssocStats,
    /// Paths to the peer's addresses (`SCTP_GET_PEER_ADDR_INFO`), the primary one first. Without those
    /// whose state the kernel [hides](sctp_core::options::PfExposure).
    pub paths: Vec<PathInfo>,
}

impl TransportStats {
    /// Reads the statistics of an association from its socket.
    pub(super) fn read(socket: &Socket, assoc: AssocId) -> io::Result<Self> {
        let addrs = socket.peer_addrs(assoc)?;
        // An error is of a hidden path, or of one that was removed since.
        let paths = addrs
            .into_iter()
            .flat_map(|addr| socket.path_info(assoc, addr));
        Ok(Self {
            status: socket.status(assoc)?,
            counters: socket.assoc_stats(assoc)?,
            paths: paths.collect(),
        })
    }
}
