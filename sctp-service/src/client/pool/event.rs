//! Events of a pool's servers.

use std::{fmt, io, sync::Arc, time::Duration};

use super::Target;
use crate::{
    Cause,
    client::{ClientEvent, event::ClientHook},
    event::guard,
};

/// Event of a pool or of one of its servers.
///
/// The hook of [`PoolBuilder::on_event`](super::PoolBuilder::on_event) runs in the task of the
/// pool, of its server list, or of a server's client: it should be quick, and must not block.
/// Events of one server are reported in order, those of several servers possibly concurrently. No
/// lock is held during the hook. A panic of the hook is logged, and has no other effect.
#[derive(Debug)]
#[non_exhaustive]
pub enum PoolEvent<'a> {
    /// A server was added to the list, and gets a client.
    #[non_exhaustive]
    Added {
        /// The server.
        server: &'a Target,
    },
    /// A server was removed from the list, or the pool ends. The server gets no further calls.
    /// Calls in flight are finished, and then its association is [closed](ClientEvent::Closed).
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
    /// No server became ready within the [ready timeout](super::PoolBuilder::with_ready_timeout).
    /// From now on calls fail at once with [`Cause::Unavailable`]. Reported once, and not for each
    /// call.
    #[non_exhaustive]
    Unavailable {
        /// Last error of one of the servers, if it is known.
        last_error: Option<&'a Cause>,
    },
    /// A server is ready again. Detected on the next call.
    #[non_exhaustive]
    Available {
        /// Time from the first failed call until a server was ready.
        lasted: Duration,
        /// Number of failed calls.
        failed_calls: u64,
    },
    /// A [lookup](super::PoolBuilder::resolve) failed or found no address. The known servers are
    /// kept.
    #[non_exhaustive]
    LookupFailed {
        /// The error.
        error: &'a io::Error,
    },
}

impl PoolEvent<'_> {
    /// Returns the server of the event, or `None` if the event is about the pool.
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
