//! Events of a client's associations.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use sctp_core::{AbortReason, PeerAddrChange};
use sctp_tokio::{ConnectError, End, Received, RecvError, SendError};

use crate::{AssociationHandle, ConnectInfo, Counts, ServerEvent, event::guard};

/// Something that happened in the life of a client: what [`ServerEvent`](crate::ServerEvent) is for
/// a server.
///
/// The hook of [`ClientBuilder::on_event`](super::ClientBuilder::on_event) runs in a task of the
/// client, which waits for it: it should be quick, and must not block. No lock is held meanwhile, so it
/// may ask the client, or make a call in a task of its own. If it panics, that is logged, and nothing
/// else is affected.
///
/// There is none for each message: what becomes of a call is known where it was made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// An association came up.
    #[non_exhaustive]
    Up {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Its handle.
        association: &'a AssociationHandle,
    },
    /// The service of an association is made, so that calls go out from now on.
    #[non_exhaustive]
    Open {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Its handle.
        association: &'a AssociationHandle,
    },
    /// An association is over, and every call that it left unanswered has failed. Reported for each
    /// that was up.
    #[non_exhaustive]
    Closed {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Its handle, which is closed.
        association: &'a AssociationHandle,
        /// The way in which it ended.
        end: &'a End,
        /// The reason that this end gave, if it aborted.
        reason: Option<&'a AbortReason>,
        /// The time for which it was up.
        lasted: Duration,
        /// Counts of what it carried, and of the calls that its end cut off.
        counts: &'a Counts,
    },
    /// The server started again under the same addresses, and has forgotten what it was asked: the
    /// calls that had gone out have failed with [`Cause::Restarted`](crate::Cause::Restarted).
    #[non_exhaustive]
    Restarted {
        /// The association as it is now.
        connect_info: &'a ConnectInfo,
        /// The handle of the association as it is now. Earlier ones are closed.
        association: &'a AssociationHandle,
    },
    /// A path of a multi-homed association changed its state.
    #[non_exhaustive]
    PathChanged {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The change.
        change: &'a PeerAddrChange,
    },
    /// Receiving failed; the association is aborted.
    #[non_exhaustive]
    ReceiveFailed {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Why.
        error: &'a RecvError,
    },
    /// A message that the server sent unasked was discarded. The client has neither a
    /// [service](super::ClientBuilder::serving) nor an [inbox](super::ClientBuilder::with_inbox), the
    /// inbox was dropped, or it is full while the association is drained.
    #[non_exhaustive]
    Unsolicited {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The message.
        received: &'a Received,
    },
    /// The service's reply to a request of the server could not be sent; the association is aborted.
    /// See [`ServerEvent::ReplyRefused`].
    #[non_exhaustive]
    ReplyRefused {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Why.
        error: &'a SendError,
    },
    /// A message that an [`AssociationHandle`] had accepted was refused by the transport, and is not
    /// sent.
    #[non_exhaustive]
    SendRefused {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Why.
        error: &'a SendError,
    },
    /// Calls wait for replies behind more requests of the server than may be
    /// [read ahead](crate::Config::read_ahead_bytes). See [`ServerEvent::HeldBack`].
    #[non_exhaustive]
    HeldBack {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The number of calls that wait.
        calls: usize,
    },
    /// The service or the correlator panicked; the association is aborted.
    #[non_exhaustive]
    Panicked {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The panic's message, where it is a text.
        message: &'a str,
    },
    /// An attempt to set up an association failed.
    #[non_exhaustive]
    ConnectFailed {
        /// The server's addresses, as far as they are known: those of a
        /// [`Remote`](super::Remote), or what [`Connect::addrs`](super::Connect::addrs) says.
        addrs: &'a [SocketAddr],
        /// Why.
        error: &'a ConnectError,
        /// Number of failures in a row, with this one; associations that soon ended are among them,
        /// see [`Backoff`](super::Backoff).
        failures: u32,
        /// The pause before the next attempt; a [lazy](super::ClientBuilder::connect_lazily) client
        /// then waits for a call as well. `None` if there is none: the client was shut down,
        /// [`with_reconnect`](super::ClientBuilder::with_reconnect) decided so, or the attempt was the
        /// first of [`connect`](super::ClientBuilder::connect), which returns the error.
        next: Option<Duration>,
    },
}

