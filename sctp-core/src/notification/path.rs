//! Notifications about the paths of a multi-homed association.

use std::net::SocketAddr;

use super::fields::Fields;
use crate::{ids::AssocId, sockaddr};

/// Change of a path's state (`SCTP_PEER_ADDR_CHANGE`, RFC 6458 section 6.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerAddrChange {
    /// The association.
    pub assoc: AssocId,
    /// Address of the peer on this path. `None` if the notification holds no valid address.
    pub addr: Option<SocketAddr>,
    /// The new state of the path.
    pub state: PeerAddrChangeState,
    /// Cause of the change, as numbered by the kernel (`sctp_sn_error_t`): 0 for an exceeded
    /// threshold, 2 for an acknowledged heartbeat.
    pub error: i32,
}

/// New state of a path (`spc_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddrChangeState {
    /// The path is usable again (`SCTP_ADDR_AVAILABLE`).
    Available,
    /// The path does not respond (`SCTP_ADDR_UNREACHABLE`).
    Unreachable,
    /// The peer removed the address (`SCTP_ADDR_REMOVED`).
    Removed,
    /// The peer added the address (`SCTP_ADDR_ADDED`).
    Added,
    /// The path became the primary path (`SCTP_ADDR_MADE_PRIM`).
    MadePrimary,
    /// A heartbeat confirmed that the path leads to the peer (`SCTP_ADDR_CONFIRMED`).
    Confirmed,
    /// The path is unreliable and avoided if there is another (`SCTP_ADDR_POTENTIALLY_FAILED`, RFC
    /// 7829).
    ///
    /// Reported only if this state is exposed: see [`PfExposure`](crate::options::PfExposure).
    PotentiallyFailed,
    /// A state unknown to this crate.
    Other(i32),
}

impl PeerAddrChange {
    pub(super) fn decode(fields: Fields<'_>) -> Option<Self> {
        let storage = fields.0.get(8..8 + sockaddr::STORAGE_LEN)?;
        Some(Self {
            addr: sockaddr::decode_storage(storage),
            state: match fields.i32(136)? {
                0 => PeerAddrChangeState::Available,
                1 => PeerAddrChangeState::Unreachable,
                2 => PeerAddrChangeState::Removed,
                3 => PeerAddrChangeState::Added,
                4 => PeerAddrChangeState::MadePrimary,
                5 => PeerAddrChangeState::Confirmed,
                6 => PeerAddrChangeState::PotentiallyFailed,
                other => PeerAddrChangeState::Other(other),
            },
            error: fields.i32(140)?,
            assoc: fields.assoc(144)?,
        })
    }
}
