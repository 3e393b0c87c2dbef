//! Driver of one association, from its establishment to its end.

mod calling;
pub(crate) mod calls;
mod connection;
mod ending;
mod handshake;
mod lifecycle;
mod outbox;
mod queue_pool;
mod reading;
mod report;
mod requests;
mod state;
mod submissions;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    mem,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

pub(crate) use calls::CallNumbers;
use connection::Connection;
use ending::aborted;
use lifecycle::{Event, Phase, Step, step};
pub(crate) use requests::order::cost as request_cost;
use requests::{Requests, may_have_left_requests};
use sctp_core::AbortReason;
use sctp_tokio::End;
use state::{Exit, State, Transition, maker};
pub(crate) use state::{MakeFuture, Maker};
use tower_service::Service;

use crate::{
    Cause, Config, Correlation, IntoReply, MakeService, Request, Shutdown, Transport,
    drain_hook::DrainHook, event::EventHook, handle::StateOwner, timer::Timer,
};

/// Drives one association.
///
/// ```text
///               made              AfterAck, drained, idle         queue empty
///  Handshaking ------> Open ------------------------------> Flushing ----------> AwaitingAck
///     |    <----------  |                                     |                     |
///     |    restarted    |                                     |                     |
///     |                 | Abort(reason), panic,               | too long            | too long
///     | refused         | a reply that cannot be sent         v                     v
///     +---------------> +-----------------------------------> Aborting <------------+
///                       |                                     |
///                       | the peer's end                      | the end is read
///                       +------------> Closed <---------------+
/// ```
///
/// From each state but `Closed`, an abort by the peer or a loss leads there. The
/// [`lifecycle`] has all steps.
///
/// Leaving `Open` drops the service, its calls and the waiting requests, which are owned by that
/// state alone: a call cannot outlive its association, nor a permit its call.
pub(crate) struct Session<T, S: Service<Request>> {
    connection: Connection<T>,
    state: State<S>,
    make: Maker<S>,
    /// Bounds `Flushing`, `AwaitingAck` and `Aborting`, and `Handshaking` once the peer has gone.
    deadline: Timer,
    /// Bounds everything once the association is being drained.
    drain: Timer,
    /// Local abort reason.
    reason: Option<Box<AbortReason>>,
}

/// The outcome of a session.
pub(crate) struct Ended {
    pub(crate) end: End,
    /// The cause with which calls failed.
    pub(crate) cause: Cause,
}

