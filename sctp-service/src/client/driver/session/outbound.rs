//! What is sent, and the time that it may take.

use std::task::{Context, Poll};

use sctp_core::AbortReason;
use sctp_tokio::SendError;
use tokio::{sync::mpsc, time::Instant};

use super::{
    super::outbox::{OneWay, Owner},
    ITEMS_PER_ROUND, Session, State,
};
use crate::{
    Transport,
    client::{
        call::Abandoned,
        correlate::{Assigned, CallId},
        error::{CallError, Cause, Fate, Refusal},
        handle::{Command, Kind},
    },
    driver::timer::later,
};

static NO_REPLY: AbortReason = AbortReason::from_static("no reply");

impl<T: Transport> Session<T> {
    pub(super) fn take_commands(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut mpsc::Receiver<Command>,
    ) -> bool {
        for taken in 0..ITEMS_PER_ROUND {
            match inbox.poll_recv(cx) {
                Poll::Ready(Some(command)) => self.take(command),
                Poll::Ready(None) | Poll::Pending => return taken > 0,
            }
        }
        true
    }

    fn take(&mut self, command: Command) {
        if command.is_abandoned() {
            return;
        }
        if !matches!(self.state, State::Open | State::Draining) {
            let cause = match self.state {
                State::PeerClosing => Cause::ShutDown,
                _ => self.cause.clone().unwrap_or(Cause::Closed),
            };
            return command.fail(CallError::not_sent(cause));
        }
        let Command {
            id,
            mut message,
            kind,
            permit,
        } = command;
        message.info.context = id;
        match kind {
            Kind::Call(reply) => {
                self.counts.calls += 1;
                let timeout = self.config.call_timeout;
                self.calls.insert(id, message, reply, permit, timeout);
            }
            Kind::OneWay(done) => {
                let one_way = OneWay { done, permit };
                match self.correlation.check_one_way(&message) {
                    Ok(()) => self.outbox.push(message, Owner::OneWay(one_way)),
                    Err(refusal) => one_way.finish(Err(CallError::refused(refusal))),
                }
            }
        }
    }

    pub(super) fn take_abandoned(&mut self, cx: &mut Context<'_>, abandoned: &Abandoned) -> bool {
        for taken in 0..ITEMS_PER_ROUND {
            match abandoned.poll_pop(cx) {
                Poll::Ready(call) => self.give_up(call, Cause::Closed),
                Poll::Pending => return taken > 0,
            }
        }
        true
    }

    /// Nobody waits for a call any more. If its message is still here it never goes out;
    /// otherwise the reply may come, and must not be taken for another's.
    fn give_up(&mut self, call: CallId, cause: Cause) {
        if self.outbox.withdraw(call) {
            if let Some(left) = self.calls.fail(call, CallError::not_sent(cause)) {
                self.correlation.withdraw(left.call, left.stream);
            }
        } else if self.calls.is_waiting(call) {
            self.calls.fail(call, CallError::not_sent(cause));
        } else {
            self.leave(call, cause);
        }
    }

    /// Fails a call whose reply may still come, and remembers it for that. Where nothing else
    /// bounds how many there are, only the last ones are remembered.
    pub(super) fn leave(&mut self, call: CallId, cause: Cause) {
        let due = later(Instant::now(), self.config.overdue_after);
        self.calls.give_up(call, cause, due);
        if self.correlation.is_bounded() {
            return;
        }
        self.left.push_back(call);
        if self.left.len() <= self.config.max_in_flight.max(1) {
            return;
        }
        if let Some(oldest) = self.left.pop_front()
            && !self.calls.is_live(oldest)
        {
            self.forget(oldest);
        }
    }

    /// Waits no longer for a reply that nobody wants.
    fn forget(&mut self, call: CallId) {
        let overdue = CallError::new(Cause::TimedOut, Fate::Unknown);
        let Some(left) = self.calls.fail(call, overdue) else {
            return;
        };
        if !self.correlation.give_up(left.call, left.stream) {
            tracing::warn!("the peer answers on no stream any more, aborting");
            self.abort(&NO_REPLY, Cause::Unresponsive);
        }
    }

    pub(super) fn start_calls(&mut self) {
        while let Some((call, message)) = self.calls.next_waiting() {
            match self.correlation.assign(call, message) {
                Assigned::Later => return,
                Assigned::Never(refusal) => {
                    self.calls.fail(call, CallError::refused(refusal));
                }
                Assigned::Now => {
                    if let Some((call, message)) = self.calls.start_next() {
                        self.outbox.push(message, Owner::Call(call));
                    }
                }
            }
        }
    }

    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        let Self {
            outbox,
            transport,
            calls,
            correlation,
            counts,
            ..
        } = self;
        let mut closing = false;
        outbox.flush(cx, transport, |owner, result| match (owner, result) {
            (Owner::Call(call), Ok(())) => calls.note_sent(call),
            (Owner::OneWay(one_way), Ok(())) => one_way.finish(Ok(())),
            // Reading will tell how it ended, and then the calls are failed.
            (Owner::Call(_), Err(SendError::Ended(_) | SendError::ShuttingDown)) => closing = true,
            (
                Owner::OneWay(one_way),
                Err(error @ (SendError::Ended(_) | SendError::ShuttingDown)),
            ) => {
                closing = true;
                counts.unsent_calls += 1;
                let cause = match error {
                    SendError::Ended(end) => Cause::from(&end),
                    _ => Cause::ShutDown,
                };
                one_way.finish(Err(CallError::not_sent(cause)));
            }
            (Owner::Call(call), Err(error)) => {
                let error = CallError::refused(Refusal::Send(error));
                if let Some(left) = calls.fail(call, error) {
                    correlation.withdraw(left.call, left.stream);
                }
            }
            (Owner::OneWay(one_way), Err(error)) => {
                one_way.finish(Err(CallError::refused(Refusal::Send(error))));
            }
        });
        if closing {
            self.peer_closing(false);
        }
    }

    /// Fails the calls whose time is up, and gives up late replies.
    pub(super) fn expire(&mut self, cx: &mut Context<'_>) -> bool {
        let mut worked = false;
        while let Some(call) = self.calls.poll_due(cx) {
            worked = true;
            if self.calls.is_live(call) {
                self.give_up(call, Cause::TimedOut);
            } else {
                self.forget(call);
            }
        }
        worked
    }
}
