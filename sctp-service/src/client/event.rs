//! Events of a client's associations.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use sctp_core::{AbortReason, PeerAddrChange};
use sctp_tokio::{ConnectError, End, Received, RecvError, SendError};

use crate::{AssociationHandle, ConnectInfo, Counts, ServerEvent, event::guard};

/// Event of a client and its associations, like [`ServerEvent`](crate::ServerEvent) for a server.
///
/// The hook of [`ClientBuilder::on_event`](super::ClientBuilder::on_event) runs in a task of the
/// client: it should be quick, and must not block. No lock is held during the hook, so it may use
/// the client, or spawn a task that makes a call. A panic of the hook is logged, and has no other
/// effect.
///
/// There are no events for single messages: the outcome of a call is returned to its caller.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// An association was established.
    #[non_exhaustive]
    Up {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Its handle.
        association: &'a AssociationHandle,
    },
    /// The service of an association was made. Calls are sent from now on.
    #[non_exhaustive]
    Open {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Its handle.
        association: &'a AssociationHandle,
    },
    /// An association has closed, and every unanswered call on it has failed. Reported for each
    /// association that was established.
    #[non_exhaustive]
    Closed {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Its handle, which is already closed.
        association: &'a AssociationHandle,
        /// End of the association.
        end: &'a End,
        /// Local abort reason, if this end aborted the association.
        reason: Option<&'a AbortReason>,
        /// Time for which the association was established.
        lasted: Duration,
        /// Counts of its messages and calls.
        counts: &'a Counts,
    },
    /// The server restarted with the same addresses and has lost its state. Calls that had been
    /// sent have failed with [`Cause::Restarted`](crate::Cause::Restarted).
    #[non_exhaustive]
    Restarted {
        /// The association after the restart.
        connect_info: &'a ConnectInfo,
        /// Handle of the association after the restart. Earlier handles are closed.
        association: &'a AssociationHandle,
    },
    /// The state of a path of a multi-homed association has changed.
    #[non_exhaustive]
    PathChanged {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The change.
        change: &'a PeerAddrChange,
    },
    /// Receiving failed, and the association is aborted.
    #[non_exhaustive]
    ReceiveFailed {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The error.
        error: &'a RecvError,
    },
    /// An unsolicited message of the server was discarded. The client has neither a
    /// [service](super::ClientBuilder::serving) nor an [inbox](super::ClientBuilder::with_inbox),
    /// the inbox was dropped, or it is full while the association is drained.
    #[non_exhaustive]
    Unsolicited {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The message.
        received: &'a Received,
    },
    /// The service's reply to a request of the server could not be sent, and the association is
    /// aborted. See [`ServerEvent::ReplyRefused`].
    #[non_exhaustive]
    ReplyRefused {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The error.
        error: &'a SendError,
    },
    /// The transport refused a message that an [`AssociationHandle`] had accepted. The message is
    /// discarded.
    #[non_exhaustive]
    SendRefused {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The error.
        error: &'a SendError,
    },
    /// Calls wait for replies behind more requests of the server than may be
    /// [read ahead](crate::Config::read_ahead_bytes). See [`ServerEvent::HeldBack`].
    #[non_exhaustive]
    HeldBack {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Number of waiting calls.
        calls: usize,
    },
    /// The service or the correlator panicked, and the association is aborted.
    #[non_exhaustive]
    Panicked {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Panic message, if the payload is a string.
        message: &'a str,
    },
    /// An attempt to set up an association failed.
    #[non_exhaustive]
    ConnectFailed {
        /// Addresses of the server, as far as they are known: those of a [`Remote`](super::Remote),
        /// or the result of [`Connect::addrs`](super::Connect::addrs).
        addrs: &'a [SocketAddr],
        /// The error.
        error: &'a ConnectError,
        /// Number of consecutive failures, including this one and associations that closed early:
        /// see [`Backoff`](super::Backoff).
        failures: u32,
        /// Pause before the next attempt. After it, a [lazy](super::ClientBuilder::connect_lazily)
        /// client waits for a call as well. `None` if there is no further attempt: the client was
        /// shut down, [`with_reconnect`](super::ClientBuilder::with_reconnect) decided so, or the
        /// attempt was the first of [`connect`](super::ClientBuilder::connect), which returns the
        /// error.
        next: Option<Duration>,
    },
}

impl<'a> ClientEvent<'a> {
    /// Converts an event of an association, or returns `None` for an event that clients do not
    /// have.
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

    /// Returns the association of the event, if it has one.
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
