//! Calls to the peer: requests of this end that wait for a reply.

mod deadlines;
mod entry;

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use sctp_core::{Reliability, SendFailed};
use sctp_tokio::{Message, Received};
use tokio::{task::coop, time::Instant};

use self::{
    deadlines::{Deadlines, Kind},
    entry::Entry,
};
use crate::{
    ConnectInfo,
    correlate::{Assigned, CallId, Class, Correlation, CorrelationState, IdMap, Placeholder},
    handle::{
        call::Waiter,
        error::{CallError, Cause, Fate, Refusal},
    },
    ready::poll_budget,
    timer::later,
};

/// Limits of calls.
#[derive(Clone, Debug)]
pub(crate) struct CallLimits {
    /// Timeout of a call. `None` means no timeout.
    pub(crate) timeout: Option<Duration>,
    /// The time for which the reply to a call that was given up is still expected.
    pub(crate) overdue_after: Duration,
    /// The number of such calls that are remembered where the correlation sets no limit.
    pub(crate) max_given_up: usize,
}

/// Number of the last call, shared by the associations of a client, two of which may make calls at
/// the same time.
pub(crate) type CallNumbers = Arc<AtomicU32>;

/// The calls of one association.
///
/// Cancelled calls are kept while their reply may still arrive, since it must not be taken for the
/// reply to another call. Their number is bounded by the correlation or by `max_given_up`, and the
/// time by `overdue_after`.
pub(crate) struct Calls {
    entries: IdMap<Entry>,
    /// The calls that wait for a stream or an identifier, the oldest first.
    waiting: VecDeque<CallId>,
    /// The calls that were given up after they were sent, the oldest first.
    given_up: VecDeque<CallId>,
    deadlines: Deadlines,
    /// The number of calls that are waited for.
    live: usize,
    /// The number of the last call, of a client on whichever of its associations.
    numbers: CallNumbers,
    /// The calls that were waited for when an end cut them off: sent, and not sent.
    lost: u64,
    unsent: u64,
    correlation: Box<dyn CorrelationState>,
    source: Correlation,
    limits: CallLimits,
}

/// Error: the peer replies on no stream any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unresponsive;

impl Calls {
    /// Makes no correlator yet; see [`begin`](Self::begin).
    pub(crate) fn new(source: &Correlation, limits: CallLimits) -> Self {
        Self {
            entries: IdMap::default(),
            waiting: VecDeque::new(),
            given_up: VecDeque::new(),
            deadlines: Deadlines::default(),
            live: 0,
            numbers: CallNumbers::default(),
            lost: 0,
            unsent: 0,
            correlation: Box::new(Placeholder),
            source: source.clone(),
            limits,
        }
    }

    /// Makes the correlator.
    pub(crate) fn begin(&mut self, info: &ConnectInfo) {
        self.correlation = self.source.state(info);
    }

    /// Takes the numbers of calls from those of a client.
    pub(crate) fn share_numbers(&mut self, numbers: CallNumbers) {
        self.numbers = numbers;
    }

    /// Returns the number of calls that are waited for.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Returns the calls that were cut off by an end while they were waited for: sent, not sent.
    pub(crate) fn cut_off(&self) -> (u64, u64) {
        (self.lost, self.unsent)
    }

    /// Accepts a call, which then waits for a stream or an identifier.
    ///
    /// A `deadline` overrides the configured timeout.
    pub(crate) fn submit(
        &mut self,
        mut message: Message,
        mut waiter: Waiter,
        deadline: Option<Instant>,
    ) {
        let call = self.next_id();
        message.info.context = call;
        let entry = Entry {
            queue_permit: waiter.queue_permit.take(),
            waiter: Some(waiter),
            stream: message.info.stream,
            can_expire: message.info.reliability != Reliability::Reliable,
            message: Some(message),
            is_sent: false,
            has_unsent_part: false,
            has_failed: false,
            is_late: false,
            due: None,
        };
        self.entries.insert(call, entry);
        self.waiting.push_back(call);
        self.live += 1;
        match (deadline, self.limits.timeout) {
            (Some(deadline), _) => self.set_due(call, Kind::Within, deadline),
            (None, Some(timeout)) => self.set_due_in(call, Kind::Timeout, timeout),
            (None, None) => {}
        }
    }

