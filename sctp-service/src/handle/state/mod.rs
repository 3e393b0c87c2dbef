//! State shared by the session of an association and its handles.

mod ending;
mod phase;
mod silence;
mod stats;
mod submitting;

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, PoisonError, atomic::AtomicU64},
    task::Waker,
    time::Duration,
};

pub(crate) use ending::StateOwner;
use phase::{Latest, Phase};
use sctp_core::AbortReason;
use sctp_tokio::{End, SendError, Side};
use silence::Silence;
pub(crate) use silence::SilenceWatch;
use stats::StatsWaiters;
pub(super) use submitting::Origin;
pub(crate) use submitting::{Discarded, Submission, Taken};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    limits::{Limits, Progress},
    observer::Observer,
};
use crate::{
    Config, ConnectInfo, Shutdown,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
};

/// Next identifier, for all servers of the process.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// State of one association until it closes or its peer restarts. It holds neither the transport
/// nor the task, so a handle does not keep them alive.
pub(crate) struct HandleState {
    id: u64,
    /// Cancelled when the association begins to drain, for whatever reason.
    drain: CancellationToken,
    /// Cancelled when it begins to drain for another reason than its age. The same as `drain` unless a
    /// drain for age has a time limit of its own.
    urgent: CancellationToken,
    info: ConnectInfo,
    config: Arc<Config>,
    /// The longest message that the transport can send, where it knows.
    max_message: Option<usize>,
    /// The current number of outbound streams, which may have grown.
    outbound_streams: AtomicU16,
    /// There is a correlation, so that calls can be made.
    is_correlated: bool,
    /// Somebody watches for silence of the peer.
    is_watched: AtomicBool,
    /// Set if `core` has something new for the session, which checks this flag in every poll
    /// instead of taking the lock.
    pending: AtomicBool,
    /// The session has made its service.
    opened: AtomicBool,
    /// No more messages are accepted. A copy of the state in `core`, for frequent checks.
    closed: AtomicBool,
    /// Further calls should use another association: this end drains, or the peer has announced its
    /// SHUTDOWN.
    redirects_calls: AtomicBool,
    /// The time at which the association was established.
    since: Instant,
    core: Mutex<Core>,
}

struct Core {
    phase: Phase,
    submitted: VecDeque<Submission>,
    /// A call was dropped since the session last checked.
    has_dropped_calls: bool,
    shutdown: Option<Box<Shutdown>>,
    /// The peer has announced its SHUTDOWN: no call is accepted.
    announced_shutdown: bool,
    /// The session does not know of that announcement yet.
    expects_shutdown: bool,
    silence: Option<Box<Silence>>,
    /// Requests for statistics. Boxed, since few associations have any.
    stats_waiters: Option<Box<StatsWaiters>>,
    /// The reason that this end gave in an ABORT. Boxed, since few associations have one.
    abort_reason: Option<Box<AbortReason>>,
    limits: Option<Arc<Limits>>,
    session: Option<Waker>,
    /// Set from the first restart of the peer on.
    latest: Option<Latest>,
    released: Option<Released>,
}

/// Numbers of requests that gave up their turn. Boxed, since few associations have any, and a vector
/// takes 24 bytes of each.
pub(crate) type Released = Box<Vec<u64>>;

impl Core {
    fn limits(&mut self, config: &Config) -> Arc<Limits> {
        let limits = self
            .limits
            .get_or_insert_with(|| Arc::new(Limits::new(config)));
        Arc::clone(limits)
    }
}

