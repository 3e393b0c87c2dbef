//! The life of one association, from its coming up to its end.

mod calls;
mod lanes;
mod link;
pub(crate) mod reasons;
mod report;
mod serving;
mod spare;
mod state;
pub(crate) mod timer;
mod wake;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io, mem,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use link::{Inbound, Link};
use sctp_core::{AbortReason, ErrorCauses};
use sctp_tokio::{End, Side};
use serving::{Serving, may_have_left_requests};
use state::{Exit, Maker, State, Transition, maker};
use timer::Timer;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::{
    Config, Drain, IntoReply, MakeService, Request, Shutdown, Transport, event::EventHook,
};

/// How long to wait for the transport's word that our own abort has ended the association. It
/// comes at once; without it the end is known all the same.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// How many messages one poll discards at most before other tasks have their turn.
const DISCARDS_PER_POLL: usize = 64;

/// Drives one association.
///
/// ```text
///            made                 AfterAck, drained, idle         queue empty
///  Starting ------> Serving ---------------------------> Flushing ----------> AwaitingAck
///     |    <--------  |                                     |                     |
///     |    restarted  |                                     |                     |
///     |               | Abort(reason), panic,               | too long            | too long
///     | refused       | a reply that cannot be sent         v                     v
///     +-------------> +-----------------------------------> Aborting <------------+
///                     |                                     |
///                     | the peer's end                      | the end is heard
///                     +------------> Closed <---------------+
/// ```
///
/// Leaving `Serving` drops the service, its calls and the requests that wait, since they live in
/// that state and nowhere else: a call cannot outlive its association, nor a permit its call.
pub(crate) struct Driver<T, S: Service<Request>> {
    link: Link<T>,
    state: State<S>,
    make: Maker<S>,
    /// Bounds `Flushing`, `AwaitingAck` and `Aborting`, and `Starting` once the peer has gone.
    deadline: Timer,
    /// Bounds everything once the server is shutting down.
    drain: Timer,
    /// The reason that this end gave.
    reason: Option<AbortReason>,
}