    /// Like [`start`](Self::start), for calls of handles alone.
    pub(crate) fn start_handshake(&mut self, send: impl FnMut(CallId, Message)) {
        let entries = &self.entries;
        let is_of_client = |call| {
            entries
                .get(&call)
                .is_some_and(|entry| entry.queue_permit.is_none())
        };
        let (held, now) = mem::take(&mut self.waiting)
            .into_iter()
            .partition(|call| is_of_client(*call));
        self.waiting = now;
        self.start(send);
        self.waiting.extend::<VecDeque<_>>(held);
    }

    /// Gives waiting calls their stream or identifier, and hands their messages to `send`.
    pub(crate) fn start(&mut self, mut send: impl FnMut(CallId, Message)) {
        // Off the list before it is stamped: a correlator that panics at a call must not get it again.
        while let Some(call) = self.waiting.pop_front() {
            let Some(entry) = self.entries.get_mut(&call) else {
                continue;
            };
            let Some(message) = &mut entry.message else {
                continue;
            };
            let assigned = self.correlation.assign(call, message);
            message.info.context = call;
            match assigned {
                Assigned::Later => return self.waiting.push_front(call),
                Assigned::Never(refusal) => {
                    self.remove(call, Err(CallError::refused(refusal)));
                }
                Assigned::Now => {
                    entry.stream = message.info.stream;
                    if let Some(message) = entry.message.take() {
                        send(call, message);
                    }
                }
            }
        }
    }

    /// Classifies a received message.
    pub(crate) fn classify(&mut self, received: &Received) -> Class {
        let entries = &self.entries;
        // A call that is not here was forgotten, and its late reply frees the stream.
        let is_sent = |call| entries.get(&call).is_none_or(|entry| entry.is_sent);
        self.correlation.classify(received, &is_sent)
    }

    /// Completes a call with its reply. Returns `false` if it is no longer waited for.
    pub(crate) fn complete(&mut self, call: CallId, reply: Received) -> bool {
        // The call may have been forgotten, but its stream is free only now.
        self.correlation.finish(call, reply.info.stream);
        let entry = self.entries.get(&call);
        let is_live = entry.is_some_and(|entry| entry.waiter.is_some());
        self.remove(call, Ok(reply));
        is_live
    }

    /// Fails a call that the transport refused.
    pub(crate) fn refuse(&mut self, call: CallId, refusal: Refusal) {
        self.fail(call, CallError::refused(refusal));
    }

    /// Checks that a one-way message may be sent as it is.
    pub(crate) fn check_one_way(&self, message: &Message) -> Result<(), Refusal> {
        self.correlation.check_one_way(message)
    }

    /// Records that the transport has taken the message of a call.
    pub(crate) fn sent(&mut self, call: CallId) {
        if let Some(entry) = self.entries.get_mut(&call) {
            entry.is_sent = true;
            entry.queue_permit = None;
        }
    }

    /// Records that the kernel gave up on a message.
    pub(crate) fn send_failed(&mut self, failed: &SendFailed) {
        let call = failed.context;
        let Some(entry) = self.entries.get_mut(&call) else {
            return;
        };
        // Without one of its fragments nothing of a message is delivered.
        entry.has_unsent_part |= !failed.sent;
        if !entry.can_expire {
            // The association is ending or restarts, which tells the reason.
            entry.has_failed = true;
            return;
        }
        if !failed.last_fragment {
            return;
        }
        match entry.fate() {
            Fate::NotSent => self.fail(call, CallError::not_sent(Cause::Expired)),
            Fate::Unknown => self.leave(call, Cause::Expired),
        }
    }

    /// Gives up calls that were dropped. `withdraw` takes a message back from the outbox and
    /// returns `true` if it was still there.
    pub(crate) fn give_up_dropped(&mut self, mut withdraw: impl FnMut(CallId) -> bool) {
        let is_dropped = |entry: &Entry| entry.waiter.as_ref().is_some_and(Waiter::is_gone);
        let dropped: Vec<CallId> = self
            .entries
            .iter()
            .filter(|(_, entry)| is_dropped(entry))
            .map(|(call, _)| *call)
            .collect();
        for call in dropped {
            self.give_up(call, Cause::Closed, &mut withdraw);
        }
    }

