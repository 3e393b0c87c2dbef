//! Events of a pool's servers.

use std::{fmt, io, sync::Arc, time::Duration};

use super::Target;
use crate::{
    Cause,
    client::{ClientEvent, event::ClientHook},
    event::guard,
};

/// Something that happened to a pool or to one of its servers.
///
/// The hook that hears of it, that of [`PoolBuilder::on_event`](super::PoolBuilder::on_event), runs
/// where it happens: in the task of the pool, of its list, or of a server's client. What these have to
/// do waits for it: it should be quick, and must not block. Of one server it hears in order, of several
/// possibly at the same time. No lock is held meanwhile. If it panics, that is logged, and nothing else
/// is affected.
#[derive(Debug)]
#[non_exhaustive]
pub enum PoolEvent<'a> {
    /// A server is listed that was not, and gets a client.
    #[non_exhaustive]
    Added {
        /// The server.
        server: &'a Target,
    },
    /// A server is no longer listed, or the pool ends. It gets no further call; those in flight are
    /// finished, and then its association is [closed](ClientEvent::Closed).
    #[non_exhaustive]
    Removed {
        /// The server.
        server: &'a Target,
    },
    /// An event of the client of a server.
    #[non_exhaustive]
    Client {
        /// The server.
        server: &'a Target,
        /// The client's event.
        event: &'a ClientEvent<'a>,
    },
    /// Calls have waited for a server to be ready until their [ready
    /// timeout](super::PoolBuilder::with_ready_timeout) had elapsed. From now on they fail at once,
    /// with [`Cause::Unavailable`]. Told once, and not for each call.
    #[non_exhaustive]
    Unavailable {
        /// The error that keeps one of the servers without an association, if it is known.
        last_error: Option<&'a Cause>,
    },
    /// A server is ready again. It is noticed when there is a call.
    #[non_exhaustive]
    Available {
        /// The time without a ready server, since calls began to fail.
        lasted: Duration,
        /// Number of calls that have failed.
        failed_calls: u64,
    },
    /// A [lookup](super::PoolBuilder::resolve) failed, or found no address; the servers that are known
    /// are kept.
    #[non_exhaustive]
    LookupFailed {
        /// Why.
        error: &'a io::Error,
    },
}

impl PoolEvent<'_> {
    /// Returns the server that it is about; `None` if it is about the pool.
    #[must_use]
    pub fn server(&self) -> Option<&Target> {
        match self {
            Self::Added { server } | Self::Removed { server } | Self::Client { server, .. } => {
                Some(server)
            }
            Self::Unavailable { .. } | Self::Available { .. } | Self::LookupFailed { .. } => None,
        }
    }
}

type Hook = dyn Fn(&PoolEvent<'_>) + Send + Sync;

/// The user's hook.
#[derive(Clone, Default)]
pub(super) struct PoolHook(Option<Arc<Hook>>);

impl PoolHook {
    pub(super) fn new(hook: impl Fn(&PoolEvent<'_>) + Send + Sync + 'static) -> Self {
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

    pub(super) fn emit(&self, event: &PoolEvent<'_>) {
        let Some(hook) = &self.0 else { return };
        guard(|| hook(event));
    }

    /// The hook of a server's client.
    pub(super) fn of_client(&self, server: &Target) -> ClientHook {
        if self.0.is_none() {
            return ClientHook::default();
        }
        let (hook, server) = (self.clone(), server.clone());
        ClientHook::new(move |event| {
            let server = &server;
            hook.emit(&PoolEvent::Client { server, event });
        })
    }
}

impl fmt::Debug for PoolHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "unset" })
    }
}
