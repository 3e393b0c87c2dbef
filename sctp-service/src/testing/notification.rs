//! Encoded notifications, in the kernel's format.

use std::net::{IpAddr, SocketAddr};

use sctp_core::{AssocId, Notification, PeerAddrChangeState};

const ASSOC_CHANGE: u16 = 0x8001;
const PEER_ADDR_CHANGE: u16 = 0x8002;
const RESTART: u16 = 2;
// sizeof(struct sctp_assoc_change), sizeof(struct sctp_paddr_change)
const ASSOC_CHANGE_LEN: usize = 20;
const PEER_ADDR_CHANGE_LEN: usize = 148;

/// Encodes the restart of a peer.
pub(super) fn restart(assoc: AssocId) -> Notification {
    let mut bytes = header(ASSOC_CHANGE, ASSOC_CHANGE_LEN);
    put(&mut bytes, 8, &RESTART.to_ne_bytes());
    put(&mut bytes, 16, &assoc.get().to_ne_bytes());
    decode(bytes)
}

/// Encodes a path change.
pub(super) fn path_change(
    assoc: AssocId,
    addr: SocketAddr,
    state: PeerAddrChangeState,
) -> Notification {
    let mut bytes = header(PEER_ADDR_CHANGE, PEER_ADDR_CHANGE_LEN);
    match addr.ip() {
        IpAddr::V4(ip) => {
            put(&mut bytes, 8, &2u16.to_ne_bytes());
            put(&mut bytes, 12, &ip.octets());
        }
        IpAddr::V6(ip) => {
            put(&mut bytes, 8, &10u16.to_ne_bytes());
            put(&mut bytes, 16, &ip.octets());
        }
    }
    put(&mut bytes, 10, &addr.port().to_be_bytes());
    put(&mut bytes, 136, &path_state(state).to_ne_bytes());
    put(&mut bytes, 144, &assoc.get().to_ne_bytes());
    decode(bytes)
}

fn path_state(state: PeerAddrChangeState) -> i32 {
    match state {
        PeerAddrChangeState::Available => 0,
        PeerAddrChangeState::Unreachable => 1,
        PeerAddrChangeState::Removed => 2,
        PeerAddrChangeState::Added => 3,
        PeerAddrChangeState::MadePrimary => 4,
        PeerAddrChangeState::Confirmed => 5,
        PeerAddrChangeState::PotentiallyFailed => 6,
        PeerAddrChangeState::Other(other) => other,
        _ => i32::MAX,
    }
}

fn header(kind: u16, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    put(&mut bytes, 0, &kind.to_ne_bytes());
    put(
        &mut bytes,
        4,
        &u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes(),
    );
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn decode(bytes: Vec<u8>) -> Notification {
    Notification::decode(bytes.into()).unwrap_or_else(|error| {
        panic!("a notification of the test transport is malformed: {error}")
    })
}