    /// Fails calls that have timed out, and forgets those whose reply is overdue. Returns `true` if
    /// there were any.
    ///
    /// # Errors
    ///
    /// Returns an error if the peer replies on no stream any more.
    pub(crate) fn expire(
        &mut self,
        cx: &mut Context<'_>,
        mut withdraw: impl FnMut(CallId) -> bool,
    ) -> Result<bool, Unresponsive> {
        let mut expired = false;
        // All may expire at once, so each takes part in the budget of the task.
        while poll_budget(cx).is_ready() {
            let entries = &self.entries;
            let is_current = |due, call| is_current(entries, due, call);
            let Some(call) = self.deadlines.poll_expired(cx, is_current) else {
                break;
            };
            if let Poll::Ready(progress) = coop::poll_proceed(cx) {
                progress.made_progress();
            }
            expired = true;
            let Some(entry) = self.entries.get_mut(&call) else {
                continue;
            };
            entry.due = None;
            if entry.waiter.is_some() {
                self.give_up(call, Cause::TimedOut, &mut withdraw);
            } else {
                self.forget(call)?;
            }
        }
        Ok(expired)
    }

    /// Adapts to a changed number of streams in both directions.
    pub(crate) fn set_streams(&mut self, streams: u16) {
        self.correlation.set_streams(streams);
    }

    /// Fails the calls that the peer lost when it restarted, and the waiting calls of handles,
    /// which belong to the association before the restart. Waiting calls of a client are made after
    /// the restart.
    ///
    /// A message may have been sent after the restart, but before this end was notified of it: its
    /// reply must not be taken for another.
    pub(crate) fn restart(&mut self, info: &ConnectInfo) {
        self.fail_where(&Cause::Restarted, |entry| {
            !entry.is_sent && (entry.message.is_none() || entry.queue_permit.is_some())
        });
        self.correlation = self.source.state(info);
        self.given_up.clear();
        let (correlation, mut left) = (&mut self.correlation, Vec::new());
        for (&call, entry) in &mut self.entries {
            entry.is_late =
                entry.may_survive_restart() && correlation.expect_late(call, entry.stream);
            if entry.is_late && entry.waiter.is_some() {
                left.push(call);
            }
        }
        self.lost += left.len() as u64;
        for call in left {
            self.leave(call, Cause::Restarted);
        }
        self.fail_where(&Cause::Restarted, |entry| {
            entry.message.is_none() && !entry.is_late
        });
    }

    /// Fails all calls that the transport has not taken.
    pub(crate) fn fail_unsent(&mut self, cause: &Cause) {
        self.fail_where(cause, |entry| !entry.is_sent);
    }

    /// Fails all calls.
    pub(crate) fn fail_all(&mut self, cause: &Cause) {
        self.fail_where(cause, |_| true);
    }

    fn next_id(&self) -> CallId {
        loop {
            let id = self.numbers.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if id != 0 && !self.entries.contains_key(&id) {
                return id;
            }
        }
    }

    /// Stops waiting for a call. A message that is still here is not sent; otherwise the reply may
    /// come and must be recognized.
    fn give_up(&mut self, call: CallId, cause: Cause, withdraw: &mut impl FnMut(CallId) -> bool) {
        let Some(entry) = self.entries.get(&call) else {
            return;
        };
        if entry.message.is_some() {
            self.remove(call, Err(CallError::not_sent(cause)));
        } else if !entry.is_sent && withdraw(call) {
            self.fail(call, CallError::not_sent(cause));
        } else {
            self.leave(call, cause);
        }
    }

    /// Fails a call whose reply may still come, and remembers it for that.
    fn leave(&mut self, call: CallId, cause: Cause) {
        let Some(entry) = self.entries.get_mut(&call) else {
            return;
        };
        let fate = entry.fate();
        if let Some(waiter) = entry.waiter.take() {
            self.live -= 1;
            waiter.finish(Err(CallError::new(cause, fate)));
        }
        self.set_due_in(call, Kind::Overdue, self.limits.overdue_after);
        if self.correlation.is_bounded() {
            return;
        }
        self.given_up.push_back(call);
        while self.given_up.len() > self.limits.max_given_up.max(1) {
            let oldest = self
                .given_up
                .pop_front()
                .filter(|call| self.is_given_up(*call));
            if let Some(oldest) = oldest {
                // Where the correlation sets no limit, giving up never leaves the peer
                // unresponsive.
                let _ = self.forget(oldest);
            }
        }
    }

