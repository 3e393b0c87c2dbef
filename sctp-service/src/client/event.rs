//! Events of a client's associations.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use sctp_core::{AbortReason, PeerAddrChange};
use sctp_tokio::{ConnectError, End, RecvError};

use crate::{ConnectInfo, event::guard};

/// Something that happened in the life of a client: what [`ServerEvent`](crate::ServerEvent) is for
/// a server.
///
/// The hook that hears of it, that of [`ClientBuilder::on_event`](super::ClientBuilder::on_event),
/// runs in the client's own task, which waits for it: it should be quick, and must not block. No lock
/// is held meanwhile, so it may ask the client, or make a call in a task of its own. If it panics, that
/// is logged, and nothing else is affected.
///
/// There is none for each message: what becomes of a call is known where it was made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// An association came up: calls go out on it from now on.
    #[non_exhaustive]
    Up {
        /// The association.
        connect_info: &'a ConnectInfo,
    },
    /// An association is over, and every call that it left unanswered has failed. It is told of each
    /// that was up, unless the client's task panics, as by a correlator that does.
    #[non_exhaustive]
    Closed {
        /// The association.
        connect_info: &'a ConnectInfo,
        /// The way in which it ended.
        end: &'a End,
        /// The reason that this end gave, if it aborted.
        reason: Option<&'a AbortReason>,
        /// The time for which it was up.
        lasted: Duration,
        /// Counts of what it carried, and of the calls that its end cut off.
        counts: &'a ClientCounts,
    },
    /// The server started again under the same addresses, and has forgotten what it was asked: the
    /// calls that had gone out have failed with [`Cause::Restarted`](crate::Cause::Restarted).
    #[non_exhaustive]
    Restarted {
        /// The association as it is now.
        connect_info: &'a ConnectInfo,
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
        /// then waits for a call as well. `None` if there is none, since the client was shut down,
        /// or the attempt was the first of [`connect`](super::ClientBuilder::connect), which returns
        /// the error.
        next: Option<Duration>,
    },
}

impl ClientEvent<'_> {
    /// Returns the association that it is about; `None` if there is none.
    #[must_use]
    pub fn connect_info(&self) -> Option<&ConnectInfo> {
        match self {
            Self::Up { connect_info }
            | Self::Closed { connect_info, .. }
            | Self::Restarted { connect_info }
            | Self::PathChanged { connect_info, .. }
            | Self::ReceiveFailed { connect_info, .. } => Some(connect_info),
            Self::ConnectFailed { .. } => None,
        }
    }
}

/// Counts of what one association of a client carried, for its last event and its last log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct ClientCounts {
    /// Calls that it was given.
    pub calls: u64,
    /// Calls that were answered while somebody waited for it.
    pub replies: u64,
    /// Replies that nobody waited for any more, or that belong to no call.
    pub late_replies: u64,
    /// Messages that the server sent of its own accord, with those that were discarded.
    pub pushes: u64,
    /// Of these, those that were discarded since nobody received them.
    pub discarded_pushes: u64,
    /// Calls that its end, or a restart, left unanswered, and that had gone out: the server may have
    /// acted on them ([`Fate::Unknown`](crate::Fate::Unknown)). A pool may have repeated them.
    pub lost_calls: u64,
    /// Calls and one-way sends that its end, or a restart, cut off before they had gone out
    /// ([`Fate::NotSent`](crate::Fate::NotSent)).
    pub unsent_calls: u64,
}

type Hook = dyn Fn(&ClientEvent<'_>) + Send + Sync;

/// The user's hook.
#[derive(Clone, Default)]
pub(super) struct ClientHook(Option<Arc<Hook>>);

impl ClientHook {
    pub(super) fn new(hook: impl Fn(&ClientEvent<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    /// Has another one hear of everything as well, after this one.
    #[cfg(feature = "pool")]
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

    pub(super) fn emit(&self, event: &ClientEvent<'_>) {
        let Some(hook) = &self.0 else { return };
        guard(|| hook(event));
    }
}

impl fmt::Debug for ClientHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "unset" })
    }
}
