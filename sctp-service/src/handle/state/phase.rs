//! Phases of an association, as its handles see them.

use std::sync::{Arc, PoisonError, Weak};

use sctp_tokio::{End, SendError, Side};

use super::HandleState;
use crate::sync::Mutex;

/// The state that an association has after restarts of the peer. All its states share this place, so
/// that an old one keeps none of the later ones.
pub(super) type Latest = Arc<Mutex<Weak<HandleState>>>;

/// Phase of an association.
pub(super) enum Phase {
    /// Only the handshake can send.
    Handshaking,
    Open,
    /// Nothing more is accepted, since this end or the peer shuts down.
    ShuttingDown(Side),
    /// `None` if the task was dropped.
    Over(Option<Box<End>>),
    /// The peer has restarted, and the association goes on with this state.
    Restarted(Latest),
}

impl Phase {
    pub(super) fn check(&self) -> Result<(), SendError> {
        Err(match self {
            Self::Handshaking | Self::Open => return Ok(()),
            Self::ShuttingDown(_) => SendError::ShuttingDown,
            Self::Over(Some(end)) => SendError::Closed(end.as_ref().clone()),
            Self::Over(None) | Self::Restarted(_) => SendError::NoAssociation,
        })
    }

    /// Returns the end of the association if this is a last phase.
    pub(super) fn end(&self) -> Option<Option<&End>> {
        match self {
            Self::Handshaking | Self::Open | Self::ShuttingDown(_) => None,
            Self::Over(end) => Some(end.as_deref()),
            Self::Restarted(_) => Some(None),
        }
    }

    /// Returns the state that has taken the place of this one when the peer restarted.
    pub(super) fn next(&self) -> Option<Arc<HandleState>> {
        match self {
            Self::Restarted(latest) => {
                let latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
                latest.upgrade()
            }
            _ => None,
        }
    }
}
