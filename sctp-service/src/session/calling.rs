//! Calls of this end, from the handle to the outbox and back to the caller.

use std::{ops::ControlFlow, task::Context};

use sctp_tokio::{End, Received};

use super::{Exit, connection::Connection};
use crate::{
    CallError, Cause, Correlation, Refusal, SendError, Transport,
    correlate::{CallId, Class},
    handle::{HandleState, Submission, call::SendWaiter},
    session::calls::{CallLimits, CallNumbers, Calls, Unresponsive},
};

/// The owner of a message in the outbox.
pub(super) enum Owner {
    Call(CallId),
    OneWay(OneWay),
}

impl Owner {
    fn is_call(&self, call: CallId) -> bool {
        matches!(self, Self::Call(id) if *id == call)
    }

    fn is_dropped_message(&self) -> bool {
        matches!(self, Self::OneWay(OneWay::Awaited(waiter)) if waiter.is_gone())
    }
}

/// A one-way message.
pub(super) enum OneWay {
    /// A message of this size that has a permit for the queue of the handles.
    Queued(usize),
    /// A message for which a client waits.
    Awaited(SendWaiter),
}

impl OneWay {
    /// Returns the permit of the message, or completes the client's wait.
    pub(super) fn finish(self, association: &HandleState, result: Result<(), CallError>) {
        match self {
            Self::Queued(len) => association.give_back(len, result.is_ok()),
            Self::Awaited(waiter) => waiter.finish(result),
        }
    }
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
            Box::new(Calls::new(correlation, limits))
        });
        self
    }

    /// Makes the correlator.
    pub(super) fn begin_calls(&mut self) {
        if let Some(calls) = &mut self.calls {
            calls.begin(&self.info);
        }
    }

    /// Returns `true` if a call waits for its reply.
    pub(super) fn waits_for_reply(&self) -> bool {
        self.calls.as_ref().is_some_and(|calls| calls.live() > 0)
    }

    /// Queues what handles have submitted.
    pub(super) fn submit(&mut self, submission: Submission) {
        match submission {
            Submission::OneWay {
                mut message,
                waiter,
            } => {
                self.counts.sends += 1;
                let is_dropped = waiter.as_ref().is_some_and(SendWaiter::is_gone);
                let one_way = match waiter {
                    Some(waiter) => OneWay::Awaited(waiter),
                    None => OneWay::Queued(message.payload.len()),
                };
                if is_dropped || self.is_send_closed() {
                    let error = CallError::not_sent(Cause::ShutDown);
                    return self.discard_one_way(one_way, error);
                }
                if self.handshake.is_some() && matches!(one_way, OneWay::Awaited(_)) {
                    let error = CallError::not_sent(Cause::Restarted);
                    return self.discard_one_way(one_way, error);
                }
                if let Some(calls) = &self.calls {
                    if let Err(refusal) = calls.check_one_way(&message) {
                        return self.one_way_refused(one_way, refusal);
                    }
                    // Reserved for the numbers of calls.
                    message.info.context = 0;
                }
                self.outbox.push_owned(message, Owner::OneWay(one_way));
            }
            Submission::Call {
                message,
                waiter,
                deadline,
            } => {
                self.counts.calls += 1;
                let is_send_closed = self.is_send_closed();
                match &mut self.calls {
                    Some(calls) if !is_send_closed => calls.submit(message, waiter, deadline),
                    _ => {
                        self.counts.unsent_calls += 1;
                        waiter.finish(Err(CallError::not_sent(Cause::ShutDown)));
                    }
                }
            }
        }
    }

    /// Gives up calls that were dropped, and messages of a client whose sender was dropped.
    pub(super) fn give_up_dropped(&mut self) {
        while self.outbox.withdraw(Owner::is_dropped_message).is_some() {
            self.counts.discarded_sends += 1;
        }
        if let Some(calls) = &mut self.calls {
            let outbox = &mut self.outbox;
            calls.give_up_dropped(|call| outbox.withdraw(|owner| owner.is_call(call)).is_some());
        }
    }

    /// Queues calls that can be sent now.
    pub(super) fn start_calls(&mut self) {
        // If nothing can be sent any more, calls fail with the end of the association.
        if !self.is_send_closed()
            && let Some(calls) = &mut self.calls
        {
            let outbox = &mut self.outbox;
            let send = |call, message| outbox.push_owned(message, Owner::Call(call));
            // Calls of a client wait until the handshake has completed.
            match self.handshake {
                None => calls.start(send),
                Some(_) => calls.start_handshake(send),
            }
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
            Class::Unexpected => return ControlFlow::Break(self.unexpected_reply(&received)),
        }
        ControlFlow::Continue(None)
    }

    /// Fails calls that have timed out. Returns `true` if there were any.
    #[inline]
    pub(super) fn expire_calls(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit, bool> {
        match self.calls {
            Some(_) => self.expire_some_calls(cx),
            None => ControlFlow::Continue(false),
        }
    }

    fn expire_some_calls(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit, bool> {
        let Some(calls) = &mut self.calls else {
            return ControlFlow::Continue(false);
        };
        let outbox = &mut self.outbox;
        let withdraw = |call| outbox.withdraw(|owner| owner.is_call(call)).is_some();
        match calls.expire(cx, withdraw) {
            Ok(false) => ControlFlow::Continue(false),
            Ok(true) => {
                self.start_calls();
                ControlFlow::Continue(true)
            }
            Err(Unresponsive) => ControlFlow::Break(self.unresponsive()),
        }
    }

    /// Notifies the owner of a message that the transport refused.
    pub(super) fn owned_refused(&mut self, owner: Owner, error: SendError) {
        match owner {
            Owner::OneWay(one_way @ OneWay::Awaited(_)) => {
                let error = CallError::refused(Refusal::Send(error));
                self.discard_one_way(one_way, error);
            }
            Owner::OneWay(one_way) => {
                self.refuse_one_way(one_way);
                self.send_refused(&error);
            }
            Owner::Call(call) => {
                if let Some(calls) = &mut self.calls {
                    calls.refuse(call, Refusal::Send(error));
                }
            }
        }
    }

    /// Discards a message of a handle that was refused. Those behind it are still sent.
    pub(super) fn refuse_one_way(&mut self, one_way: OneWay) {
        self.counts.discarded_sends += 1;
        one_way.finish(&self.association, Ok(()));
    }

    /// Discards a one-way message, for this reason.
    pub(super) fn discard_one_way(&mut self, one_way: OneWay, error: CallError) {
        self.counts.discarded_sends += 1;
        one_way.finish(&self.association, Err(error));
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

    /// Fails the calls that a restarted peer has lost, and resets the correlation.
    pub(super) fn restart_calls(&mut self) {
        if let Some(calls) = &mut self.calls {
            calls.restart(&self.info);
        }
    }

    /// Uses the call numbers of a client.
    pub(super) fn share_call_numbers(&mut self, numbers: CallNumbers) {
        if let Some(calls) = &mut self.calls {
            calls.share_numbers(numbers);
        }
    }

    /// Returns the cause with which calls fail at this end of the association.
    pub(super) fn cause_of(&self, end: &End) -> Cause {
        match &self.cause {
            Some(cause) => (**cause).clone(),
            None => Cause::from(end),
        }
    }

    /// Takes the cause with which calls fail when this end aborts.
    pub(super) fn cause_of_abort(&mut self) -> Cause {
        (**self.cause.get_or_insert_with(|| Box::new(Cause::Closed))).clone()
    }

    /// Counts the calls that failed because the association closed.
    pub(super) fn count_cut_off_calls(&mut self) {
        let cut_off = self.calls.as_ref().map(|calls| calls.cut_off());
        let (lost, unsent) = cut_off.unwrap_or_default();
        self.counts.lost_calls += lost;
        self.counts.unsent_calls += unsent;
    }
}
