//! Events and counts of a server's associations.

use std::{
    fmt, io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use sctp_core::{AbortReason, PeerAddrChange};
use sctp_tokio::{ConnectError, End, Received, RecvError, SendError};

use crate::{
    AssociationHandle, ConnectInfo,
    client::{ClientEvent, ClientHook},
    log_limit::LogLimiter,
};

/// Event of an association or of the server.
///
/// Hooks run in the association's task: they should be quick, and must not block.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// An association was established. Its handle waits until it is [open](Self::Open).
    #[non_exhaustive]
    Up {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Its handle.
        association: &'a AssociationHandle,
    },
    /// The handshake of an association has completed: its service is made, and requests are served.
    /// Reported again after a [restart](Self::Restarted) of the peer.
    #[non_exhaustive]
    Open {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Its handle, which can send from now on.
        association: &'a AssociationHandle,
    },
    /// An association has closed.
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
    /// The peer restarted: it set up the association again with the same addresses. Its earlier
    /// requests are dropped, their replies are not sent, and the service is made again.
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
    /// A reply could not be sent, because it is empty or too large, or because its stream does not
    /// exist. The association is aborted with the reason `internal error` or
    /// `no stream to reply on`, since the peer would otherwise wait indefinitely for the reply.
    #[non_exhaustive]
    ReplyRefused {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The error.
        error: &'a SendError,
    },
    /// The transport refused a message that an [`AssociationHandle`](crate::AssociationHandle) had
    /// accepted. The message is discarded, and the association continues.
    #[non_exhaustive]
    SendRefused {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The error.
        error: &'a SendError,
    },
    /// Calls of this end wait for replies behind more requests than may be [read
    /// ahead](crate::Config::read_ahead_bytes). The association is not read until some of these
    /// requests are served, and the calls may time out. Reported once until there is room again.
    #[non_exhaustive]
    HeldBack {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Number of waiting calls.
        calls: usize,
    },
    /// Receiving failed, and the association is aborted.
    #[non_exhaustive]
    ReceiveFailed {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The error.
        error: &'a RecvError,
    },
    /// The service, its make-service, a `Clone` of them, a correlator, or the future of
    /// [`Serve::on_drain`](crate::Serve::on_drain) panicked. The association is aborted with the
    /// reason `internal error`. Other associations are not affected.
    #[non_exhaustive]
    Panicked {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// Panic message, if the payload is a string.
        message: &'a str,
    },
    /// An association was aborted when it was established, since there were [too
    /// many](crate::Config::max_associations).
    #[non_exhaustive]
    Refused {
        /// The association.
        connect_info: &'a ConnectInfo,
    },
    /// An attempt of [`Serve::with_dial`](crate::Serve::with_dial) to set up an association failed.
    #[non_exhaustive]
    ConnectFailed {
        /// Addresses of the peer, as far as [`Connect::addrs`](crate::client::Connect::addrs) knows
        /// them.
        addrs: &'a [SocketAddr],
        /// The error.
        error: &'a ConnectError,
        /// Number of consecutive failed attempts.
        failures: u32,
        /// The pause before the next attempt.
        next: Duration,
    },
    /// Accepting failed. The server retries after a pause.
    #[non_exhaustive]
    AcceptFailed {
        /// The error.
        error: &'a io::Error,
    },
}

impl ServerEvent<'_> {
    /// Returns the association of the event, or `None` if the event is about the server.
    #[must_use]
    pub fn connect_info(&self) -> Option<&ConnectInfo> {
        match self {
            Self::Up { connect_info, .. }
            | Self::Open { connect_info, .. }
            | Self::Closed { connect_info, .. }
            | Self::Restarted { connect_info, .. }
            | Self::PathChanged { connect_info, .. }
            | Self::ReplyRefused { connect_info, .. }
            | Self::SendRefused { connect_info, .. }
            | Self::HeldBack { connect_info, .. }
            | Self::ReceiveFailed { connect_info, .. }
            | Self::Panicked { connect_info, .. }
            | Self::Refused { connect_info } => Some(connect_info),
            Self::AcceptFailed { .. } | Self::ConnectFailed { .. } => None,
        }
    }
}

/// Counts of one association, reported when it has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Requests that were read.
    pub requests: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Requests that were read but not served, since the association was closing.
    pub discarded_requests: u64,
    /// Messages of replies that were not sent, since the association was closing.
    pub discarded_replies: u64,
    /// Requests in flight that were dropped.
    pub dropped_calls: u64,
    /// Messages that [handles](crate::AssociationHandle) accepted, sent or not.
    pub sends: u64,
    /// Messages of handles that were not sent, since the association was closing or they were
    /// refused.
    pub discarded_sends: u64,
    /// Calls that [handles](crate::AssociationHandle) accepted.
    pub calls: u64,
    /// Replies that completed a call.
    pub replies: u64,
    /// Replies that belong to no call: late, or invalid.
    pub late_replies: u64,
    /// Calls that were sent, and failed because the association closed.
    pub lost_calls: u64,
    /// Calls that were not sent before the association closed.
    pub unsent_calls: u64,
}