impl HandleState {
    pub(crate) fn new(
        urgent: CancellationToken,
        info: ConnectInfo,
        config: Arc<Config>,
        max_message: Option<usize>,
        is_correlated: bool,
    ) -> Arc<Self> {
        let core = Core {
            phase: Phase::Handshaking,
            submitted: VecDeque::new(),
            has_dropped_calls: false,
            shutdown: None,
            announced_shutdown: false,
            expects_shutdown: false,
            silence: None,
            stats_waiters: None,
            abort_reason: None,
            limits: None,
            session: None,
            latest: None,
            released: None,
        };
        let drain = match config
            .max_association_age
            .and(config.max_association_age_grace)
        {
            Some(_) => urgent.child_token(),
            None => urgent.clone(),
        };
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            drain,
            urgent,
            outbound_streams: AtomicU16::new(info.outbound_streams()),
            info,
            config,
            max_message,
            is_correlated,
            is_watched: AtomicBool::new(false),
            pending: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            redirects_calls: AtomicBool::new(false),
            since: Instant::now(),
            core: Mutex::new(core),
        })
    }

    pub(crate) fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    /// Returns the signal of a drain that [`Config::drain_timeout`] bounds.
    pub(crate) fn urgent_drain(&self) -> &CancellationToken {
        &self.urgent
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn info(&self) -> &ConnectInfo {
        &self.info
    }

    pub(super) fn shutdown(&self, shutdown: Shutdown) -> Result<(), SendError> {
        let mut core = self.lock();
        let limits = match core.phase.check() {
            Ok(()) => self.close_core(&mut core, Side::Local),
            Err(SendError::ShuttingDown) if shutdown == Shutdown::AfterAck => return Ok(()),
            Err(SendError::ShuttingDown) => None,
            Err(error) => return Err(error),
        };
        if !matches!(core.shutdown.as_deref(), Some(Shutdown::Abort(_))) {
            core.shutdown = Some(Box::new(shutdown));
        }
        self.wake(core);
        if let Some(limits) = limits {
            limits.close();
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Returns the state that the association has after restarts of the peer, if it is not this one.
    pub(crate) fn next(&self) -> Option<Arc<Self>> {
        self.lock().phase.next()
    }

    /// Returns the state that the association has now, which is another after restarts of the peer.
    /// Returns `None` if the association is closed.
    pub(crate) fn current(self: &Arc<Self>) -> Option<Arc<Self>> {
        let next = {
            let core = self.lock();
            if core.phase.end().is_none() {
                return Some(Arc::clone(self));
            }
            core.phase.next()?
        };
        next.current()
    }

    /// Returns the end of the association.
    pub(crate) fn ended(&self) -> Option<End> {
        self.lock().phase.end().and_then(|end| end.cloned())
    }

    /// Records the reason of an abort by this end.
    pub(crate) fn note_abort(&self, reason: &AbortReason) {
        self.lock().abort_reason = Some(Box::new(reason.clone()));
    }

    pub(super) fn abort_reason(&self) -> Option<AbortReason> {
        self.lock().abort_reason.as_deref().cloned()
    }

    /// Returns `true` once the session has made its service.
    pub(crate) fn is_opened(&self) -> bool {
        self.opened.load(Ordering::Acquire)
    }

    /// Returns the time since the association was established.
    pub(crate) fn lasted(&self) -> Duration {
        self.since.elapsed()
    }

    /// Leaves SHUTDOWN to the peer.
    pub(super) fn expect_shutdown(&self) {
        let mut core = self.lock();
        if core.phase.check().is_err() || core.announced_shutdown {
            return;
        }
        core.announced_shutdown = true;
        core.expects_shutdown = true;
        self.redirect_calls();
        let limits = core.limits.clone();
        self.wake(core);
        if let Some(limits) = limits {
            limits.calls().close();
            limits.report_change();
        }
    }

    /// Begins to drain the association. Does nothing if it has ended or the peer has restarted: the
    /// association that there is then is another.
    pub(crate) fn begin_drain(&self) {
        self.begin(&self.urgent);
    }

    /// Like [`begin_drain`](Self::begin_drain), because of the association's age.
    pub(crate) fn begin_drain_for_age(&self) {
        self.begin(&self.drain);
    }

    fn begin(&self, drain: &CancellationToken) {
        {
            let core = self.lock();
            if core.phase.end().is_some() {
                return;
            }
            self.redirect_calls();
        }
        // The lock is released by now: this wakes, and waking may run anything.
        drain.cancel();
    }

    /// Directs further calls to another association.
    pub(crate) fn redirect_calls(&self) {
        self.redirects_calls.store(true, Ordering::Release);
    }

    /// Returns `true` while further calls are to be made on this association: no end has begun, this
    /// end does not drain, and the peer has not announced its SHUTDOWN. The handshake may not have
    /// ended yet.
    pub(crate) fn takes_calls(&self) -> bool {
        !self.redirects_calls.load(Ordering::Acquire) && !self.is_closed()
    }

    /// Returns `true` if the association is open for new work.
    pub(super) fn is_open(&self) -> bool {
        self.is_opened() && self.takes_calls() && !self.drain.is_cancelled()
    }

    /// Adds an observer of what happens from now on. Returns `false` if the association has ended.
    pub(crate) fn observe(&self, observer: Arc<dyn Observer>) -> bool {
        let mut core = self.lock();
        if core.phase.end().is_some() {
            return false;
        }
        core.limits(&self.config).observers().push(observer);
        true
    }

    /// Notifies the session.
    pub(super) fn notify(&self) {
        self.wake(self.lock());
    }

    pub(super) async fn closed(&self) -> Option<End> {
        loop {
            let limits = {
                let mut core = self.lock();
                if let Some(end) = core.phase.end() {
                    return end.cloned();
                }
                core.limits(&self.config)
            };
            let mut ended = std::pin::pin!(limits.ended.notified());
            // Before the look, or an end between the two would go unnoticed.
            ended.as_mut().enable();
            let is_over = self.lock().phase.end().is_some();
            if !is_over {
                ended.await;
            }
        }
    }

    /// Wakes the session. A spurious wake-up is harmless.
    fn wake(&self, core: MutexGuard<'_, Core>) {
        if self.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let session = core.session.clone();
        // Released before waking, which may run anything.
        drop(core);
        if let Some(session) = session {
            session.wake();
        }
    }

    /// Stops accepting messages and calls. The returned limits must be closed after the lock is
    /// released, because that wakes waiting tasks, and a waker may run arbitrary code.
    #[must_use]
    fn close_core(&self, core: &mut Core, by: Side) -> Option<Arc<Limits>> {
        core.phase = Phase::ShuttingDown(by);
        self.closed.store(true, Ordering::Release);
        core.limits.clone()
    }

    /// A panic cannot leave the state inconsistent, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session's side.
impl HandleState {
    /// Registers the task to wake. Called before checking for work.
    pub(crate) fn register(&self, session: &Waker) {
        // Cloned and dropped outside of the lock: a waker may run anything.
        let session = session.clone();
        let earlier = self.lock().session.replace(session);
        drop(earlier);
    }

    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> Taken {
        let mut core = self.lock();
        self.pending.store(false, Ordering::Release);
        Taken {
            submitted: mem::take(&mut core.submitted),
            has_dropped_calls: mem::take(&mut core.has_dropped_calls),
            shutdown: core.shutdown.take(),
            stats_waiters: core.stats_waiters.take(),
            expects_shutdown: mem::take(&mut core.expects_shutdown),
            released: core.released.take(),
        }
    }

    /// Lets the request after this one in its stream be served. At most once for each request.
    pub(crate) fn release_turn(&self, number: u64) {
        let mut core = self.lock();
        if core.phase.end().is_some() {
            return;
        }
        core.released.get_or_insert_default().push(number);
        self.wake(core);
    }

    /// Records that the transport has accepted or refused a message of this length, or that it was
    /// discarded.
    pub(crate) fn give_back(&self, len: usize, is_done: bool) {
        self.give_back_after(len, |progress| progress.finish(is_done));
    }

    /// Records that a message of this length was refused before it reached the transport.
    pub(crate) fn give_back_refused(&self, len: usize) {
        self.give_back_after(len, Progress::refuse);
    }

    fn give_back_after(&self, len: usize, note: impl FnOnce(&Progress)) {
        let limits = {
            let core = self.lock();
            let Some(limits) = &core.limits else {
                return;
            };
            note(&limits.progress);
            Arc::clone(limits)
        };
        // The lock is released by now: both wake, and waking may run anything.
        limits.give_back(len);
        limits.progress.changed.notify_waiters();
    }

    /// Opens the association for handles: the handshake has completed.
    pub(crate) fn open(&self) {
        let mut core = self.lock();
        if !matches!(core.phase, Phase::Handshaking) {
            return;
        }
        core.phase = Phase::Open;
        self.opened.store(true, Ordering::Release);
        let limits = core.limits.clone();
        drop(core);
        if let Some(limits) = limits {
            limits.opened.notify_waiters();
            limits.report_change();
        }
    }

    pub(crate) fn outbound_streams(&self) -> u16 {
        self.outbound_streams.load(Ordering::Relaxed)
    }

    pub(crate) fn set_outbound_streams(&self, streams: u16) {
        self.outbound_streams.store(streams, Ordering::Relaxed);
    }
}

#[cfg(all(test, sctp_loom))]
mod models;

#[cfg(all(test, not(sctp_loom)))]
#[allow(clippy::unwrap_used, reason = "a surprise fails the test")]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::AtomicUsize,
        task::{Context, Wake},
    };

    use sctp_tokio::Message;

    use super::*;
    use crate::AssocId;

    /// A waker that looks, when it is called or dropped, if the lock of the state is free.
    struct LockProbe {
        at: Arc<HandleState>,
        calls: Arc<AtomicUsize>,
        was_locked: Arc<AtomicBool>,
    }

    impl LockProbe {
        fn probe(&self) {
            if self.at.core.try_lock().is_err() {
                self.was_locked.store(true, Ordering::Relaxed);
            }
        }
    }

    impl Wake for LockProbe {
        fn wake(self: Arc<Self>) {
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.probe();
        }
    }

    impl Drop for LockProbe {
        fn drop(&mut self) {
            self.probe();
        }
    }

    /// Requests statistics, and no longer waits for them.
    fn abandon_stats(state: &HandleState, waker: &Waker) {
        let mut stats = pin!(state.request_stats().unwrap());
        assert!(
            stats
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
    }

    /// Does what calls and drops wakers.
    fn wake_in_every_way(state: &StateOwner, waker: impl Fn() -> Waker) {
        let register = || {
            drop(state.take());
            state.register(&waker());
        };
        let message = || Message::new("message");
        for _ in 0..2 {
            abandon_stats(state, &waker());
        }
        let _watch = SilenceWatch::new(state);
        let early = state.send(message(), Origin::Handle);
        let mut waiting = [pin!(early)];
        let (mut closed, mut flushed) = (pin!(state.closed()), pin!(state.flush()));
        for _ in 0..3 {
            register();
            let waker = waker();
            let cx = &mut Context::from_waker(&waker);
            assert!(waiting[0].as_mut().poll(cx).is_pending());
            assert!(closed.as_mut().poll(cx).is_pending());
        }
        state.open();
        let waker = waker();
        let cx = &mut Context::from_waker(&waker);
        assert!(waiting[0].as_mut().poll(cx).is_ready());
        assert!(flushed.as_mut().poll(cx).is_pending());
        register();
        assert!(state.try_send(message()).is_ok());
        state.give_back(7, true);
        register();
        state.expect_shutdown();
        register();
        state.begin_drain();
        assert!(state.shutdown(Shutdown::AfterAck).is_ok());
    }

    #[test]
    fn wakers_run_outside_of_the_lock() {
        for restarts in [false, true] {
            let info = ConnectInfo::new(AssocId::new(1)).with_streams(1, 1);
            let drain = CancellationToken::new();
            let state = HandleState::new(drain, info.clone(), Arc::default(), None, true);
            let (calls, was_locked) = (Arc::default(), Arc::default());
            let state = StateOwner::new(state);
            wake_in_every_way(&state, || {
                Waker::from(Arc::new(LockProbe {
                    at: Arc::clone(&state),
                    calls: Arc::clone(&calls),
                    was_locked: Arc::clone(&was_locked),
                }))
            });
            match restarts {
                true => drop(state.renewed(info)),
                false => drop(state),
            }
            assert!(calls.load(Ordering::Relaxed) > 5);
            assert!(!was_locked.load(Ordering::Relaxed));
        }
    }
}