impl<T, S> Session<T, S>
where
    T: Transport,
    S: Service<Request, Response: IntoReply, Error = Infallible>,
{
    pub(crate) fn new<M, K>(
        transport: T,
        make: M,
        config: Arc<Config>,
        events: EventHook,
        association: StateOwner,
        correlation: Option<&Correlation>,
    ) -> Self
    where
        M: MakeService<K, Service = S>,
    {
        let make = maker(make);
        Self::with_maker(transport, make, config, events, association, correlation)
    }

    pub(crate) fn with_maker(
        transport: T,
        make: Maker<S>,
        config: Arc<Config>,
        events: EventHook,
        association: StateOwner,
        correlation: Option<&Correlation>,
    ) -> Self {
        Self {
            connection: Connection::new(transport, config, events, association, correlation),
            state: State::Handshaking(None),
            make,
            deadline: Timer::default(),
            drain: Timer::default(),
            reason: None,
        }
    }

    /// Discards unsolicited messages, and never calls the service.
    pub(crate) fn without_service(mut self) -> Self {
        self.connection.is_served = false;
        self
    }

    /// Uses the call numbers of a client.
    pub(crate) fn with_call_numbers(mut self, numbers: CallNumbers) -> Self {
        self.connection.share_call_numbers(numbers);
        self
    }

    /// Sets the function of `on_drain`.
    pub(crate) fn with_drain_hook(mut self, drain_hook: Option<DrainHook>) -> Self {
        self.connection.drain_hook = drain_hook;
        self
    }

    /// Runs the association to its end, reports both, and does `then` with the end.
    ///
    /// No `async fn`: that would have the session twice, as what it was called with and as what it
    /// runs. For the same reason it takes `then`, and is not awaited in a block of the caller's.
    #[expect(
        clippy::manual_async_fn,
        reason = "it takes less memory, as said above"
    )]
    pub(crate) fn run<R>(
        mut self,
        then: impl FnOnce(Ended) -> R + Send,
    ) -> impl Future<Output = R> + Send
    where
        S: Send,
        S::Future: Send,
    {
        async move {
            self.connection.report_up();
            self.begin();
            let drain = self.connection.association.drain().clone();
            let urgent = self.connection.association.urgent_drain().clone();
            let mut signal = pin!(drain.cancelled());
            let mut signalled = false;
            let mut is_urgent = false;
            let mut registered: Option<Waker> = None;
            let (session, drain, urgent) = (&mut self, &drain, &urgent);
            // It takes what it alone needs, so that the future does not have a pointer to each too.
            let end = poll_fn(move |cx| {
                // To register costs more than to look, and with the next poll nothing has changed.
                let known = registered.as_ref();
                let is_new = known.is_none_or(|waker| !waker.will_wake(cx.waker()));
                if is_new {
                    registered = Some(cx.waker().clone());
                    session.connection.association.register(cx.waker());
                }
                if !signalled {
                    signalled = match is_new {
                        true => signal.as_mut().poll(cx).is_ready(),
                        false => drain.is_cancelled(),
                    };
                    if signalled {
                        session.connection.association.redirect_calls();
                        is_urgent = urgent.is_cancelled();
                        session.drain(is_urgent);
                        signal.set(urgent.cancelled());
                    }
                }
                if signalled && !is_urgent {
                    is_urgent = signal.as_mut().poll(cx).is_ready();
                    if is_urgent {
                        session.hurry();
                    }
                }
                session.poll(cx)
            })
            .await;
            self.connection.count_cut_off_calls();
            self.connection.report_closed(&end, self.reason.as_deref());
            then(Ended {
                cause: self.connection.cause_of(&end),
                end,
            })
        }
    }

    /// Creates the correlator, which is user code.
    fn begin(&mut self) {
        let connection = &mut self.connection;
        let begun = catch_unwind(AssertUnwindSafe(|| connection.begin_calls()));
        if let Err(panic) = begun {
            let exit = self.connection.panicked(&*panic);
            self.apply(Transition::Exit(exit));
        }
    }

    /// Shuts the association down once all requests that have arrived are answered. Its age alone
    /// is not urgent.
    fn drain(&mut self, is_urgent: bool) {
        let config = &self.connection.config;
        let timeout = match config.max_association_age_grace {
            Some(grace) if !is_urgent => grace,
            _ => config.drain_timeout,
        };
        self.drain.set_in(timeout);
        if let State::Open(requests) = &mut self.state {
            requests.drain(timeout, &self.connection);
        }
    }

    /// Bounds a drain that has begun like one that is urgent.
    fn hurry(&mut self) {
        let timeout = self.connection.config.drain_timeout;
        if self.drain.is_set() {
            self.drain.set_within(timeout);
        }
        if let State::Open(requests) = &mut self.state {
            requests.hurry_drain(timeout);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if let State::Closed(end) = &self.state {
                return Poll::Ready(end.as_ref().clone());
            }
            // The lines of the user's that an association runs are below this one: readiness, calls,
            // futures, streams and their destructors, and correlators.
            let polled = catch_unwind(AssertUnwindSafe(|| self.poll_state(cx)));
            self.connection.note_message();
            let transition = match polled {
                Ok(polled) => ready!(polled),
                Err(panic) => Transition::Exit(self.connection.panicked(&*panic)),
            };
            self.apply(transition);
        }
    }

    fn poll_state(&mut self, cx: &mut Context<'_>) -> Poll<Transition> {
        if let Some(exit) = self.poll_deadlines(cx).or_else(|| self.requested_exit()) {
            return Poll::Ready(Transition::Exit(exit));
        }
        match &mut self.state {
            State::Handshaking(future) => {
                let future =
                    future.get_or_insert_with(|| (self.make)(self.connection.begin_handshake()));
                match future.as_mut().poll(cx) {
                    Poll::Ready(Ok(service)) => {
                        self.open(service);
                        return Poll::Ready(Transition::Opened);
                    }
                    Poll::Ready(Err(shutdown)) => {
                        return Poll::Ready(Transition::Exit(Exit::Shutdown(shutdown)));
                    }
                    Poll::Pending => {}
                }
                // A drain does not wait for a service that takes its time.
                if self.drain.is_set() {
                    let exit = Exit::Shutdown(Shutdown::AfterAck);
                    return Poll::Ready(Transition::Exit(exit));
                }
                if let ControlFlow::Break(exit) = self.connection.poll_handshake(cx) {
                    return Poll::Ready(Transition::Exit(exit));
                }
                if let ControlFlow::Break(exit) = self.connection.limit_handshake(cx) {
                    return Poll::Ready(Transition::Exit(exit));
                }
                self.poll_gone(cx).map(Transition::Exit)
            }
            State::Open(requests) => requests
                .poll(cx, &mut self.connection)
                .map(Transition::Exit),
            State::Flushing => {
                if let ControlFlow::Break(exit) = self.connection.flush(cx) {
                    return Poll::Ready(Transition::Exit(exit));
                }
                if self.connection.is_flushed() {
                    return Poll::Ready(Transition::Flushed);
                }
                self.poll_discard(cx)
            }
            State::AwaitingAck | State::Aborting => self.poll_discard(cx),
            State::Closed(_) => Poll::Pending,
        }
    }

    /// Checks whether the peer has left while the service is being made.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        if self.deadline.is_set() {
            return Poll::Pending;
        }
        match ready!(self.connection.transport.poll_closed(cx)) {
            // Its earlier requests are still served, for a limited time.
            end if may_have_left_requests(&end) => {
                self.deadline
                    .set_in(self.connection.config.shutdown_timeout);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            end => Poll::Ready(Exit::Ended(end)),
        }
    }

    /// Takes the shutdown that a handle requested, unless the association is already closing.
    fn requested_exit(&mut self) -> Option<Exit> {
        if !self.connection.has_requested_shutdown() {
            return None;
        }
        let shutdown = self.connection.take_requested_shutdown()?;
        let event = Event::from(&shutdown);
        (step(self.phase(), event) != Step::Stay).then_some(Exit::Shutdown(shutdown))
    }

    fn phase(&self) -> Phase {
        match &self.state {
            State::Handshaking(_) => Phase::Handshaking,
            State::Open(requests) => requests.phase(),
            State::Flushing => Phase::Flushing,
            State::AwaitingAck => Phase::AwaitingAck,
            State::Aborting => Phase::Aborting,
            State::Closed(_) => Phase::Closed,
        }
    }

    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Option<Exit> {
        if self.drain.poll_elapsed(cx)
            && let Step::AbortWith(reason) = step(self.phase(), Event::DrainOverdue)
        {
            return Some(Exit::abort(reason));
        }
        if !self.deadline.poll_elapsed(cx) {
            return None;
        }
        match step(self.phase(), Event::Overdue) {
            Step::AbortWith(reason) => Some(Exit::abort(reason)),
            Step::Close => Some(Exit::Ended(aborted())),
            _ => None,
        }
    }

    /// Serves requests with the service that was made.
    fn open(&mut self, service: S) {
        self.deadline.clear();
        self.connection.association.open();
        self.connection.report_open();
        let mut requests = Requests::new(service, &mut self.connection);
        if self.drain.is_set() {
            requests.drain(self.connection.config.drain_timeout, &self.connection);
        }
        self.enter(State::Open(Box::new(requests)));
        // Those of a client that a restart of the peer left.
        self.connection.start_calls();
    }

    fn apply(&mut self, transition: Transition) {
        match transition {
            Transition::Opened => {}
            Transition::Flushed => {
                self.start_shutdown();
                self.enter(State::AwaitingAck);
            }
            Transition::Exit(Exit::Shutdown(Shutdown::AfterAck)) => {
                self.connection.begin_end();
                self.connection.fail_unsent_calls(&Cause::Closed);
                self.deadline
                    .set_in(self.connection.config.shutdown_timeout);
                self.enter(State::Flushing);
            }
            Transition::Exit(Exit::Shutdown(Shutdown::Abort(reason))) => self.abort(reason),
            Transition::Exit(Exit::Restarted) => self.restart(),
            Transition::Exit(Exit::Ended(end)) => self.close(end),
        }
    }

    /// Fails the remaining calls. The handles are already closed.
    fn close(&mut self, end: End) {
        let cause = self.connection.cause_of(&end);
        self.connection.end_handles(&end, &cause);
        self.connection.discard_outbox(&cause);
        self.connection.fail_calls(&cause);
        self.enter(State::Closed(Box::new(end)));
    }

    /// Changes the state, and drops the old one, whose user-defined destructors may panic.
    fn enter(&mut self, state: State<S>) {
        if let State::Open(requests) = &mut self.state {
            requests.leave(&mut self.connection);
        }
        self.connection.abandon_handshake();
        // Every other state reads, or says so itself.
        self.connection.note_reading(true);
        let old = mem::replace(&mut self.state, state);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(old))) {
            // The association is already closing, so nothing else has to be done.
            let _ = self.connection.panicked(&*panic);
        }
    }

    /// Restarts the session for a restarted peer: replies to earlier requests are discarded, and
    /// the service is made again, after a handshake.
    fn restart(&mut self) {
        let event = match self.drain.is_set() {
            true => Event::RestartedInDrain,
            false => Event::Restarted,
        };
        match step(self.phase(), event) {
            Step::Flush => self.apply(Transition::Exit(Exit::Shutdown(Shutdown::AfterAck))),
            Step::Start => {
                self.enter(State::Handshaking(None));
                self.connection.expect_handshake();
            }
            _ => {}
        }
    }
}
