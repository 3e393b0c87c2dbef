//! The task of a client: one association after the other.

mod outbox;
mod report;
mod session;

use std::{future::poll_fn, ops::ControlFlow, pin::pin, sync::Arc, time::Duration};

use sctp_tokio::ConnectError;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    report::Reporter,
    session::{Ended, Session},
};
use super::{
    ClientConfig, Connect,
    abandoned::Abandoned,
    event::ClientHook,
    handle::{Command, Phase, Status},
    push::PushQueue,
};
use crate::{
    Transport,
    correlate::{CallId, Correlation},
    handle::error::{CallError, Cause},
};

/// The times at which associations are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Whenever there is none.
    Eager,
    /// When a call needs one.
    Lazy,
    /// Only the one that is there.
    Once,
}

/// The task of a client.
///
/// ```text
///           wanted                up                  over
///    Idle ----------> Connecting ------> a session ----------> BackingOff
///     ^                   |  ^           (session.rs)               |
///     |                   |  +--------------------------------------+
///     |            failed +---------------> BackingOff              |
///     +----------------------------- lazy --------------------------+
/// ```
///
/// A stop, or the end of the only association, leads from anywhere to Closed.
pub(super) struct Driver<C> {
    pub(super) connect: C,
    pub(super) mode: Mode,
    pub(super) inbox: mpsc::Receiver<Command>,
    pub(super) status: watch::Sender<Status>,
    pub(super) stop: CancellationToken,
    pub(super) wanted: Arc<Notify>,
    pub(super) abandoned: Arc<Abandoned>,
    pub(super) pushes: PushQueue,
    pub(super) correlation: Correlation,
    /// The number of the last call, on whichever association.
    pub(super) last_call: CallId,
    pub(super) hook: ClientHook,
    pub(super) config: ClientConfig,
}

impl<C: Connect> Driver<C> {
    pub(super) async fn run(mut self, mut first: Option<C::Transport>) {
        let mut failures = 0;
        let reporter = Arc::new(Reporter::new(std::mem::take(&mut self.hook)));
        let cause = loop {
            let attempt = match first.take() {
                Some(transport) => Ok(transport),
                None => match self.next_association().await {
                    ControlFlow::Continue(attempt) => attempt,
                    ControlFlow::Break(()) => break Cause::Closed,
                },
            };
            let (cause, failed) = match attempt {
                Ok(transport) => {
                    let began = Instant::now();
                    let cause = self.session(transport, &reporter).await;
                    if began.elapsed() >= self.config.backoff.max() {
                        failures = 0;
                    }
                    (cause, None)
                }
                Err(error) => {
                    let error = Arc::new(error);
                    (Cause::NotConnected(Arc::clone(&error)), Some(error))
                }
            };
            failures += 1;
            let is_last = self.mode == Mode::Once || self.stop.is_cancelled();
            let pause = (!is_last).then(|| self.config.backoff.pause(failures));
            if let Some(error) = failed {
                reporter.connect_failed(self.connect.addrs(), &error, failures, pause);
            }
            let Some(pause) = pause else { break cause };
            if self.back_off(pause, cause).await.is_break() {
                break Cause::Closed;
            }
        };
        self.close(&cause);
    }

    /// Sets up the next association, once it is wanted.
    async fn next_association(&mut self) -> ControlFlow<(), Result<C::Transport, ConnectError>> {
        if self.mode == Mode::Lazy {
            self.set_phase(Phase::Idle);
            // A call that was let in before it became so is in the queue, and wants one.
            if self.inbox.is_empty() {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return ControlFlow::Break(()),
                    () = self.wanted.notified() => {}
                }
            }
        }
        self.set_phase(Phase::Between);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => ControlFlow::Break(()),
            result = timeout(self.config.connect_timeout, self.connect.connect()) => {
                ControlFlow::Continue(result.unwrap_or(Err(ConnectError::TimedOut { peer: Vec::new() })))
            }
        }
    }

    /// Pauses, and fails the calls that were let in before.
    async fn back_off(&mut self, pause: Duration, cause: Cause) -> ControlFlow<()> {
        self.status.send_modify(|status| {
            status.phase = Phase::BackingOff(cause.clone());
            status.last_error = Some(cause.clone());
        });
        let mut pause = pin!(sleep(pause));
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return ControlFlow::Break(()),
                () = &mut pause => return ControlFlow::Continue(()),
                Some(command) = self.inbox.recv() => {
                    command.fail(CallError::not_sent(cause.clone()));
                }
            }
        }
    }

    /// Drives one association to its end, and says what its calls failed with.
    async fn session(&mut self, transport: C::Transport, reporter: &Arc<Reporter>) -> Cause {
        // Whoever wanted an association has one: the next end is no reason for another.
        pin!(self.wanted.notified()).as_mut().enable();
        let began = Instant::now();
        let info = transport.connect_info();
        self.status.send_modify(|status| {
            status.phase = Phase::Open(info.clone());
            status.last_error = None;
        });
        reporter.up(&info);
        let mut session = Session::new(
            transport,
            info,
            &self.config,
            &self.correlation,
            self.last_call,
            self.status.clone(),
            Arc::clone(reporter),
        );
        let mut stop = pin!(self.stop.cancelled());
        let mut stopped = false;
        let Ended {
            end,
            cause,
            reason,
            counts,
            info,
            last_call,
        } = poll_fn(|cx| {
            if !stopped && stop.as_mut().poll(cx).is_ready() {
                stopped = true;
                self.inbox.close();
                session.drain();
            }
            session.poll(cx, &mut self.inbox, &self.abandoned, &self.pushes)
        })
        .await;
        self.last_call = last_call;
        reporter.closed(&info, &end, reason.as_ref(), began.elapsed(), &counts);
        cause
    }

    /// Fails whatever is still to come.
    fn close(mut self, cause: &Cause) {
        self.set_phase(Phase::Closed(cause.clone()));
        self.inbox.close();
        while let Ok(command) = self.inbox.try_recv() {
            command.fail(CallError::not_sent(cause.clone()));
        }
    }

    fn set_phase(&self, phase: Phase) {
        self.status.send_modify(|status| status.phase = phase);
    }
}
