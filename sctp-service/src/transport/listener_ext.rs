//! Combinators for listeners.

use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use sctp_core::AbortReason;
use sctp_tokio::{End, Event, Message, RecvError, SendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Listener, Transport, abort};
use crate::{ConnectInfo, TransportStats, abort_reasons, log_limit::LogLimiter};

/// Combinators for every [`Listener`].
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// use sctp_service::{ListenerExt, Payload, serve};
/// use sctp_tokio::SctpListener;
///
/// let listener = SctpListener::bind("0.0.0.0:9877")
///     .await?
///     .limit_associations(1_000)
///     .tap(|association| {
///         // Each option of an association can be set here, before it is served.
///         println!("accepted {association:?}");
///     });
/// serve(listener, async |Payload(payload): Payload| Payload(payload)).await;
/// # Ok(())
/// # }
/// ```
pub trait ListenerExt: Listener + Sized {
    /// Calls a function with each association before it is served.
    ///
    /// The function runs in the accepting task: it should be quick, and must not block. If it
    /// panics, its association is closed, and accepting continues after a second.
    fn tap<F>(self, tap: F) -> Tap<Self, F>
    where
        F: FnMut(&mut Self::Transport) + Send + 'static,
    {
        Tap {
            listener: self,
            tap,
        }
    }

    /// Limits the associations of this listener that are open at once.
    ///
    /// A further association is aborted with the reason `too many associations`. Refusals are
    /// logged at a limited rate. Unlike refusals by
    /// [`Config::max_associations`](crate::Config::max_associations), which limits the whole
    /// server, they are not reported as events.
    fn limit_associations(self, limit: usize) -> LimitAssociations<Self> {
        LimitAssociations {
            listener: self,
            limit,
            permits: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            refusals: LogLimiter::new(),
        }
    }
}

impl<L: Listener> ListenerExt for L {}

/// Listener that calls a function with each association, created by [`ListenerExt::tap`].
pub struct Tap<L, F> {
    listener: L,
    tap: F,
}

impl<L, F> Listener for Tap<L, F>
where
    L: Listener,
    F: FnMut(&mut L::Transport) + Send + 'static,
{
    type Transport = L::Transport;

    async fn accept(&mut self) -> io::Result<L::Transport> {
        let mut transport = self.listener.accept().await?;
        (self.tap)(&mut transport);
        Ok(transport)
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listener.local_addrs()
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        self.listener.stop_listening()
    }

    async fn accept_waiting(&mut self) -> Option<io::Result<L::Transport>> {
        let mut accepted = self.listener.accept_waiting().await;
        if let Some(Ok(transport)) = &mut accepted {
            (self.tap)(transport);
        }
        accepted
    }
}

impl<L: fmt::Debug, F> fmt::Debug for Tap<L, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// Listener with a limit of its associations, created by [`ListenerExt::limit_associations`].
pub struct LimitAssociations<L> {
    listener: L,
    limit: usize,
    permits: Arc<Semaphore>,
    refusals: LogLimiter,
}

impl<L: Listener> LimitAssociations<L> {
    /// Counts an association, or refuses it.
    fn admit(&self, mut transport: L::Transport) -> Option<Limited<L::Transport>> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(Limited {
                transport,
                _permit: permit,
            });
        }
        if let Some(refused) = self.refusals.record() {
            let limit = self.limit;
            tracing::warn!(limit, refused, "too many associations, refusing more");
        }
        abort(&mut transport, &abort_reasons::TOO_MANY_ASSOCIATIONS);
        None
    }
}

impl<L: Listener> Listener for LimitAssociations<L> {
    type Transport = Limited<L::Transport>;

    async fn accept(&mut self) -> io::Result<Limited<L::Transport>> {
        loop {
            let transport = self.listener.accept().await?;
            if let Some(limited) = self.admit(transport) {
                return Ok(limited);
            }
        }
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listener.local_addrs()
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        self.listener.stop_listening()
    }

    async fn accept_waiting(&mut self) -> Option<io::Result<Limited<L::Transport>>> {
        loop {
            match self.listener.accept_waiting().await? {
                Ok(transport) => {
                    if let Some(limited) = self.admit(transport) {
                        return Some(Ok(limited));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for LimitAssociations<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitAssociations")
            .field("listener", &self.listener)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// Transport that counts towards a [limit](ListenerExt::limit_associations) until it is dropped.
#[derive(Debug)]
pub struct Limited<T> {
    transport: T,
    _permit: OwnedSemaphorePermit,
}

impl<T> Limited<T> {
    /// Returns the transport, for its options.
    pub fn get_ref(&self) -> &T {
        &self.transport
    }

    /// Returns the transport.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.transport
    }
}

impl<T: Transport> Transport for Limited<T> {
    fn connect_info(&self) -> ConnectInfo {
        self.transport.connect_info()
    }

    fn max_message(&self) -> Option<usize> {
        self.transport.max_message()
    }

    fn stats(&self) -> io::Result<TransportStats> {
        self.transport.stats()
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.transport.poll_next_event(cx)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.transport.poll_closed(cx)
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.transport.poll_send(cx, queue)
    }

    fn poll_acknowledged(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.transport.poll_acknowledged(cx)
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        self.transport.start_shutdown()
    }

    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        self.transport.abort(reason)
    }
}