    fn is_given_up(&self, call: CallId) -> bool {
        self.entries
            .get(&call)
            .is_some_and(|entry| entry.waiter.is_none())
    }

    /// Expects the reply to a call that was given up no longer.
    fn forget(&mut self, call: CallId) -> Result<(), Unresponsive> {
        let overdue = CallError::new(Cause::TimedOut, Fate::Unknown);
        match self.remove(call, Err(overdue)) {
            Some(entry) if !self.correlation.give_up(call, entry.stream) => Err(Unresponsive),
            _ => Ok(()),
        }
    }

    fn fail_where(&mut self, cause: &Cause, which: impl Fn(&Entry) -> bool) {
        let failing: Vec<CallId> = self
            .entries
            .iter()
            .filter(|(_, entry)| which(entry))
            .map(|(call, _)| *call)
            .collect();
        for call in failing {
            let Some(entry) = self.entries.get(&call) else {
                continue;
            };
            let fate = entry.fate();
            if entry.waiter.is_some() {
                match fate {
                    Fate::Unknown => self.lost += 1,
                    Fate::NotSent => self.unsent += 1,
                }
            }
            self.remove(call, Err(CallError::new(cause.clone(), fate)));
        }
    }

    /// Fails a call whose reply will never come.
    fn fail(&mut self, call: CallId, error: CallError) {
        if let Some(entry) = self.entries.get(&call) {
            self.correlation.finish(call, entry.stream);
            self.remove(call, Err(error));
        }
    }

    /// Removes a call.
    fn remove(&mut self, call: CallId, result: Result<Received, CallError>) -> Option<Entry> {
        let mut entry = self.entries.remove(&call)?;
        if let Some((kind, due)) = entry.due.take() {
            self.deadlines.unset(kind, due, call);
        }
        if entry.message.is_some() {
            self.waiting.retain(|waiting| *waiting != call);
        }
        if let Some(waiter) = entry.waiter.take() {
            self.live -= 1;
            waiter.finish(result);
        }
        Some(entry)
    }

    fn set_due_in(&mut self, call: CallId, kind: Kind, time: Duration) {
        self.set_due(call, kind, later(Instant::now(), time));
    }

    fn set_due(&mut self, call: CallId, kind: Kind, due: Instant) {
        let Some(entry) = self.entries.get_mut(&call) else {
            return;
        };
        if let Some((kind, old)) = entry.due.replace((kind, due)) {
            self.deadlines.unset(kind, old, call);
        }
        self.deadlines.set(kind, due, call);
        let entries = &self.entries;
        self.deadlines
            .prune(entries.len(), |due, call| is_current(entries, due, call));
    }
}

