//! Notifications about the paths of a multi-homed association.

use std::net::SocketAddr;

use super::decode::Fields;
use crate::{ids::AssocId, sockaddr};

/// A path to the peer changed its state (`SCTP_PEER_ADDR_CHANGE`, RFC 6458 section 6.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerAddrChange {
    /// The association.
    pub assoc: AssocId,
    /// The peer's address; `None` if the kernel named none.
    pub addr: Option<SocketAddr>,
    /// The path's new state.
    pub state: PeerAddrChangeState,
    /// Why, as the kernel numbers it (`sctp_sn_error_t`): 0 is a threshold that was exceeded,
    /// 2 a heartbeat that was answered.
    pub error: i32,
}

/// What happened to a path (`spc_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddrChangeState {
    /// It can be used again (`SCTP_ADDR_AVAILABLE`).
    Available,
    /// It does not answer (`SCTP_ADDR_UNREACHABLE`).
    Unreachable,
    /// The peer gave the address up (`SCTP_ADDR_REMOVED`).
    Removed,
    /// The peer has a further address (`SCTP_ADDR_ADDED`).
    Added,
    /// It became the primary path (`SCTP_ADDR_MADE_PRIM`).
    MadePrimary,
    /// A heartbeat confirmed that it leads to the peer (`SCTP_ADDR_CONFIRMED`).
    Confirmed,
    /// It answers badly, and another is used if there is one (`SCTP_ADDR_POTENTIALLY_FAILED`,
    /// RFC 7829); reported only if that state is exposed.
    PotentiallyFailed,
    /// A state that this crate does not know.
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
