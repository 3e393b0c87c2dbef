//! What an association is doing now.

use std::{io, net::SocketAddr, time::Duration};

use crate::{abi, ids::AssocId, socket::Socket};

/// The state of an association (`SCTP_STATUS`, RFC 6458 section 8.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The association.
    pub assoc: AssocId,
    /// Where it stands.
    pub state: AssociationState,
    /// The peer's receive window, in bytes.
    pub peer_window: u32,
    /// DATA chunks sent and not yet acknowledged.
    pub unacknowledged_chunks: u16,
    /// DATA chunks received and not yet read.
    pub pending_chunks: u16,
    /// How many streams the peer can send on.
    pub inbound_streams: u16,
    /// How many streams can be sent on.
    pub outbound_streams: u16,
    /// The largest payload that goes into one DATA chunk, in bytes.
    pub fragmentation_point: u32,
    /// The primary path.
    pub primary: PathInfo,
}

/// Where an association stands (`sstat_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AssociationState {
    /// There is none (`SCTP_EMPTY` or `SCTP_CLOSED`).
    Closed,
    /// INIT was sent.
    CookieWait,
    /// COOKIE-ECHO was sent.
    CookieEchoed,
    /// Messages flow.
    Established,
    /// This end shuts down as soon as everything is acknowledged.
    ShutdownPending,
    /// This end sent SHUTDOWN.
    ShutdownSent,
    /// The peer sent SHUTDOWN.
    ShutdownReceived,
    /// This end sent SHUTDOWN-ACK.
    ShutdownAckSent,
    /// A state that this crate does not know.
    Other(i32),
}

impl AssociationState {
    pub(super) fn from_kernel(state: i32) -> Self {
        match state {
            0 | 1 => Self::Closed,
            2 => Self::CookieWait,
            3 => Self::CookieEchoed,
            4 => Self::Established,
            5 => Self::ShutdownPending,
            6 => Self::ShutdownSent,
            7 => Self::ShutdownReceived,
            8 => Self::ShutdownAckSent,
            other => Self::Other(other),
        }
    }
}

/// One path of an association (`struct sctp_paddrinfo`, RFC 6458 section 8.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathInfo {
    /// The peer's address; `None` only if the kernel named none.
    pub addr: Option<SocketAddr>,
    /// Whether it can be used.
    pub state: PathState,
    /// The congestion window, in bytes.
    pub congestion_window: u32,
    /// The smoothed round-trip time, in ticks of the kernel: RFC 6458 has milliseconds, Linux
    /// returns its own unit, of 1 to 10 milliseconds, which it does not tell.
    pub smoothed_rtt_ticks: u32,
    /// The retransmission timeout, millisecond resolution.
    pub retransmission_timeout: Duration,
    /// The path MTU, in bytes.
    pub mtu: u32,
}

/// Whether a path can be used (`spinfo_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathState {
    /// It does not answer.
    Inactive,
    /// It answers badly (RFC 7829).
    PotentiallyFailed,
    /// It can be used.
    Active,
    /// No heartbeat has confirmed it yet.
    Unconfirmed,
    /// The kernel does not know.
    Unknown,
    /// A state that this crate does not know.
    Other(i32),
}

impl PathState {
    pub(super) fn from_kernel(state: i32) -> Self {
        match state {
            0 => Self::Inactive,
            1 => Self::PotentiallyFailed,
            2 => Self::Active,
            3 => Self::Unconfirmed,
            0xffff => Self::Unknown,
            other => Self::Other(other),
        }
    }
}

impl Socket {
    /// Returns the state of an association.
    ///
    /// # Errors
    ///
    /// `InvalidInput` (`EINVAL`) when there is no such association (any more).
    #[doc(alias = "SCTP_STATUS")]
    pub fn status(&self, assoc: AssocId) -> io::Result<Status> {
        let raw = self.option(
            abi::SCTP_STATUS,
            &abi::Status {
                assoc,
                ..abi::Status::default()
            },
        )?;
        Ok(Status {
            assoc: raw.assoc,
            state: AssociationState::from_kernel(raw.state),
            peer_window: raw.rwnd,
            unacknowledged_chunks: raw.unacknowledged,
            pending_chunks: raw.pending,
            inbound_streams: raw.inbound_streams,
            outbound_streams: raw.outbound_streams,
            fragmentation_point: raw.fragmentation_point,
            primary: PathInfo {
                addr: raw.primary_addr,
                state: PathState::from_kernel(raw.primary_state),
                congestion_window: raw.primary_cwnd,
                smoothed_rtt_ticks: raw.primary_srtt,
                retransmission_timeout: Duration::from_millis(raw.primary_rto.into()),
                mtu: raw.primary_mtu,
            },
        })
    }
}
