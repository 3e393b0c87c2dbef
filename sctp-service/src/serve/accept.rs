//! Accept loop of a listener.

use std::{
    error::Error,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::{
    select,
    sync::Semaphore,
    task::consume_budget,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field::display};

use crate::{
    AssociationHandle, Config, ConnectInfo, Correlation, Listener, Side, Transport, abort_reasons,
    drain_hook::DrainHook,
    event::{EventHook, ServerEvent},
    executor::Spawner,
    handle::{HandleState, StateOwner},
    log_limit::LogLimiter,
    make::MakeService,
    panics::{caught, panic_message},
    session::Session,
    timer::later,
    transport::abort,
};

/// Pause after an accept error. Descriptors and memory become available when associations close,
/// and the kernel keeps waiting associations.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Number of consecutive lost associations after which accepting pauses for [`LOSS_PAUSE`].
///
/// Without the pause, a listener that yields only such errors would busy-loop. The pause is short
/// because a peer can cause such losses and delay others.
const LOSSES_PER_PAUSE: u32 = 64;
const LOSS_PAUSE: Duration = Duration::from_millis(10);

/// State shared by the accept loops of a server.
pub(super) struct Server {
    pub(super) config: Arc<Config>,
    pub(super) correlation: Option<Correlation>,
    pub(super) events: EventHook,
    pub(super) drain_hook: Option<DrainHook>,
    pub(super) spawner: Spawner,
    /// Cancelled when the server is to shut down.
    pub(super) drain: CancellationToken,
    /// One permit per association. It serves both as the limit and as the count of open
    /// associations.
    pub(super) permits: Arc<Semaphore>,
    pub(super) refusals: LogLimiter,
    pub(super) losses: LogLimiter,
}

impl Server {
    /// Accepts until the server is to shut down.
    pub(super) async fn accept<L, M, K>(&self, mut listener: L, make: M)
    where
        L: Listener,
        M: MakeService<K>,
    {
        let mut losses = 0;
        loop {
            let accepted = select! {
                biased;
                () = self.drain.cancelled() => break,
                accepted = accept(&mut listener) => accepted,
            };
            if let Some(pause) = self.accepted(accepted, &make, &mut losses) {
                select! {
                    () = self.drain.cancelled() => break,
                    () = sleep(pause) => {}
                }
            }
        }
        self.stop(listener, make).await;
    }

    /// Stops listening, and serves associations that are waiting to be accepted.
    ///
    /// If the listener were just dropped, the kernel would close these associations unserved, and
    /// abort those with unread messages. The drain timeout bounds this step, since some listeners
    /// cannot refuse further associations, and errors may persist.
    async fn stop<L, M, K>(&self, mut listener: L, make: M)
    where
        L: Listener,
        M: MakeService<K>,
    {
        if let Err(error) = listener.stop_listening() {
            tracing::warn!(error = &error as &dyn Error, "cannot stop listening");
        }
        let deadline = later(Instant::now(), self.config.drain_timeout);
        let accept_all = async move {
            let mut losses = 0;
            while let Some(accepted) = accept_waiting(&mut listener).await {
                if let Some(pause) = self.accepted(accepted, &make, &mut losses) {
                    sleep(pause).await;
                }
                consume_budget().await;
            }
        };
        if timeout_at(deadline, accept_all).await.is_err() {
            tracing::warn!("drain timeout elapsed, associations may be left unaccepted");
        }
    }

    /// Serves an accepted association, or reports the error.
    ///
    /// Returns the pause to make before the next attempt. `losses` is the number of associations
    /// lost in a row.
    fn accepted<T, M, K>(
        &self,
        accepted: io::Result<T>,
        make: &M,
        losses: &mut u32,
    ) -> Option<Duration>
    where
        T: Transport,
        M: MakeService<K>,
    {
        match accepted {
            Ok(transport) => {
                *losses = 0;
                self.start(transport, make, Side::Peer, |()| ());
                None
            }
            Err(error) if is_lost_association(&error) => {
                if let Some(occurrences) = self.losses.record() {
                    tracing::warn!(
                        occurrences,
                        error = &error as &dyn Error,
                        "association lost before it was accepted"
                    );
                }
                *losses += 1;
                losses
                    .is_multiple_of(LOSSES_PER_PAUSE)
                    .then_some(LOSS_PAUSE)
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn Error,
                    "cannot accept, retrying in a second"
                );
                self.events
                    .emit(&ServerEvent::AcceptFailed { error: &error });
                Some(ACCEPT_PAUSE)
            }
        }
    }

    /// Starts serving an association. A panic in user code closes only that association, and does
    /// not end the accept loop.
    ///
    /// Calls `then` when the association has closed.
    pub(super) fn start<T, M, K>(
        &self,
        transport: T,
        make: &M,
        initiated_by: Side,
        then: impl FnOnce(()) + Send + 'static,
    ) -> Option<AssociationHandle>
    where
        T: Transport,
        M: MakeService<K>,
    {
        let start = || self.try_start(transport, make, initiated_by, then);
        let started = catch_unwind(AssertUnwindSafe(start));
        if let Err(panic) = &started
            && let Some(occurrences) = self.events.limits().panicked.record()
        {
            let panic = panic_message(&**panic);
            tracing::error!(panic, occurrences, "panic while starting association");
        }
        started.ok().flatten()
    }

    fn try_start<T, M, K>(
        &self,
        mut transport: T,
        make: &M,
        initiated_by: Side,
        then: impl FnOnce(()) + Send + 'static,
    ) -> Option<AssociationHandle>
    where
        T: Transport,
        M: MakeService<K>,
    {
        let connect_info = transport.connect_info().with_initiated_by(initiated_by);
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            if let Some(refused) = self.refusals.record() {
                let limit = self.config.max_associations;
                tracing::warn!(limit, refused, "too many associations, refusing more");
            }
            self.events.emit(&ServerEvent::Refused {
                connect_info: &connect_info,
            });
            abort(&mut transport, &abort_reasons::TOO_MANY_ASSOCIATIONS);
            return None;
        };
        let make = match catch_unwind(AssertUnwindSafe(|| make.clone())) {
            Ok(make) => make,
            Err(panic) => {
                let message = panic_message(&*panic);
                if let Some(occurrences) = self.events.limits().panicked.record() {
                    tracing::error!(
                        panic = message,
                        occurrences,
                        "clone of the service panicked, aborting"
                    );
                }
                self.events.emit(&ServerEvent::Panicked {
                    connect_info: &connect_info,
                    message,
                });
                abort(&mut transport, &abort_reasons::INTERNAL_ERROR);
                return None;
            }
        };
        let span = span(&connect_info);
        let config = Arc::clone(&self.config);
        let events = self.events.clone();
        // A child has its own waiters: the associations do not contend for one lock.
        let drain = self.drain.child_token();
        let state = StateOwner::new(HandleState::new(
            drain,
            connect_info,
            Arc::clone(&config),
            transport.max_message(),
            self.correlation.is_some(),
        ));
        let handle = AssociationHandle::new(Arc::clone(&state));
        let session = Session::new(
            transport,
            make,
            config,
            events,
            state,
            self.correlation.as_ref(),
        )
        .with_drain_hook(self.drain_hook.clone());
        let task = session.run(move |_| {
            drop(permit);
            then(());
        });
        self.spawner.spawn(task.instrument(span));
        Some(handle)
    }
}

/// Makes the span of an association.
pub(super) fn span(connect_info: &ConnectInfo) -> Span {
    let peer = connect_info.peer_addr().map(display);
    tracing::info_span!("association", id = %connect_info.assoc(), peer)
}

/// Accepts an association. A panic of the listener is converted to an error.
async fn accept<L: Listener>(listener: &mut L) -> io::Result<L::Transport> {
    caught(listener.accept(), Err).await
}

/// Accepts a waiting association. A panic of the listener is converted to an error.
async fn accept_waiting<L: Listener>(listener: &mut L) -> Option<io::Result<L::Transport>> {
    caught(listener.accept_waiting(), |error| Some(Err(error))).await
}

/// Returns `true` if an error affects only one association, so that the next can be accepted.
fn is_lost_association(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected
    )
}
