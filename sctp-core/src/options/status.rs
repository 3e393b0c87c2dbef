//! Current state of associations and paths.

use std::{io, net::SocketAddr, time::Duration};

use crate::{abi, ids::AssocId, socket::Socket, sys};

/// The state of an association (`SCTP_STATUS`, RFC 6458 section 8.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Status {
    /// The association.
    pub assoc: AssocId,
    /// State of the association.
    pub state: AssociationState,
    /// Receive window of the peer, in bytes.
    pub peer_window: u32,
    /// Sent DATA chunks that are unacknowledged.
    pub unacknowledged_chunks: u16,
    /// Received DATA chunks that are unread.
    pub pending_chunks: u16,
    /// Number of inbound streams.
    pub inbound_streams: u16,
    /// Number of outbound streams.
    pub outbound_streams: u16,
    /// Maximum payload of a DATA chunk, in bytes.
    pub fragmentation_point: u32,
    /// Primary path.
    pub primary: PathInfo,
}

/// State of an association in the protocol (`sstat_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AssociationState {
    /// No association (`SCTP_EMPTY` or `SCTP_CLOSED`).
    #[default]
    Closed,
    /// INIT was sent.
    CookieWait,
    /// COOKIE-ECHO was sent.
    CookieEchoed,
    /// Established.
    Established,
    /// Shut down by this end, with messages unacknowledged.
    ShutdownPending,
    /// SHUTDOWN was sent.
    ShutdownSent,
    /// SHUTDOWN was received.
    ShutdownReceived,
    /// SHUTDOWN-ACK was sent.
    ShutdownAckSent,
    /// A state unknown to this crate.
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

/// State of one path of an association (`struct sctp_paddrinfo`, RFC 6458 section 8.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PathInfo {
    /// Address of the peer on this path. `None` if the kernel returned no valid address.
    pub addr: Option<SocketAddr>,
    /// State of the path.
    pub state: PathState,
    /// Congestion window, in bytes.
    pub congestion_window: u32,
    /// Smoothed round-trip time, a multiple of the kernel's tick of 1 to 10 milliseconds.
    ///
    /// Zero before the first measurement, and for a time shorter than a tick. RFC 6458 specifies
    /// milliseconds, but Linux returns ticks; they are converted with the resolution of
    /// `CLOCK_MONOTONIC_COARSE`.
    pub smoothed_rtt: Duration,
    /// Retransmission timeout. Millisecond resolution.
    pub retransmission_timeout: Duration,
    /// Path MTU, in bytes.
    pub mtu: u32,
}

/// State of a path (`spinfo_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PathState {
    /// The path does not respond.
    Inactive,
    /// The path is unreliable (RFC 7829).
    PotentiallyFailed,
    /// The path is usable.
    Active,
    /// No heartbeat has confirmed the path yet.
    Unconfirmed,
    /// The kernel does not know the state.
    #[default]
    Unknown,
    /// A state unknown to this crate.
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
    /// Returns `false` if the association does not exist, or no longer exists.
    ///
    /// Returns `true` if the call fails for any reason other than `EINVAL`.
    #[must_use]
    pub fn has_association(&self, assoc: AssocId) -> bool {
        !matches!(self.status(assoc), Err(error) if error.raw_os_error() == Some(libc::EINVAL))
    }

    /// Returns the state of an association.
    ///
    /// # Errors
    ///
    /// `InvalidInput` (`EINVAL`) if the association does not exist, or no longer exists.
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
                smoothed_rtt: from_ticks(raw.primary_srtt.into())?,
                retransmission_timeout: Duration::from_millis(raw.primary_rto.into()),
                mtu: raw.primary_mtu,
            },
        })
    }
}

/// Converts kernel ticks.
pub(super) fn from_ticks(ticks: u64) -> io::Result<Duration> {
    let nanos = u64::try_from(sys::tick()?.as_nanos()).unwrap_or(u64::MAX);
    Ok(Duration::from_nanos(nanos.saturating_mul(ticks)))
}