impl<T, S> Driver<T, S>
where
    T: Transport,
    S: Service<Request, Response: IntoReply, Error = Infallible>,
{
    pub(crate) fn new<M, K>(transport: T, make: M, config: Arc<Config>, events: EventHook) -> Self
    where
        M: MakeService<K, Service = S>,
    {
        let link = Link::new(transport, config, events);
        let mut make = maker(make);
        Self {
            state: State::Starting(make(link.info.clone())),
            link,
            make,
            deadline: Timer::default(),
            drain: Timer::default(),
            reason: None,
        }
    }

    /// Runs the association to its end, and reports both.
    pub(crate) async fn run(mut self, drain: CancellationToken) -> End {
        self.link.drain = Drain::new(drain.clone());
        self.link.report_up();
        let mut signal = pin!(drain.cancelled());
        let mut signalled = false;
        let end = poll_fn(|cx| {
            if !signalled && signal.as_mut().poll(cx).is_ready() {
                signalled = true;
                self.drain();
            }
            self.poll(cx)
        })
        .await;
        self.link.report_closed(&end, self.reason.as_ref());
        end
    }

    /// Shuts the association down in order, once what has been read is answered.
    fn drain(&mut self) {
        self.drain.set_in(self.link.config.drain_timeout);
        match &mut self.state {
            State::Starting(_) => self.apply(Transition::Exit(Exit::Shutdown(Shutdown::AfterAck))),
            State::Serving(serving) => serving.drain(),
            _ => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if let State::Closed(end) = &self.state {
                return Poll::Ready(end.clone());
            }
            // Every line of the user's that an association runs is below this one: readiness,
            // calls, futures, streams and their destructors.
            let polled = catch_unwind(AssertUnwindSafe(|| self.poll_state(cx)));
            let transition = match polled {
                Ok(polled) => ready!(polled),
                Err(panic) => Transition::Exit(self.link.panicked(&*panic)),
            };
            self.apply(transition);
        }
    }

    fn poll_state(&mut self, cx: &mut Context<'_>) -> Poll<Transition<S>> {
        if let Some(exit) = self.poll_deadlines(cx) {
            return Poll::Ready(Transition::Exit(exit));
        }
        match &mut self.state {
            State::Starting(making) => match making.as_mut().poll(cx) {
                Poll::Ready(made) => Poll::Ready(made.into()),
                Poll::Pending => self.poll_gone(cx).map(Transition::Exit),
            },
            State::Serving(serving) => serving.poll(cx, &mut self.link).map(Transition::Exit),
            State::Flushing => {
                if let ControlFlow::Break(exit) = self.link.flush(cx) {
                    return Poll::Ready(Transition::Exit(exit));
                }
                if self.link.is_flushed() {
                    return Poll::Ready(Transition::Flushed);
                }
                self.poll_discard(cx).map(Transition::Exit)
            }
            State::AwaitingAck | State::Aborting => self.poll_discard(cx).map(Transition::Exit),
            State::Closed(_) => Poll::Pending,
        }
    }

    /// Looks whether the peer is gone, and needs the service no more that is being made.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        if self.deadline.is_set() {
            return Poll::Pending;
        }
        match ready!(self.link.transport.poll_ended(cx)) {
            // What it sent before it went is still to be served, but not for ever.
            end if may_have_left_requests(&end) => {
                self.deadline.set_in(self.link.config.shutdown_timeout);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            end => Poll::Ready(Exit::Ended(end)),
        }
    }

    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Option<Exit> {
        let aborting = matches!(self.state, State::Aborting);
        if self.drain.poll_elapsed(cx) && !aborting {
            return Some(Exit::abort(&reasons::SERVER_SHUTTING_DOWN));
        }
        if !self.deadline.poll_elapsed(cx) {
            return None;
        }
        Some(if aborting {
            Exit::Ended(aborted())
        } else {
            Exit::abort(&reasons::SHUTDOWN_TIMED_OUT)
        })
    }

    /// Reads until the end: not to read would be not to hear of it.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        for _ in 0..DISCARDS_PER_POLL {
            match ready!(self.link.poll_inbound(cx)) {
                Inbound::Message(_) => self.link.counts.discarded_requests += 1,
                Inbound::Ended(end) => return Poll::Ready(Exit::Ended(end)),
                // What follows an error is the end.
                Inbound::Failed(error) => tracing::debug!(%error, "receiving failed"),
                // The peer's new life does not know of the end that was begun.
                Inbound::Restarted if matches!(self.state, State::AwaitingAck) => {
                    self.start_shutdown()
                }
                Inbound::Restarted | Inbound::PeerShutdown | Inbound::Other => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn apply(&mut self, transition: Transition<S>) {
        match transition {
            Transition::Made(service) => {
                self.deadline.clear();
                let serving = Serving::new(service, &self.link);
                self.enter(State::Serving(Box::new(serving)));
            }
            Transition::Flushed => {
                self.start_shutdown();
                self.enter(State::AwaitingAck);
            }
            Transition::Exit(Exit::Shutdown(Shutdown::AfterAck)) => {
                self.deadline.set_in(self.link.config.shutdown_timeout);
                self.enter(State::Flushing);
            }
            Transition::Exit(Exit::Shutdown(Shutdown::Abort(reason))) => self.abort(reason),
            Transition::Exit(Exit::Restarted) => self.restart(),
            Transition::Exit(Exit::Ended(end)) => {
                self.link.discard_outbox();
                self.enter(State::Closed(end));
            }
        }
    }

    /// Changes the state, and drops what lived in the old one: destructors of the user's, which
    /// may panic.
    fn enter(&mut self, state: State<S>) {
        if let State::Serving(serving) = &mut self.state {
            serving.leave(&mut self.link);
        }
        let old = mem::replace(&mut self.state, state);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(old))) {
            // It is on its way out already: there is nothing more to be done about it.
            let _ = self.link.panicked(&*panic);
        }
    }

    /// Leaves the peer's earlier life behind: its calls, whose replies it would not understand,
    /// and the service with what it knew about it. Who was let in then is let in anew.
    fn restart(&mut self) {
        if self.drain.is_set() {
            return self.apply(Transition::Exit(Exit::Shutdown(Shutdown::AfterAck)));
        }
        let making = (self.make)(self.link.info.clone());
        self.enter(State::Starting(making));
    }

    fn start_shutdown(&mut self) {
        if let Err(error) = self.link.transport.start_shutdown() {
            // Gone already, and reading will tell; or stuck, and the deadline will.
            tracing::debug!(%error, "cannot begin the shutdown");
        }
    }

    fn abort(&mut self, reason: AbortReason) {
        self.link.discard_outbox();
        let state = match self.link.transport.abort(&reason) {
            Ok(()) => State::Aborting,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(%reason, "this kind of socket cannot send a reason, aborting without");
                State::Closed(aborted())
            }
            Err(error) => {
                tracing::debug!(%error, "cannot abort");
                State::Aborting
            }
        };
        self.reason = Some(reason);
        self.deadline.set_in(ABORT_GRACE);
        self.enter(state);
    }
}

/// The end that an abort of our own is.
fn aborted() -> End {
    End::Aborted {
        by: Side::Local,
        causes: ErrorCauses::default(),
    }
}
