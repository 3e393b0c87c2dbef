//! Reading during a drain.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use crate::{AssociationHandle, drain_hook::DrainHook, timer::Timer};

/// Time without messages after which the receive queue counts as empty.
///
/// A socket that was not polled for readiness yet looks empty as well. The runtime looks at its
/// sockets before it fires a timer, so after any time the answer can be relied on.
const QUIET: Duration = Duration::from_millis(1);

/// Decides when an association that is being drained is no longer read.
///
/// Messages that have arrived by then are still served, since they are acknowledged to the peer's
/// SCTP.
pub(super) struct Draining {
    hook: HookState,
    /// Runs while there is nothing to read.
    quiet: Timer,
    /// Bounds reading, for a peer that never pauses.
    reading: Timer,
    is_done: bool,
}

/// State of the future of `on_drain`.
enum HookState {
    NotStarted(DrainHook),
    Running(Pin<Box<dyn Future<Output = ()> + Send>>),
    Done,
}

impl Draining {
    /// Begins the drain. Half of its time is for reading, the rest for the calls that are left.
    pub(super) fn new(timeout: Duration, hook: Option<DrainHook>) -> Self {
        let mut reading = Timer::default();
        reading.set_in(timeout / 2);
        Self {
            hook: hook.map_or(HookState::Done, HookState::NotStarted),
            quiet: Timer::default(),
            reading,
            is_done: false,
        }
    }

    /// Begins the drain of an association whose messages need no service.
    pub(super) fn without_reading(timeout: Duration, hook: Option<DrainHook>) -> Self {
        Self {
            is_done: true,
            ..Self::new(timeout, hook)
        }
    }

    /// Leaves at most half of this time for reading.
    pub(super) fn hurry(&mut self, timeout: Duration) {
        self.reading.set_within(timeout / 2);
    }

    /// Returns `true` if nothing more is to be read.
    pub(super) fn is_done(&self) -> bool {
        self.is_done && self.is_hook_done()
    }

    /// Returns `true` if the future of `on_drain` has completed, or there is none.
    fn is_hook_done(&self) -> bool {
        matches!(self.hook, HookState::Done)
    }

    /// Polls the future of `on_drain`, if there is one.
    pub(super) fn poll_hook(
        &mut self,
        cx: &mut Context<'_>,
        handle: impl FnOnce() -> AssociationHandle,
    ) {
        if let HookState::NotStarted(hook) = &self.hook {
            self.hook = HookState::Running(hook.call(handle()));
        }
        if let HookState::Running(future) = &mut self.hook
            && let Poll::Ready(()) = future.as_mut().poll(cx)
        {
            self.hook = HookState::Done;
        }
    }

    /// Records that something was read.
    pub(super) fn found(&mut self) {
        self.quiet.clear();
    }

    /// Records that nothing was there to read.
    pub(super) fn found_nothing(&mut self, cx: &mut Context<'_>) {
        // The peer may answer it with requests.
        if !self.is_hook_done() {
            return;
        }
        if !self.quiet.is_set() {
            self.quiet.set_in(QUIET);
        }
        self.is_done |= self.quiet.poll_elapsed(cx);
    }

    /// Polls for the end of the time for reading. Returns `true` when it has just passed.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let is_overdue = !self.is_done && self.reading.poll_elapsed(cx);
        self.is_done |= is_overdue;
        is_overdue
    }
}
