//! Sending of calls and one-way messages, and its time limits.

use std::task::{Context, Poll};

use sctp_tokio::SendError;
use tokio::sync::mpsc;

use super::{
    super::outbox::{OneWay, Owner},
    ITEMS_PER_ROUND, Session, State,
};
use crate::{
    Transport, abort_reasons,
    client::{
        abandoned::Abandoned,
        handle::{Command, Kind},
    },
    handle::{
        call::Waiter,
        error::{CallError, Cause, Refusal},
    },
    session::calls::Unresponsive,
};

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
            mut message,
            kind,
            permit,
        } = command;
        match kind {
            Kind::Call(reply) => {
                self.counts.calls += 1;
                self.calls.submit(
                    message,
                    Waiter {
                        reply,
                        permit,
                        room: None,
                    },
                    None,
                );
            }
            Kind::OneWay(done) => {
                let one_way = OneWay { done, permit };
                // That of a call is its number.
                message.info.context = 0;
                match self.calls.check_one_way(&message) {
                    Ok(()) => self.outbox.push(message, Owner::OneWay(one_way)),
                    Err(refusal) => one_way.finish(Err(CallError::refused(refusal))),
                }
            }
        }
    }

    /// Gives up the calls that were dropped. Returns `true` if there were any.
    pub(super) fn take_abandoned(&mut self, cx: &mut Context<'_>, abandoned: &Abandoned) -> bool {
        let is_set = abandoned.poll_take(cx).is_ready();
        if is_set {
            let outbox = &mut self.outbox;
            self.calls.give_up_dropped(|call| outbox.withdraw(call));
        }
        is_set
    }

    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        let Self {
            outbox,
            transport,
            calls,
            counts,
            ..
        } = self;
        let mut closing = false;
        outbox.flush(cx, transport, |owner, result| match (owner, result) {
            (Owner::Call(call), Ok(())) => calls.sent(call),
            (Owner::OneWay(one_way), Ok(())) => one_way.finish(Ok(())),
            // Reading will tell how it ended, and then the calls are failed.
            (Owner::Call(_), Err(SendError::Closed(_) | SendError::ShuttingDown)) => closing = true,
            (
                Owner::OneWay(one_way),
                Err(error @ (SendError::Closed(_) | SendError::ShuttingDown)),
            ) => {
                closing = true;
                counts.unsent_calls += 1;
                let cause = match error {
                    SendError::Closed(end) => Cause::from(&end),
                    _ => Cause::ShutDown,
                };
                one_way.finish(Err(CallError::not_sent(cause)));
            }
            (Owner::Call(call), Err(error)) => {
                calls.refuse(call, Refusal::Send(error));
            }
            (Owner::OneWay(one_way), Err(error)) => {
                one_way.finish(Err(CallError::refused(Refusal::Send(error))));
            }
        });
        if closing {
            self.peer_closing(false);
        }
    }

    /// Fails the calls whose time is up. Returns `true` if there were any.
    pub(super) fn expire(&mut self, cx: &mut Context<'_>) -> bool {
        let outbox = &mut self.outbox;
        match self.calls.expire(cx, |call| outbox.withdraw(call)) {
            Ok(worked) => worked,
            Err(Unresponsive) => {
                self.reporter.unresponsive();
                self.abort(&abort_reasons::NO_REPLY, Cause::Unresponsive);
                true
            }
        }
    }
}
