//! Task of a client, which keeps one association at a time.

use std::{
    convert::Infallible,
    error::Error,
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_tokio::ConnectError;
use tokio::{
    sync::{Notify, oneshot, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Attempts, ClientConfig, ClientEvent, ClientHook, Connect, connect_within,
    current::{Phase, Status},
    known_addrs,
    reconnect::{Closed, Decision},
    serving::{BoxService, Serving},
};
use crate::{
    Cause, Config, Correlation, Side, Transport,
    drain_hook::DrainHook,
    event::EventHook,
    executor::Spawner,
    handle::{HandleState, StateOwner},
    log_limit::LogLimiter,
    session::{CallNumbers, Ended, Session},
};

/// Condition for setting an association up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Whenever there is none.
    Eager,
    /// On demand of a call.
    Lazy,
    /// Never: there is only the given one.
    Once,
}

/// Decides when to connect, sets associations up, and runs their sessions.
///
/// ```text
///         wanted            made          begins to end          over
///    Idle ------> Opening --------> Open ---------------> Ending -----> BackingOff
///     ^            ^  ^ |  restart  |                       |               |
///     |            |  | +-----------+                       |               |
///     |            |  +---------- the pause is over --------+               |
///     |            +------------- the pause is over, eager -----------------+
///     +-------------------------- the pause is over, lazy ------------------+
/// ```
///
/// An attempt that fails leads from Opening to BackingOff.
///
/// A stop, or the end of the only association, leads from anywhere to Closed.
pub(super) struct Supervisor<C> {
    pub(super) connect: C,
    pub(super) mode: Mode,
    pub(super) status: watch::Sender<Status>,
    pub(super) stop: CancellationToken,
    pub(super) wanted: Arc<Notify>,
    pub(super) sessions: Sessions,
    pub(super) hook: ClientHook,
    pub(super) reconnect: Decision,
    /// The previous association, while its requests and calls in flight are still being finished.
    pub(super) previous: PreviousSession,
    pub(super) spawner: Spawner,
    /// Number of associations so far.
    pub(super) associations: u64,
    /// The client ends if the first association does not open.
    pub(super) must_open: bool,
    pub(super) connect_failed: LogLimiter,
    pub(super) config: ClientConfig,
}

/// End of a session that continues in a task of its own.
#[derive(Default)]
pub(super) struct PreviousSession(Option<oneshot::Receiver<Infallible>>);

impl PreviousSession {
    /// Waits until there is no such session.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(ended) = &mut self.0 {
            // Nothing is ever sent, and the other end is dropped with the task.
            let _ = ready!(Pin::new(ended).poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

/// An established association, and the state of its handles.
pub(super) type Up<T> = (T, StateOwner);

impl<C: Connect> Supervisor<C> {
    pub(super) async fn run(mut self, mut first: Option<Up<C::Transport>>) {
        let mut attempts = Attempts::new(self.config.backoff);
        let cause = loop {
            let attempt = match first.take() {
                Some(up) => Ok(up),
                None => match self.next_association().await {
                    ControlFlow::Continue(attempt) => attempt,
                    ControlFlow::Break(()) => break Cause::Closed,
                },
            };
            let (failures, pause, cause, end, failed) = match attempt {
                Ok(up) => {
                    let began = Instant::now();
                    let (outcome, has_opened) = self.session(up, &attempts).await;
                    let (failures, pause) = attempts.ended(has_opened, began.elapsed());
                    match outcome {
                        Some(ended) => (failures, pause, ended.cause, Some(ended.end), None),
                        // The pause is over.
                        None => continue,
                    }
                }
                Err(error) => {
                    let (failures, pause) = attempts.failed();
                    let error = Arc::new(error);
                    let cause = Cause::NotConnected(Arc::clone(&error));
                    (failures, pause, cause, None, Some(error))
                }
            };
            let is_last = self.mode == Mode::Once || self.stop.is_cancelled() || self.must_open;
            let pause = match is_last {
                true => None,
                false => self.reconnect.pause(&Closed {
                    cause: &cause,
                    end: end.as_ref(),
                    failures,
                    pause,
                }),
            };
            if let Some(error) = failed {
                self.report_failure(&error, failures, pause);
            }
            let Some(pause) = pause else { break cause };
            if self.back_off(pause, cause).await.is_break() {
                break Cause::Closed;
            }
        };
        if self.previous.0.is_some() {
            self.set_phase(Phase::Stopping);
        }
        poll_fn(|cx| self.previous.poll_ended(cx)).await;
        self.set_phase(Phase::Closed(cause));
    }

    /// Sets up the next association, once it is wanted.
    async fn next_association(
        &mut self,
    ) -> ControlFlow<(), Result<Up<C::Transport>, ConnectError>> {
        if self.mode == Mode::Lazy {
            // Calls that wanted the last association are no reason for another; those that still wait
            // ask again when they see the new phase.
            pin!(self.wanted.notified()).as_mut().enable();
            self.set_phase(Phase::Idle);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return ControlFlow::Break(()),
                () = self.wanted.notified() => {}
            }
        }
        self.set_phase(Phase::Opening);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => ControlFlow::Break(()),
            result = connect_within(&mut self.connect, self.config.connect_timeout) => {
                ControlFlow::Continue(result.map(|transport| self.sessions.up(transport)))
            }
        }
    }

    async fn back_off(&mut self, pause: Duration, cause: Cause) -> ControlFlow<()> {
        self.status.send_modify(|status| {
            status.phase = Phase::BackingOff(cause.clone());
            status.last_error = Some(cause);
        });
        tokio::select! {
            biased;
            () = self.stop.cancelled() => ControlFlow::Break(()),
            () = sleep(pause) => ControlFlow::Continue(()),
        }
    }

    /// Runs the session of an association until it has closed. Returns its end, and whether the
    /// association was ever open.
    ///
    /// The end is `None` if the association accepts no more calls but has not closed when the pause
    /// before the next one is over. The session then continues in a task of its own.
    async fn session(
        &mut self,
        (transport, state): Up<C::Transport>,
        attempts: &Attempts,
    ) -> (Option<Ended>, bool) {
        self.associations += 1;
        let (number, began) = (self.associations, Instant::now());
        self.status.send_modify(|status| {
            status.association = Some(Arc::clone(&state));
            status.last_error = None;
        });
        let mut current = Current {
            state: Arc::clone(&state),
            is_open: matches!(self.status.borrow().phase, Phase::Open(_)),
            has_opened: false,
        };
        let session = self.sessions.session(transport, state);
        let mut running = Box::pin(session.run(|ended| ended));
        let mut stop = pin!(self.stop.cancelled());
        let mut stopped = false;
        // The function of `with_reconnect` is called with the end before the next attempt.
        let may_replace = self.mode != Mode::Once && !self.reconnect.is_set();
        let (status, previous, must_open) = (&self.status, &mut self.previous, self.must_open);
        let mut pause = None;
        let ended = poll_fn(|cx| {
            if !stopped && stop.as_mut().poll(cx).is_ready() {
                stopped = true;
                status.send_modify(|status| status.phase = Phase::Stopping);
            }
            let polled = running.as_mut().poll(cx);
            current.update(status);
            if let Poll::Ready(ended) = polled {
                return Poll::Ready(Some(ended));
            }
            let may_replace = may_replace && (current.has_opened || !must_open);
            if !may_replace || stopped || !current.has_begun_to_end() {
                pause = None;
                return Poll::Pending;
            }
            let pause = pause.get_or_insert_with(|| {
                let pause = attempts.pause_after(current.has_opened, began.elapsed());
                Box::pin(sleep(pause))
            });
            if !pause.is_elapsed() {
                ready!(pause.as_mut().poll(cx));
            }
            // One at a time.
            previous.poll_ended(cx).map(|()| None)
        })
        .await;
        self.must_open &= !current.has_opened;
        let Some(ended) = ended else {
            let status = self.status.clone();
            let (done, ended) = oneshot::channel();
            let running = async move {
                let ended = running.await;
                status.send_modify(|status| status.ended(number, ended.end));
                drop(done);
            };
            self.previous = PreviousSession(Some(ended));
            self.spawner.spawn(running.in_current_span());
            return (None, current.has_opened);
        };
        self.status.send_modify(|status| {
            status.stop_admitting(Phase::Ending);
            status.association = None;
            status.ended(number, ended.end.clone());
        });
        (Some(ended), current.has_opened)
    }

    fn set_phase(&self, phase: Phase) {
        self.status.send_modify(|status| status.phase = phase);
    }

    fn report_failure(&self, error: &ConnectError, failures: u32, next: Option<Duration>) {
        if let Some(occurrences) = self.connect_failed.record() {
            tracing::warn!(
                error = error as &dyn Error,
                occurrences,
                "cannot set up an association"
            );
        }
        self.hook.emit(&ClientEvent::ConnectFailed {
            addrs: known_addrs(&self.connect),
            error,
            failures,
            next,
        });
    }
}

/// The association as handles of the client see it.
struct Current {
    state: Arc<HandleState>,
    is_open: bool,
    /// It was open at some time.
    has_opened: bool,
}

impl Current {
    /// Routes calls to the association once it is open, to the new state after a restart of the
    /// peer, and to none once it has begun to close.
    fn update(&mut self, status: &watch::Sender<Status>) {
        let next = match self.state.is_closed() {
            true => self.state.next(),
            false => None,
        };
        let has_restarted = next.is_some();
        if let Some(next) = next {
            self.state = next;
        }
        self.has_opened |= self.state.is_opened();
        let is_open = self.state.is_opened() && self.state.takes_calls();
        if is_open == self.is_open && !has_restarted {
            return;
        }
        self.is_open = is_open;
        status.send_modify(|status| {
            status.association = Some(Arc::clone(&self.state));
            if is_open {
                status.admit(&self.state);
            } else if self.state.takes_calls() {
                status.stop_admitting(Phase::Opening);
            } else {
                status.stop_admitting(Phase::Ending);
            }
        });
    }

    /// Returns `true` if the association has begun to close, so that another may replace it.
    fn has_begun_to_end(&self) -> bool {
        self.state.is_closed() || self.state.drain().is_cancelled()
    }
}

/// Creates the sessions of a client.
pub(super) struct Sessions {
    pub(super) config: Arc<Config>,
    pub(super) correlation: Correlation,
    pub(super) serving: Serving,
    pub(super) events: EventHook,
    pub(super) drain_hook: Option<DrainHook>,
    pub(super) stop: CancellationToken,
    pub(super) call_numbers: CallNumbers,
}

impl Sessions {
    pub(super) fn up<T: Transport>(&self, transport: T) -> Up<T> {
        let state = HandleState::new(
            self.stop.child_token(),
            transport.connect_info().with_initiated_by(Side::Local),
            Arc::clone(&self.config),
            transport.max_message(),
            true,
        );
        (transport, StateOwner::new(state))
    }

    fn session<T: Transport>(&self, transport: T, state: StateOwner) -> Session<T, BoxService> {
        let session = Session::with_maker(
            transport,
            self.serving.maker(),
            Arc::clone(&self.config),
            self.events.clone(),
            state,
            Some(&self.correlation),
        )
        .with_call_numbers(self.call_numbers.clone())
        .with_drain_hook(self.drain_hook.clone());
        match self.serving {
            Serving::Nothing => session.without_service(),
            Serving::By(_) => session,
        }
    }
}
