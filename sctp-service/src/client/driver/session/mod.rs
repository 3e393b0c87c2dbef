//! One association, from its coming up to its end.

mod inbound;
mod outbound;

use std::{
    error::Error,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sctp_core::{AbortReason, ErrorCauses};
use sctp_tokio::{End, Side};
use tokio::sync::{mpsc, watch};

use super::{
    outbox::{Outbox, Owner},
    report::Reporter,
};
use crate::{
    ConnectInfo, Transport, abort_reasons,
    client::{
        ClientConfig, ClientCounts,
        abandoned::Abandoned,
        handle::{Command, Phase, Status},
        push::PushQueue,
    },
    correlate::{CallId, Correlation},
    handle::error::{CallError, Cause},
    session::calls::{CallLimits, Calls},
    timer::Timer,
};

/// Time to wait for the transport to report that our own abort has ended the association.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// How much one poll does at most before other tasks have their turn: rounds, and items of each
/// kind in a round.
const ROUNDS_PER_POLL: usize = 8;
const ITEMS_PER_ROUND: usize = 32;

/// Drives one association.
///
/// ```text
///          stop               all finished
///  Open --------> Draining -----------------> AwaitingAck
///   |                |                             |
///   |  the peer      |  shuts down                 |
///   +--------------> PeerClosing                   | too long
///   |                |  too long                   v
///   |                +---------------------> Aborting
///   +--------------------------------------> (a stray reply, no stream left, an error)
/// ```
///
/// The end of the association is the end of each state, and fails whatever is left.
pub(super) struct Session<T> {
    transport: T,
    /// The association as it came up, or last restarted.
    info: ConnectInfo,
    reporter: Arc<Reporter>,
    counts: ClientCounts,
    state: State,
    calls: Calls,
    outbox: Outbox,
    config: ClientConfig,
    status: watch::Sender<Status>,
    /// Bounds every state but `Open` and `Draining`, which the calls' own timeouts bound.
    deadline: Timer,
    /// The reason of this end's abort, which the peer is sent.
    cause: Option<Cause>,
    reason: Option<AbortReason>,
}

/// The outcome of an association.
pub(super) struct Ended {
    pub(super) end: End,
    /// The cause with which its calls failed.
    pub(super) cause: Cause,
    /// The reason that this end sent to the peer, if it aborted.
    pub(super) reason: Option<AbortReason>,
    pub(super) counts: ClientCounts,
    pub(super) info: ConnectInfo,
    /// The number of the last call.
    pub(super) last_call: CallId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls are taken.
    Open,
    /// Those that are there are finished; the inbox takes no more.
    Draining,
    /// The peer takes nothing more, and all it had to say has been read.
    PeerClosing,
    /// SCTP is to end it when all is acknowledged.
    AwaitingAck,
    /// An ABORT is out.
    Aborting,
}

impl<T: Transport> Session<T> {
    pub(super) fn new(
        transport: T,
        info: ConnectInfo,
        config: &ClientConfig,
        correlation: &Correlation,
        last_call: CallId,
        status: watch::Sender<Status>,
        reporter: Arc<Reporter>,
    ) -> Self {
        let limits = CallLimits {
            timeout: config.call_timeout,
            overdue_after: config.overdue_after,
            max_given_up: config.max_in_flight,
        };
        let calls = Calls::new(correlation, &info, limits, last_call);
        Self {
            transport,
            info,
            reporter,
            counts: ClientCounts::default(),
            state: State::Open,
            calls,
            outbox: Outbox::default(),
            config: config.clone(),
            status,
            deadline: Timer::default(),
            cause: None,
            reason: None,
        }
    }

    /// Finishes what is there, and then shuts down. The inbox has been closed.
    pub(super) fn drain(&mut self) {
        self.status
            .send_modify(|status| status.phase = Phase::Stopping);
        if self.state == State::Open {
            self.state = State::Draining;
        }
    }

    /// Works until the association has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut mpsc::Receiver<Command>,
        abandoned: &Abandoned,
        pushes: &PushQueue,
    ) -> Poll<Ended> {
        for _ in 0..ROUNDS_PER_POLL {
            let mut worked = self.take_commands(cx, inbox);
            worked |= self.take_abandoned(cx, abandoned);
            let outbox = &mut self.outbox;
            self.calls
                .start(|call, message| outbox.push(message, Owner::Call(call)));
            self.flush(cx);
            worked |= match self.read(cx, pushes) {
                Ok(worked) => worked,
                Err(end) => return Poll::Ready(self.finish(end)),
            };
            worked |= self.expire(cx);
            if self.deadline.poll_elapsed(cx) {
                worked = true;
                if let Some(end) = self.overrun() {
                    return Poll::Ready(self.finish(end));
                }
            }
            if !worked && !self.finish_draining(inbox) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Shuts down when everything is finished. Answers whether it did.
    fn finish_draining(&mut self, inbox: &mpsc::Receiver<Command>) -> bool {
        let drained = self.calls.live() == 0 && self.outbox.is_empty() && inbox.is_empty();
        if self.state != State::Draining || !drained {
            return false;
        }
        self.state = State::AwaitingAck;
        self.set_deadline();
        self.start_shutdown();
        true
    }

    fn start_shutdown(&mut self) {
        if let Err(error) = self.transport.start_shutdown() {
            // Gone already, and reading will tell; or stuck, and the deadline will.
            tracing::debug!(error = &error as &dyn Error, "cannot begin the shutdown");
        }
    }

    /// A state took too long. Answers the end if there is nothing left to wait for.
    fn overrun(&mut self) -> Option<End> {
        if self.state == State::Aborting {
            return Some(End::Aborted {
                by: Side::Local,
                causes: ErrorCauses::default(),
            });
        }
        let cause = match self.state {
            State::PeerClosing => Cause::ShutDown,
            _ => Cause::Closed,
        };
        self.abort(&abort_reasons::SHUTDOWN_TIMED_OUT, cause);
        None
    }

    fn abort(&mut self, reason: &AbortReason, cause: Cause) {
        if self.state == State::Aborting {
            return;
        }
        self.state = State::Aborting;
        self.stop_admitting();
        self.cause = Some(cause);
        self.reason = Some(reason.clone());
        if let Err(error) = self.transport.abort(reason) {
            tracing::debug!(error = &error as &dyn Error, "cannot abort");
        }
        self.deadline.set_in(ABORT_GRACE);
    }

    /// Stops admitting calls.
    fn stop_admitting(&self) {
        self.status.send_modify(Status::stop_admitting);
    }

    fn set_deadline(&mut self) {
        self.deadline.set_in(self.config.shutdown_timeout);
    }

    fn fail_outbox(&mut self, cause: &Cause) {
        for owner in self.outbox.clear() {
            if let Owner::OneWay(one_way) = owner {
                self.counts.unsent_calls += 1;
                one_way.finish(Err(CallError::not_sent(cause.clone())));
            }
        }
    }

    /// Fails whatever is left.
    fn finish(&mut self, end: End) -> Ended {
        let cause = self.cause.take().unwrap_or_else(|| Cause::from(&end));
        self.status.send_modify(|status| {
            status.stop_admitting();
            status.last_end = Some(end.clone());
        });
        self.calls.fail_all(&cause);
        self.fail_outbox(&cause);
        let (lost, unsent) = self.calls.cut_off();
        let mut counts = self.counts;
        counts.lost_calls += lost;
        counts.unsent_calls += unsent;
        Ended {
            end,
            cause,
            reason: self.reason.take(),
            counts,
            info: self.info.clone(),
            last_call: self.calls.last_id(),
        }
    }
}

/// Number of streams in both directions.
fn streams(info: &ConnectInfo) -> u16 {
    info.inbound_streams().min(info.outbound_streams())
}