/// Calls a hook and catches its panic, so that a broken hook ends neither an association nor the
/// accept loop or a client.
pub(crate) fn guard(hook: impl FnOnce()) {
    static PANICS: LogLimiter = LogLimiter::new();
    if catch_unwind(AssertUnwindSafe(hook)).is_err()
        && let Some(occurrences) = PANICS.record()
    {
        tracing::error!(occurrences, "event hook panicked");
    }
}

type Hook = dyn Fn(&ServerEvent<'_>) + Send + Sync;

/// The hook of the user and the limits of the log, shared by the associations of a server.
#[derive(Clone, Default)]
pub(crate) struct EventHook(Arc<Reports>);

#[derive(Default)]
struct Reports {
    hooks: Vec<AnyHook>,
    limits: LogLimits,
}

#[derive(Clone)]
enum AnyHook {
    Server(Arc<Hook>),
    Client(ClientHook),
}

/// Rate limits of the log lines of a server's associations. Each limit applies to all associations
/// together, since a peer can set up one after another.
pub(crate) struct LogLimits {
    pub(crate) up: LogLimiter,
    pub(crate) closed: LogLimiter,
    pub(crate) restarted: LogLimiter,
    pub(crate) path_changed: LogLimiter,
    pub(crate) reply_refused: LogLimiter,
    pub(crate) send_refused: LogLimiter,
    pub(crate) held_back: LogLimiter,
    pub(crate) unknown_reply: LogLimiter,
    pub(crate) unsolicited: LogLimiter,
    pub(crate) unexpected_reply: LogLimiter,
    pub(crate) unresponsive: LogLimiter,
    pub(crate) receive_failed: LogLimiter,
    pub(crate) panicked: LogLimiter,
    pub(crate) outlived: LogLimiter,
    pub(crate) no_reason: LogLimiter,
    pub(crate) connect_failed: LogLimiter,
}

/// Lines in 10 seconds about associations that are established or closed.
pub(crate) const LIFECYCLE_LINES: u32 = 1000;
/// Lines in 10 seconds about changes of established associations.
pub(crate) const CHANGE_LINES: u32 = 100;

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            up: LogLimiter::with_burst(LIFECYCLE_LINES),
            closed: LogLimiter::with_burst(LIFECYCLE_LINES),
            restarted: LogLimiter::with_burst(CHANGE_LINES),
            path_changed: LogLimiter::with_burst(CHANGE_LINES),
            reply_refused: LogLimiter::new(),
            send_refused: LogLimiter::new(),
            held_back: LogLimiter::new(),
            unknown_reply: LogLimiter::new(),
            unsolicited: LogLimiter::new(),
            unexpected_reply: LogLimiter::new(),
            unresponsive: LogLimiter::new(),
            receive_failed: LogLimiter::new(),
            panicked: LogLimiter::new(),
            outlived: LogLimiter::new(),
            no_reason: LogLimiter::new(),
            connect_failed: LogLimiter::new(),
        }
    }
}

impl LogLimits {
    /// Fewer lines, since a client has one association after the other.
    fn of_client() -> Self {
        Self {
            up: LogLimiter::with_burst(CHANGE_LINES),
            closed: LogLimiter::with_burst(CHANGE_LINES),
            ..Self::default()
        }
    }
}

impl EventHook {
    /// Adds a hook behind the others.
    pub(crate) fn with(self, hook: impl Fn(&ServerEvent<'_>) + Send + Sync + 'static) -> Self {
        let mut hooks = self.0.hooks.clone();
        hooks.push(AnyHook::Server(Arc::new(hook)));
        Self(Arc::new(Reports {
            hooks,
            limits: LogLimits::default(),
        }))
    }

    /// Forwards the events of a client's associations to the hook of the client.
    pub(crate) fn of_client(hook: ClientHook) -> Self {
        Self(Arc::new(Reports {
            hooks: vec![AnyHook::Client(hook)],
            limits: LogLimits::of_client(),
        }))
    }

    pub(crate) fn emit(&self, event: &ServerEvent<'_>) {
        for hook in &self.0.hooks {
            match hook {
                AnyHook::Server(hook) => guard(|| hook(event)),
                AnyHook::Client(hook) => hook.emit_association(event),
            }
        }
    }

    pub(crate) fn emit_unsolicited(&self, connect_info: &ConnectInfo, received: &Received) {
        for hook in &self.0.hooks {
            if let AnyHook::Client(hook) = hook {
                hook.emit(&ClientEvent::Unsolicited {
                    connect_info,
                    received,
                });
            }
        }
    }

    pub(crate) fn limits(&self) -> &LogLimits {
        &self.0.limits
    }
}

impl fmt::Debug for EventHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventHook({})", self.0.hooks.len())
    }
}
