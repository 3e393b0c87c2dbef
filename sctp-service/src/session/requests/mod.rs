//! The state in which requests are served.

mod draining;
pub(super) mod order;
mod reply;
mod slots;
mod waiting;
mod wake;

use std::{
    convert::Infallible,
    ops::ControlFlow,
    task::{Context, Poll},
    time::Duration,
};

use draining::Draining;
use order::Order;
use sctp_core::StreamId;
use sctp_tokio::{End, Received};
use slots::{InFlight, Slots};
use tokio::{task::coop, time::Instant};
use tower_service::Service;

use super::{
    Exit,
    connection::{Connection, Inbound},
    lifecycle::{Event, Phase, Step, step},
    reading::{Ending, Load, may_read},
};
pub(super) use waiting::may_have_left_requests;

use crate::{
    Cause, IntoReply, Request, Shutdown, Transport,
    jitter::random,
    ready::{poll_budget, poll_ready_with_budget},
    timer::Timer,
};

/// Maximum number of rounds of one poll before it yields. A round polls one call, starts one, and
/// reads one message.
const ROUNDS_PER_POLL: usize = 32;

/// Practically unlimited duration, which can be multiplied without overflow.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Reads requests, calls the service, and queues the replies.
///
/// # Backpressure
///
/// The session reads one message, and the next one only when the service has accepted it. It does
/// not call `poll_ready` before it has a message: readiness can be a reservation (a permit of a
/// concurrency limit, a place in a buffer), and idle associations that share such a limit would
/// otherwise hold all of it and starve the others. For the same reason, readiness that was waited
/// for is used at once, even if the send queue is full: otherwise a peer that does not read would
/// keep the permit from the others.
pub(super) struct Requests<S: Service<Request>> {
    service: S,
    order: Order,
    slots: Slots<S::Future>,
    /// The number of requests since the association came up or restarted.
    number: u64,
    /// Set while the server, or this association, is being drained.
    draining: Option<Box<Draining>>,
    /// `poll_ready` was called and is pending. Readiness may be a reservation, which must not be
    /// left unused.
    is_asked: bool,
    /// An end was seen without reading, so messages queued before it are still to be read.
    has_seen_end: bool,
    /// The end of the association, once all messages are read.
    end: Option<Box<End>>,
    /// Bounds the peer's last requests after it has shut down.
    grace: Timer,
    /// Bounds the wait for a SHUTDOWN that the peer has announced.
    shutdown_wait: Timer,
    idle: Timer,
    idle_since: Instant,
    /// Time until the association is drained because of its age.
    age: Timer,
    /// There was something to do since `idle_since`.
    was_busy: bool,
    /// Calls wait for replies behind more requests than may be read ahead.
    is_held_back: bool,
    /// The transport was asked for a message in the last round.
    is_reading: bool,
}

