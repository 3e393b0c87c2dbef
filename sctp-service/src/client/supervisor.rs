//! The task of a client: one association after the other.

use std::{
    error::Error,
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use sctp_tokio::ConnectError;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    ClientConfig, ClientEvent, ClientHook, Connect,
    current::{Phase, Status},
    reconnect::{Closed, Decision},
    serving::{BoxService, Serving},
};
use crate::{
    Cause, Config, Correlation, Side, Transport,
    correlate::CallId,
    event::EventHook,
    handle::{HandleState, StateOwner},
    log_limit::LogLimiter,
    serve::Goodbye,
    session::{Ended, Session},
};

/// The times at which associations are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Whenever there is none.
    Eager,
    /// On demand of a call.
    Lazy,
    /// Only the one that is there.
    Once,
}

/// Decides when there is to be an association, sets it up, and runs its session.
///
/// ```text
///           wanted                up                  over
///    Idle ----------> Connecting ------> a session ----------> BackingOff
///     ^                   |  ^                                      |
///     |                   |  +--------------------------------------+
///     |            failed +---------------> BackingOff              |
///     +----------------------------- lazy --------------------------+
/// ```
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
    /// The last association, if requests that its server made before it left are still served.
    pub(super) leaving: JoinSet<()>,
    pub(super) failures: LogLimiter,
    pub(super) config: ClientConfig,
}

/// An association that is up, and what its handles share.
pub(super) type Up<T> = (T, StateOwner);

impl<C: Connect> Supervisor<C> {
    pub(super) async fn run(mut self, mut first: Option<Up<C::Transport>>) {
        let mut failures = 0;
        let cause = loop {
            let attempt = match first.take() {
                Some(up) => Ok(up),
                None => match self.next_association().await {
                    ControlFlow::Continue(attempt) => attempt,
                    ControlFlow::Break(()) => break Cause::Closed,
                },
            };
            let (cause, end, failed) = match attempt {
                Ok(up) => {
                    let began = Instant::now();
                    let outcome = self.session(up, failures + 1).await;
                    if began.elapsed() >= self.config.backoff.max() {
                        failures = 0;
                    }
                    match outcome {
                        Some(ended) => (ended.cause, Some(ended.end), None),
                        // The pause is over.
                        None => {
                            failures += 1;
                            continue;
                        }
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    (Cause::NotConnected(Arc::clone(&error)), None, Some(error))
                }
            };
            failures += 1;
            let is_last = self.mode == Mode::Once || self.stop.is_cancelled();
            let pause = match is_last {
                true => None,
                false => self.reconnect.pause(&Closed {
                    cause: &cause,
                    end: end.as_ref(),
                    failures,
                    pause: self.config.backoff.pause(failures),
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
        while self.leaving.join_next().await.is_some() {}
        self.set_phase(Phase::Closed(cause));
    }

    /// Sets up the next association, once it is wanted.
    async fn next_association(
        &mut self,
    ) -> ControlFlow<(), Result<Up<C::Transport>, ConnectError>> {
        if self.mode == Mode::Lazy {
            self.set_phase(Phase::Idle);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return ControlFlow::Break(()),
                () = self.wanted.notified() => {}
            }
        }
        self.set_phase(Phase::Between);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return ControlFlow::Break(()),
            () = self.connect.wanted() => {}
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => ControlFlow::Break(()),
            result = timeout(self.config.connect_timeout, self.connect.connect()) => {
                let result = result.unwrap_or(Err(ConnectError::TimedOut { peer: Vec::new() }));
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

    /// Runs the session of an association to its end.
    ///
    /// Returns `None` if the server has left, and requests that it made before are still served when
    /// the pause after so many failures is over. The session then goes on in a task of its own.
    async fn session(
        &mut self,
        (transport, state): Up<C::Transport>,
        failures: u32,
    ) -> Option<Ended> {
        // Whoever wanted an association has one: the next end is no reason for another.
        pin!(self.wanted.notified()).as_mut().enable();
        self.status.send_modify(|status| {
            status.association = Some(Arc::clone(&state));
            status.last_error = None;
        });
        let mut current = Current {
            state: Arc::clone(&state),
            is_open: false,
        };
        let session = self.sessions.session(transport, state);
        let mut running = Box::pin(session.run(|ended| ended));
        let mut stop = pin!(self.stop.cancelled());
        let mut stopped = false;
        while self.leaving.try_join_next().is_some() {}
        // One at a time; and whoever decides about connecting again is told of the end first.
        let may_leave =
            self.mode != Mode::Once && self.leaving.is_empty() && !self.reconnect.is_set();
        let pause = self.config.backoff.pause(failures);
        let mut left = None;
        let status = &self.status;
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
            if !may_leave || stopped || !current.state.is_closed() {
                return Poll::Pending;
            }
            let left = left.get_or_insert_with(|| Box::pin(sleep(pause)));
            left.as_mut().poll(cx).map(|()| None)
        })
        .await;
        let Some(ended) = ended else {
            self.sessions.last_call = current.state.last_call();
            let status = self.status.clone();
            let running = async move {
                let ended = running.await;
                status.send_modify(|status| status.last_end = Some(ended.end));
            };
            self.leaving.spawn(running.in_current_span());
            return None;
        };
        self.status.send_modify(|status| {
            status.stop_admitting();
            status.association = None;
            status.last_end = Some(ended.end.clone());
        });
        self.sessions.last_call = ended.last_call;
        Some(ended)
    }

    fn set_phase(&self, phase: Phase) {
        self.status.send_modify(|status| status.phase = phase);
    }

    fn report_failure(&self, error: &ConnectError, failures: u32, next: Option<Duration>) {
        if let Some(occurrences) = self.failures.record() {
            tracing::warn!(
                error = error as &dyn Error,
                occurrences,
                "cannot set up an association"
            );
        }
        self.hook.emit(&ClientEvent::ConnectFailed {
            addrs: self.connect.addrs(),
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
}

impl Current {
    /// Has calls go to the association once it is open, to the new one after a restart of the peer,
    /// and to none once it is closing.
    fn update(&mut self, status: &watch::Sender<Status>) {
        if self.state.is_closed()
            && let Some(next) = self.state.next()
        {
            self.state = next;
            self.is_open = false;
        }
        let is_open = self.state.is_opened() && !self.state.is_closed();
        if is_open == self.is_open {
            return;
        }
        self.is_open = is_open;
        status.send_modify(|status| {
            status.association = Some(Arc::clone(&self.state));
            if is_open {
                status.admit(&self.state);
            } else {
                status.stop_admitting();
            }
        });
    }
}

/// Makes the sessions of a client.
pub(super) struct Sessions {
    pub(super) config: Arc<Config>,
    pub(super) correlation: Correlation,
    pub(super) serving: Serving,
    pub(super) events: EventHook,
    pub(super) goodbye: Option<Goodbye>,
    pub(super) stop: CancellationToken,
    /// The number of the last call, on whichever association.
    pub(super) last_call: CallId,
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
        .number_calls_after(self.last_call)
        .with_goodbye(self.goodbye.clone());
        match self.serving {
            Serving::Nothing => session.without_service(),
            Serving::By(_) => session,
        }
    }
}