impl<'a> ClientEvent<'a> {
    /// Returns the event of a client's association; `None` if it is not one of clients.
    fn of_association(event: &ServerEvent<'a>) -> Option<Self> {
        Some(match *event {
            ServerEvent::Up {
                connect_info,
                association,
            } => Self::Up {
                connect_info,
                association,
            },
            ServerEvent::Open {
                connect_info,
                association,
            } => Self::Open {
                connect_info,
                association,
            },
            ServerEvent::Closed {
                connect_info,
                association,
                end,
                reason,
                lasted,
                counts,
            } => Self::Closed {
                connect_info,
                association,
                end,
                reason,
                lasted,
                counts,
            },
            ServerEvent::Restarted {
                connect_info,
                association,
            } => Self::Restarted {
                connect_info,
                association,
            },
            ServerEvent::PathChanged {
                connect_info,
                change,
            } => Self::PathChanged {
                connect_info,
                change,
            },
            ServerEvent::ReceiveFailed {
                connect_info,
                error,
            } => Self::ReceiveFailed {
                connect_info,
                error,
            },
            ServerEvent::ReplyRefused {
                connect_info,
                error,
            } => Self::ReplyRefused {
                connect_info,
                error,
            },
            ServerEvent::SendRefused {
                connect_info,
                error,
            } => Self::SendRefused {
                connect_info,
                error,
            },
            ServerEvent::HeldBack {
                connect_info,
                calls,
            } => Self::HeldBack {
                connect_info,
                calls,
            },
            ServerEvent::Panicked {
                connect_info,
                message,
            } => Self::Panicked {
                connect_info,
                message,
            },
            ServerEvent::Refused { .. }
            | ServerEvent::AcceptFailed { .. }
            | ServerEvent::ConnectFailed { .. } => return None,
        })
    }

    /// Returns the association that it is about; `None` if there is none.
    #[must_use]
    pub fn connect_info(&self) -> Option<&'a ConnectInfo> {
        match self {
            Self::Up { connect_info, .. }
            | Self::Open { connect_info, .. }
            | Self::Closed { connect_info, .. }
            | Self::Restarted { connect_info, .. }
            | Self::PathChanged { connect_info, .. }
            | Self::Unsolicited { connect_info, .. }
            | Self::ReplyRefused { connect_info, .. }
            | Self::SendRefused { connect_info, .. }
            | Self::HeldBack { connect_info, .. }
            | Self::Panicked { connect_info, .. }
            | Self::ReceiveFailed { connect_info, .. } => Some(connect_info),
            Self::ConnectFailed { .. } => None,
        }
    }
}

type Hook = dyn Fn(&ClientEvent<'_>) + Send + Sync;

/// The user's hook.
#[derive(Clone, Default)]
pub(crate) struct ClientHook(Option<Arc<Hook>>);

impl ClientHook {
    pub(super) fn new(hook: impl Fn(&ClientEvent<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    /// Calls another hook after this one.
    pub(super) fn and(self, next: Self) -> Self {
        match (&self.0, &next.0) {
            (None, _) => next,
            (_, None) => self,
            _ => Self::new(move |event| {
                self.emit(event);
                next.emit(event);
            }),
        }
    }

    pub(crate) fn emit(&self, event: &ClientEvent<'_>) {
        let Some(hook) = &self.0 else { return };
        guard(|| hook(event));
    }

    pub(crate) fn emit_association(&self, event: &ServerEvent<'_>) {
        if self.0.is_some()
            && let Some(event) = ClientEvent::of_association(event)
        {
            self.emit(&event);
        }
    }
}

impl fmt::Debug for ClientHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "unset" })
    }
}