impl<S> Requests<S>
where
    S: Service<Request, Response: IntoReply, Error = Infallible>,
{
    pub(super) fn new<T: Transport>(service: S, connection: &mut Connection<T>) -> Self {
        let mut idle = Timer::default();
        if let Some(timeout) = connection.config.idle_timeout {
            idle.set_in(timeout);
        }
        let mut age = Timer::default();
        if let Some(max) = connection.config.max_association_age {
            // So that associations that came up together do not all come back together.
            age.set_in(max.min(FOR_EVER).mul_f64(0.9 + 0.2 * random()));
        }
        // Numbers begin anew.
        connection.released = None;
        let mut this = Self {
            service,
            order: Order::new(connection.config.request_order),
            slots: Slots::new(),
            number: 0,
            draining: None,
            is_asked: false,
            has_seen_end: false,
            end: None,
            grace: Timer::default(),
            shutdown_wait: Timer::default(),
            idle,
            idle_since: Instant::now(),
            age,
            was_busy: false,
            is_held_back: false,
            is_reading: true,
        };
        if let Some(state) = connection.handshake.take() {
            for request in state.handshake.finish() {
                if let Some(request) = this.take(request, connection) {
                    this.order.push(request);
                }
            }
            if state.is_shut_down {
                this.peer_shut_down(connection);
            }
            this.end = state.end.map(Box::new);
        }
        this
    }

    /// Reads what has arrived, and is done when that is answered, for which there is this time.
    pub(super) fn drain<T>(&mut self, timeout: Duration, connection: &Connection<T>) {
        // The peer has announced its SHUTDOWN.
        let drain_hook = connection.drain_hook.clone();
        let drain_hook = drain_hook.filter(|_| !self.shutdown_wait.is_set());
        self.draining = Some(Box::new(match connection.is_served {
            true => Draining::new(timeout, drain_hook),
            false => Draining::without_reading(timeout, drain_hook),
        }));
    }

    /// Bounds a drain that has begun to this time from now.
    pub(super) fn hurry_drain(&mut self, timeout: Duration) {
        if let Some(draining) = &mut self.draining {
            draining.hurry(timeout);
        }
    }

    /// Returns `true` if nothing more is read, since the association is being drained.
    fn is_drained(&self) -> bool {
        self.draining.as_ref().is_some_and(|it| it.is_done())
    }

    /// Leaves this state for a shutdown by a handler or a handle, unless the association has
    /// already closed.
    fn shut_down(&self, shutdown: Shutdown) -> ControlFlow<Exit> {
        match step(self.phase(), Event::from(&shutdown)) {
            Step::Stay => ControlFlow::Continue(()),
            _ => ControlFlow::Break(Exit::Shutdown(shutdown)),
        }
    }

    /// Counts what is dropped when this state is left.
    pub(super) fn leave<T>(&mut self, connection: &mut Connection<T>) {
        connection.counts.discarded_requests += self.order.len() as u64;
        connection.counts.dropped_calls += self.slots.len() as u64;
    }

    /// Works until there is nothing left to do, or the limit of rounds is reached.
    pub(super) fn poll<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> Poll<Exit> {
        match self.run(cx, connection) {
            ControlFlow::Continue(()) => {
                self.slots.register(cx.waker());
                Poll::Pending
            }
            ControlFlow::Break(exit) => {
                // Earlier requests of this batch were answered. Were the last one to abort, their
                // replies would be discarded only because they were to be sent together; so what
                // there is room for goes out first.
                Poll::Ready(match connection.flush(cx) {
                    // A reply that cannot be sent is no orderly end, whoever asked for one.
                    ControlFlow::Break(refused) if exit.is_orderly() => refused,
                    _ => exit,
                })
            }
        }
    }

    fn run<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        if let Some(draining) = &mut self.draining {
            draining.poll_hook(cx, || connection.handle());
        }
        for _ in 0..ROUNDS_PER_POLL {
            // Without budget all that is tokio's looks as if it were not ready.
            if !coop::has_budget_remaining() {
                break;
            }
            // Replies are sent when a batch of requests is done, so that they can share packets.
            if self.round(cx, connection)? {
                continue;
            }
            let has_work = self.flush(cx, connection)?;
            self.check_done(connection)?;
            if !has_work && !self.wait(cx, connection)? {
                return ControlFlow::Continue(());
            }
        }
        self.flush(cx, connection)?;
        // A call that never rests must not keep the end and the deadlines from being seen.
        self.wait(cx, connection)?;
        cx.waker().wake_by_ref();
        ControlFlow::Continue(())
    }

    /// Sends as many messages as there is room for. Returns `true` if that created further work.
    fn flush<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit, bool> {
        let was_full = connection.is_full();
        let had_outgoing = self.draining.is_some() && connection.has_outgoing();
        connection.flush(cx)?;
        let has_room = was_full && !connection.is_full();
        if has_room {
            self.slots.unpark();
        }
        // A drain has to look for messages again before it rests, or nothing would wake it.
        let is_quiet = had_outgoing && !connection.has_outgoing();
        ControlFlow::Continue(has_room || is_quiet)
    }

    /// Polls one call that was woken, reads one message, and starts one call: each source of work
    /// has its turn. Returns `true` if there was work.
    fn round<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit, bool> {
        let mut worked = false;
        if let Some(released) = connection.released.take() {
            worked = true;
            self.release_turns(&released);
        }
        if let Some(index) = self.slots.pop_woken() {
            worked = true;
            self.poll_call(index, connection)?;
            self.check_requested_shutdown(connection)?;
        }
        // In this order a message that was read is served in the same round.
        worked |= self.read(cx, connection)?;
        worked |= self.dispatch(cx, connection)?;
        ControlFlow::Continue(worked)
    }

    /// Calls the service with the next request, if both are ready.
    fn dispatch<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit, bool> {
        if !self.order.has_ready() {
            return ControlFlow::Continue(false);
        }
        if !self.is_service_ready(cx, connection) {
            return ControlFlow::Continue(false);
        }
        let Some(request) = self.order.pop() else {
            return ControlFlow::Continue(false);
        };
        let lane = self.order.lane(request.info());
        self.call(request, lane, connection)?;
        ControlFlow::Continue(true)
    }

    /// Serves a request that was just read: at once if nothing is before it, so that it needs no place
    /// in the order.
    fn serve<T: Transport>(
        &mut self,
        request: Request,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        let lane = self.order.lane(request.info());
        // Discarded as long as it is neither called nor in the order, should `poll_ready` panic.
        connection.counts.discarded_requests += 1;
        let is_next = self.order.is_free(lane) && self.is_service_ready(cx, connection);
        connection.counts.discarded_requests -= 1;
        if !is_next {
            self.order.push(request);
            return ControlFlow::Continue(());
        }
        let index = self.call(request, None, connection)?;
        if let Some(lane) = lane
            && let Some(in_flight) = self.slots.in_flight(index)
        {
            in_flight.lane = Some(lane);
            self.order.occupy(lane);
        }
        ControlFlow::Continue(())
    }

    /// Polls the service for readiness, if there is room for a call and its reply.
    fn is_service_ready<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &Connection<T>,
    ) -> bool {
        // Calls only finish while the service is asked, so their limit holds. The limit of the
        // send queue is exceeded by one reply at most.
        let has_room = (self.slots.is_empty()
            || self.slots.len() < connection.config.max_in_flight)
            && !connection.is_full();
        if !(has_room || self.is_asked) || poll_budget(cx).is_pending() {
            return false;
        }
        match poll_ready_with_budget(&mut self.service, cx) {
            Poll::Pending => {
                self.is_asked = true;
                false
            }
            Poll::Ready(Ok(())) => {
                self.is_asked = false;
                true
            }
            Poll::Ready(Err(never)) => match never {},
        }
    }

    /// Calls the ready service, and polls the call once: most handlers answer at once, and so need no
    /// second round. Returns the slot of the call.
    fn call<T: Transport>(
        &mut self,
        request: Request,
        lane: Option<StreamId>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit, usize> {
        let in_flight = InFlight {
            number: request.number(),
            lane,
            reply_to: request.info().reply(),
            ending: None,
        };
        let index = self.slots.start(self.service.call(request), in_flight);
        self.poll_call(index, connection)?;
        self.check_requested_shutdown(connection)?;
        ControlFlow::Continue(index)
    }

    /// Reads the next event, unless reading is suspended by backpressure.
    fn read<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit, bool> {
        self.is_reading = self.may_read(connection);
        if !self.is_reading {
            return ControlFlow::Continue(false);
        }
        let Poll::Ready(event) = connection.transport.poll_next_event(cx) else {
            // Without budget the queue only looks empty. While calls and messages of this end are
            // under way, so is the association, and what the peer sends is served.
            if let Some(draining) = &mut self.draining
                && coop::has_budget_remaining()
                && !connection.has_outgoing()
            {
                draining.found_nothing(cx);
            }
            return ControlFlow::Continue(false);
        };
        if let Some(draining) = &mut self.draining {
            draining.found();
        }
        // Here, not behind `inbound`: a message would be moved through it.
        if let Ok(sctp_tokio::Event::Message(received)) = event {
            connection.note_received();
            self.received(received, cx, connection)?;
            return ControlFlow::Continue(true);
        }
        match connection.inbound(event) {
            // Taken above.
            Inbound::Message(received) => self.received(received, cx, connection)?,
            Inbound::Restarted => return ControlFlow::Break(Exit::Restarted),
            Inbound::PeerShutdown => self.peer_shut_down(connection),
            Inbound::Ended(end) if end.is_orderly() => {
                self.peer_shut_down(connection);
                // Every reply that there is was read before.
                connection.fail_calls(&Cause::from(&end));
                self.end = Some(Box::new(end));
            }
            Inbound::Ended(end) => return ControlFlow::Break(Exit::Ended(end)),
            Inbound::Failed(error) => return ControlFlow::Break(connection.receive_failed(&error)),
            Inbound::Other => {}
        }
        ControlFlow::Continue(true)
    }

    /// Serves a message, unless it is a reply.
    fn received<T: Transport>(
        &mut self,
        received: Received,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        if let Some(received) = connection.classify(received)?
            && let Some(request) = self.take(received, connection)
        {
            self.serve(request, cx, connection)?;
        }
        ControlFlow::Continue(())
    }

    fn may_read<T: Transport>(&self, connection: &Connection<T>) -> bool {
        let load = Load {
            has_ready: self.order.has_ready(),
            held: self.order.held(),
            cost: self.order.cost(),
            is_full: connection.is_full(),
            is_drained: self.is_drained(),
            is_awaited: connection.waits_for_reply(),
            end: match self.end {
                Some(_) => Ending::Read,
                None if self.has_seen_end => Ending::Seen,
                None => Ending::Unknown,
            },
        };
        may_read(load, connection.reading_limits())
    }

    /// Returns the phase of the association.
    pub(super) fn phase(&self) -> Phase {
        if self.end.is_some() {
            Phase::PeerClosed
        } else if self.grace.is_set() {
            Phase::PeerClosing
        } else if self.draining.is_some() && !self.shutdown_wait.is_set() {
            Phase::Draining
        } else {
            Phase::Open
        }
    }

    /// Makes a request of a message, or discards it.
    fn take<T: Transport>(
        &mut self,
        received: Received,
        connection: &mut Connection<T>,
    ) -> Option<Request> {
        if self.is_drained() {
            connection.counts.discarded_requests += 1;
            return None;
        }
        if !connection.is_served {
            connection.unsolicited(&received, "no service");
            return None;
        }
        connection.counts.requests += 1;
        self.number += 1;
        self.was_busy = true;
        let request = Request::new(received, connection.info.clone())
            .with_number(self.number)
            .with_association(connection.handle());
        Some(request)
    }

    /// The peer has shut down and accepts no more replies. Since the shutdown was orderly, its
    /// earlier requests are still served for a limited time, and only their replies are discarded.
    fn peer_shut_down<T: Transport>(&mut self, connection: &mut Connection<T>) {
        connection.close_send();
        connection.fail_unsent_calls(&Cause::ShutDown);
        if !self.grace.is_set() {
            self.grace.set_in(connection.config.shutdown_timeout);
        }
        // It has come.
        self.shutdown_wait.clear();
        for index in self.slots.replying() {
            self.release(index);
        }
    }
}
