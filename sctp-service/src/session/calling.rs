//! Calls of this end: from a handle to the outbox, and from a reply back to the call.

use std::{ops::ControlFlow, task::Context};

use sctp_tokio::Received;

use super::{Exit, connection::Connection};
use crate::{
    CallError, Cause, Correlation, Refusal, SendError, Transport,
    correlate::{CallId, Class},
    handle::Submission,
    session::calls::{CallLimits, Calls, Unresponsive},
};

/// The owner of a message in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Call(CallId),
    /// A one-way message of this length, which has room in the handles' queue.
    OneWay(usize),
}

impl<T: Transport> Connection<T> {
    /// Enables calls.
    pub(super) fn with_correlation(mut self, correlation: Option<&Correlation>) -> Self {
        self.calls = correlation.map(|correlation| {
            let limits = CallLimits {
                timeout: self.config.call_timeout,
                overdue_after: self.config.overdue_after,
                max_given_up: self.config.max_calls,
            };
            Box::new(Calls::new(correlation, &self.info, limits, 0))
        });
        self
    }

    /// Returns `true` if a call waits for its reply.
    pub(super) fn waits_for_reply(&self) -> bool {
        self.calls.as_ref().is_some_and(|calls| calls.live() > 0)
    }

    /// Queues what handles have submitted.
    pub(super) fn submit(&mut self, submission: Submission) {
        match submission {
            Submission::OneWay(mut message) => {
                self.counts.sends += 1;
                let len = message.payload.len();
                if self.is_muted() {
                    self.counts.discarded_sends += 1;
                    self.association.give_back(len);
                    return;
                }
                if let Some(calls) = &self.calls {
                    if let Err(refusal) = calls.check_one_way(&message) {
                        self.one_way_refused(len, refusal);
                        return;
                    }
                    // That of a call is its number.
                    message.info.context = 0;
                }
                self.outbox.push_owned(message, Owner::OneWay(len));
            }
            Submission::Call {
                message,
                waiter,
                deadline,
            } => {
                self.counts.calls += 1;
                let is_muted = self.is_muted();
                match &mut self.calls {
                    Some(calls) if !is_muted => calls.submit(message, waiter, deadline),
                    _ => {
                        self.counts.unsent_calls += 1;
                        waiter.finish(Err(CallError::not_sent(Cause::ShutDown)));
                    }
                }
            }
        }
    }

    /// Gives up calls that were dropped.
    pub(super) fn give_up_dropped_calls(&mut self) {
        if let Some(calls) = &mut self.calls {
            let outbox = &mut self.outbox;
            calls.give_up_dropped(|call| {
                outbox
                    .withdraw(|owner| *owner == Owner::Call(call))
                    .is_some()
            });
        }
    }

    /// Queues the calls whose turn it is.
    pub(super) fn start_calls(&mut self) {
        if let Some(calls) = &mut self.calls {
            let outbox = &mut self.outbox;
            calls.start(|call, message| outbox.push_owned(message, Owner::Call(call)));
        }
    }

    /// Classifies a message before anything else is done with it. Completes the call of a reply,
    /// and returns a request.
    #[inline]
    pub(super) fn classify(&mut self, received: Received) -> ControlFlow<Exit, Option<Received>> {
        if self.calls.is_none() {
            return ControlFlow::Continue(Some(received));
        }
        self.classify_with_calls(received)
    }

    fn classify_with_calls(&mut self, received: Received) -> ControlFlow<Exit, Option<Received>> {
        let Some(calls) = &mut self.calls else {
            return ControlFlow::Continue(Some(received));
        };
        match calls.classify(&received) {
            Class::Request => return ControlFlow::Continue(Some(received)),
            Class::Reply(call) => {
                if calls.complete(call, received) {
                    self.counts.replies += 1;
                } else {
                    self.counts.late_replies += 1;
                }
                // The next call may have waited for the stream.
                self.start_calls();
            }
            Class::UnknownReply => {
                self.counts.late_replies += 1;
                self.report_unknown_reply(&received);
            }
            Class::Unexpected => {
                self.fail_calls(&Cause::Uncorrelated);
                return ControlFlow::Break(self.unexpected_reply(&received));
            }
        }
        ControlFlow::Continue(None)
    }

    /// Fails calls whose time is up. Returns `true` if there were any.
    pub(super) fn expire_calls(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit, bool> {
        let Some(calls) = &mut self.calls else {
            return ControlFlow::Continue(false);
        };
        let outbox = &mut self.outbox;
        let withdraw = |call| {
            outbox
                .withdraw(|owner| *owner == Owner::Call(call))
                .is_some()
        };
        match calls.expire(cx, withdraw) {
            Ok(false) => ControlFlow::Continue(false),
            Ok(true) => {
                self.start_calls();
                ControlFlow::Continue(true)
            }
            Err(Unresponsive) => {
                self.fail_calls(&Cause::Unresponsive);
                ControlFlow::Break(self.unresponsive())
            }
        }
    }

    /// Decides what it means that the transport refused a message that is no reply.
    pub(super) fn owned_refused(&mut self, owner: Owner, error: SendError) {
        match owner {
            Owner::OneWay(_) => self.send_refused(&error),
            Owner::Call(call) => {
                if let Some(calls) = &mut self.calls {
                    calls.refuse(call, Refusal::Send(error));
                }
            }
        }
    }

    /// Fails the calls that the transport has not taken.
    pub(super) fn fail_unsent_calls(&mut self, cause: &Cause) {
        if let Some(calls) = &mut self.calls {
            let outbox = &mut self.outbox;
            while outbox
                .withdraw(|owner| matches!(owner, Owner::Call(_)))
                .is_some()
            {}
            calls.fail_unsent(cause);
        }
    }

    /// Fails all calls.
    pub(super) fn fail_calls(&mut self, cause: &Cause) {
        self.fail_unsent_calls(cause);
        if let Some(calls) = &mut self.calls {
            calls.fail_all(cause);
        }
    }

    /// Fails all calls, which the peer has forgotten, and starts anew.
    pub(super) fn restart_calls(&mut self) {
        self.fail_unsent_calls(&Cause::Restarted);
        if let Some(calls) = &mut self.calls {
            calls.restart(&self.info);
        }
    }

    /// Counts the calls that the end has cut off.
    pub(super) fn count_cut_off_calls(&mut self) {
        let cut_off = self.calls.as_ref().map(|calls| calls.cut_off());
        let (lost, unsent) = cut_off.unwrap_or_default();
        self.counts.lost_calls += lost;
        self.counts.unsent_calls += unsent;
    }
}