/// Returns `true` if a queued deadline is still that of its call.
fn is_current(entries: &IdMap<Entry>, due: Instant, call: CallId) -> bool {
    entries
        .get(&call)
        .is_some_and(|entry| entry.due.is_some_and(|(_, current)| current == due))
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Arc};

    use sctp_core::RecvInfo;
    use tokio::{
        sync::{Semaphore, oneshot},
        time::advance,
    };

    use super::*;
    use crate::correlate::ByStream;

    const LIMITS: CallLimits = CallLimits {
        timeout: Some(Duration::from_secs(30)),
        overdue_after: Duration::from_secs(30),
        max_given_up: 4,
    };

    type Reply = oneshot::Receiver<Result<Received, CallError>>;

    fn calls(streams: u16) -> Calls {
        let info = ConnectInfo::default().with_streams(streams, streams);
        let mut calls = Calls::new(&ByStream::new().into(), LIMITS);
        calls.begin(&info);
        calls
    }

    fn submit(calls: &mut Calls, permits: &Arc<Semaphore>) -> Reply {
        let (reply, result) = oneshot::channel();
        let permit = Arc::clone(permits).try_acquire_owned().unwrap();
        let waiter = Waiter {
            reply,
            permit,
            queue_permit: None,
        };
        calls.submit(Message::new("?"), waiter, None);
        result
    }

    fn start(calls: &mut Calls) -> Vec<(CallId, u16)> {
        let mut sent = Vec::new();
        calls.start(|call, message| sent.push((call, message.info.stream.get())));
        for (call, _) in &sent {
            calls.sent(*call);
        }
        sent
    }

    fn on_stream(stream: u16) -> Received {
        Received::new("!", RecvInfo::default().with_stream(stream))
    }

    async fn expire(calls: &mut Calls) -> Result<bool, Unresponsive> {
        poll_fn(|cx| Poll::Ready(calls.expire(cx, |_| false))).await
    }

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_streams_wait_for_one() {
        let (mut calls, permits) = (calls(3), Arc::new(Semaphore::new(9)));
        let mut replies: Vec<Reply> = (0..3).map(|_| submit(&mut calls, &permits)).collect();
        assert_eq!(start(&mut calls), [(1, 1), (2, 2)]);
        assert_eq!(calls.classify(&on_stream(2)), Class::Reply(2));
        assert!(calls.complete(2, on_stream(2)));
        assert!(replies[1].try_recv().unwrap().is_ok());
        assert_eq!(start(&mut calls), [(3, 2)]);
        assert_eq!((calls.live(), permits.available_permits()), (2, 7));
    }

    #[tokio::test(start_paused = true)]
    async fn reply_to_an_unsent_call_is_unexpected() {
        let (mut calls, permits) = (calls(3), Arc::new(Semaphore::new(9)));
        let _reply = submit(&mut calls, &permits);
        calls.start(|_, _| {});
        assert_eq!(calls.classify(&on_stream(1)), Class::Unexpected);
        calls.sent(1);
        assert_eq!(calls.classify(&on_stream(1)), Class::Reply(1));
    }

    #[tokio::test(start_paused = true)]
    async fn stream_of_an_overdue_call_stays_unused() {
        let (mut calls, permits) = (calls(3), Arc::new(Semaphore::new(9)));
        let mut reply = submit(&mut calls, &permits);
        assert_eq!(start(&mut calls), [(1, 1)]);
        advance(Duration::from_secs(30)).await;
        assert_eq!(expire(&mut calls).await, Ok(true));
        assert!(reply.try_recv().unwrap().is_err());
        assert_eq!((calls.live(), permits.available_permits()), (0, 9));
        advance(Duration::from_secs(30)).await;
        assert_eq!(expire(&mut calls).await, Ok(true));
        let _replies = [submit(&mut calls, &permits), submit(&mut calls, &permits)];
        assert_eq!(start(&mut calls), [(2, 2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn peer_that_answers_on_no_stream_is_unresponsive() {
        let (mut calls, permits) = (calls(2), Arc::new(Semaphore::new(9)));
        let _reply = submit(&mut calls, &permits);
        assert_eq!(start(&mut calls), [(1, 1)]);
        advance(Duration::from_secs(30)).await;
        assert_eq!(expire(&mut calls).await, Ok(true));
        advance(Duration::from_secs(30)).await;
        assert_eq!(expire(&mut calls).await, Err(Unresponsive));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_expire_at_once_leave_others_their_turn() {
        const COUNT: usize = 1000;
        let (mut calls, permits) = (calls(2), Arc::new(Semaphore::new(COUNT)));
        let _replies: Vec<Reply> = (0..COUNT).map(|_| submit(&mut calls, &permits)).collect();
        advance(Duration::from_secs(30)).await;
        let mut turns = 0;
        poll_fn(|cx| {
            turns += 1;
            assert_eq!(calls.expire(cx, |_| false), Ok(true));
            match calls.live() {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
        // The budget of a turn is 128.
        assert!(turns > 5, "{turns}");
    }

    #[tokio::test(start_paused = true)]
    async fn deadlines_are_bounded_while_the_oldest_call_waits() {
        let (mut calls, permits) = (calls(3), Arc::new(Semaphore::new(9)));
        let _slow = submit(&mut calls, &permits);
        for _ in 0..10_000 {
            let _reply = submit(&mut calls, &permits);
            for (call, stream) in start(&mut calls) {
                if call > 1 {
                    calls.complete(call, on_stream(stream));
                }
            }
        }
        assert!(calls.deadlines.queued() < 100);
        assert_eq!(expire(&mut calls).await, Ok(false));
        advance(Duration::from_secs(30)).await;
        assert_eq!(expire(&mut calls).await, Ok(true));
        assert_eq!(calls.live(), 0);
    }
}
