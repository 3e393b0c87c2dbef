//! Ends and restarts of an association.

use std::{
    collections::VecDeque,
    mem,
    ops::Deref,
    sync::{Arc, PoisonError, Weak},
};

use sctp_tokio::{End, Side};

use super::{Core, Discarded, HandleState, Submission, phase::Phase};
use crate::{
    CallError, Cause, ConnectInfo,
    sync::{Mutex, MutexGuard, atomic::Ordering},
};

impl HandleState {
    /// Stops accepting messages and calls. The session still takes those that were accepted.
    pub(crate) fn close(&self, by: Side) {
        self.close_if(by, |_| true);
    }

    /// Like [`close`](Self::close), unless something was accepted that the session has not taken.
    /// Returns `false` then.
    pub(crate) fn try_close(&self) -> bool {
        self.close_if(Side::Local, |core| core.submitted.is_empty())
    }

    fn close_if(&self, by: Side, may_close: impl FnOnce(&Core) -> bool) -> bool {
        let mut core = self.lock();
        if core.phase.check().is_err() {
            return true;
        }
        if !may_close(&core) {
            return false;
        }
        let limits = self.close_core(&mut core, by);
        drop(core);
        if let Some(limits) = limits {
            limits.close();
        }
        true
    }

    /// Records the end of the association. Returns the number of accepted messages and calls that
    /// the session never took. These calls fail with the cause.
    pub(crate) fn end(&self, end: Option<End>, cause: Option<&Cause>) -> Discarded {
        let Some(mut core) = self.lock_last() else {
            return Discarded::default();
        };
        let left = mem::take(&mut core.submitted);
        self.enter_last_phase(core, Phase::Over(end.map(Box::new)), left, cause)
    }

    /// Enters a final phase, and discards accepted messages and calls.
    fn enter_last_phase(
        &self,
        mut core: MutexGuard<'_, Core>,
        phase: Phase,
        left: VecDeque<Submission>,
        cause: Option<&Cause>,
    ) -> Discarded {
        let limits = self.close_core(&mut core, Side::Local);
        core.phase = phase;
        let (session, stats_waiters) = (core.session.take(), core.stats_waiters.take());
        drop(core);
        // Outside the lock: the last of a waker may drop a whole task.
        drop((session, stats_waiters));
        if let Some(limits) = limits {
            limits.close();
            limits.ended.notify_waiters();
        }
        let error = match cause {
            Some(cause) => CallError::not_sent(cause.clone()),
            None => self.call_refused(),
        };
        let calls = left.iter().filter(|it| it.is_call()).count();
        let discarded = Discarded {
            sends: left.len() - calls,
            calls,
        };
        for submission in left {
            submission.discard(&error);
        }
        discarded
    }

    /// Reports the end of the association to all observers, and returns the lock under which there are
    /// none. `None` if it had ended before.
    fn lock_last(&self) -> Option<MutexGuard<'_, Core>> {
        loop {
            let core = self.lock();
            if core.phase.end().is_some() {
                return None;
            }
            let observers = core
                .limits
                .as_ref()
                .map(|limits| mem::take(&mut *limits.observers()));
            let observers = observers.unwrap_or_default();
            if observers.is_empty() {
                return Some(core);
            }
            drop(core);
            for observer in observers {
                observer.ended();
            }
        }
    }

    /// Creates the state of the association after a restart of the peer, and closes this one.
    /// Pending submissions of a client move to the new state.
    pub(crate) fn renewed(&self, info: ConnectInfo) -> (StateOwner, Discarded) {
        let mut next = Self::new(
            self.urgent.clone(),
            info,
            Arc::clone(&self.config),
            self.max_message,
            self.is_correlated,
        );
        let Some(mut core) = self.lock_last() else {
            return (StateOwner::new(next), Discarded::default());
        };
        let (kept, left): (VecDeque<_>, VecDeque<_>) = mem::take(&mut core.submitted)
            .into_iter()
            .partition(Submission::is_of_client);
        if let Some(next) = Arc::get_mut(&mut next) {
            next.since = self.since;
            next.drain = self.drain.clone();
        }
        let latest = core.latest.take();
        let latest = latest.unwrap_or_else(|| Arc::new(Mutex::new(Weak::new())));
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&next);
        {
            let mut after = next.lock();
            after.latest = Some(Arc::clone(&latest));
            after.session = core.session.clone();
            after.has_dropped_calls = core.has_dropped_calls;
            after.submitted = kept;
            let is_pending = after.has_dropped_calls || !after.submitted.is_empty();
            next.pending.store(is_pending, Ordering::Release);
        }
        let left = self.enter_last_phase(core, Phase::Restarted(latest), left, None);
        (StateOwner::new(next), left)
    }
}

/// Owner of the state of an association, for the session. Dropping it closes all handles, so that
/// none waits for a session that never began or was dropped.
pub(crate) struct StateOwner(Arc<HandleState>);

impl StateOwner {
    pub(crate) fn new(state: Arc<HandleState>) -> Self {
        Self(state)
    }
}

impl Deref for StateOwner {
    type Target = Arc<HandleState>;

    fn deref(&self) -> &Arc<HandleState> {
        &self.0
    }
}

impl Drop for StateOwner {
    fn drop(&mut self) {
        // Has no effect if the end was already recorded.
        self.0.end(None, None);
    }
}
