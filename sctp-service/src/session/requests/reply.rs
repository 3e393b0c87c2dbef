//! Replies of handlers, on their way to the outbox.

use std::{convert::Infallible, ops::ControlFlow, task::Poll};

use tower_service::Service;

use super::{
    super::{Exit, connection::Connection},
    Requests,
    slots::Progress,
};
use crate::{
    IntoReply, Reply, Request, Shutdown, Transport,
    reply::{Ending, ReplyMessage},
};

impl<S> Requests<S>
where
    S: Service<Request, Response: IntoReply, Error = Infallible>,
{
    pub(super) fn poll_call<T: Transport>(
        &mut self,
        index: usize,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        // Futures are polled however full the queue is: one that is not polled keeps what it
        // holds, a lock or a pooled connection, from everybody else. What that can add is one
        // reply for each call in flight; streams of replies have no such claim.
        if self.slots.is_replying(index) && connection.is_full() {
            self.slots.park(index);
            return ControlFlow::Continue(());
        }
        match self.slots.poll(index) {
            Poll::Pending => ControlFlow::Continue(()),
            Poll::Ready(Progress::Answered(Ok(response))) => {
                self.answer(index, response.into_reply(), connection)
            }
            Poll::Ready(Progress::Answered(Err(never))) => match never {},
            Poll::Ready(Progress::Next(next)) => self.reply_next(index, next, connection),
        }
    }

    /// Applies a shutdown that a handler requested through a handle, at once as that of a reply: were
    /// it left to the next poll, others would be served in between, and find the handle closed.
    pub(super) fn check_requested_shutdown<T: Transport>(
        &mut self,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        if !connection.has_requested_shutdown() {
            return ControlFlow::Continue(());
        }
        match connection.take_requested_shutdown() {
            Some(shutdown) => self.shut_down(shutdown),
            None => ControlFlow::Continue(()),
        }
    }

    fn answer<T: Transport>(
        &mut self,
        index: usize,
        reply: Reply,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        let reply = reply.into_parts();
        let Some(in_flight) = self.slots.in_flight(index) else {
            return ControlFlow::Continue(());
        };
        // No chain: it would move the one message that most replies have several times.
        if let Some(message) = reply.first {
            connection.push(message, &in_flight.reply_to);
        }
        if !reply.rest.is_empty() {
            for message in reply.rest {
                connection.push(message, &in_flight.reply_to);
            }
        }
        match reply.stream {
            Some(stream) if !connection.is_send_closed() => {
                in_flight.ending = reply.ending;
                self.slots.reply(index, stream);
                ControlFlow::Continue(())
            }
            _ => self.finish(index, reply.ending, connection),
        }
    }

    fn reply_next<T: Transport>(
        &mut self,
        index: usize,
        next: Option<Result<ReplyMessage, Shutdown>>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        let Some(in_flight) = self.slots.in_flight(index) else {
            return ControlFlow::Continue(());
        };
        match next {
            Some(Ok(message)) => {
                connection.push(message, &in_flight.reply_to);
                self.slots.wake(index);
                ControlFlow::Continue(())
            }
            Some(Err(shutdown)) => self.finish(index, Some(Ending::Shutdown(shutdown)), connection),
            None => {
                let ending = in_flight.ending.take();
                self.finish(index, ending, connection)
            }
        }
    }

    fn finish<T: Transport>(
        &mut self,
        index: usize,
        ending: Option<Ending>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        self.release(index);
        match ending {
            Some(Ending::Unserved(unserved)) => {
                connection.unsolicited(&unserved.received, unserved.reason);
                ControlFlow::Continue(())
            }
            Some(Ending::Shutdown(shutdown)) => self.shut_down(shutdown),
            Some(Ending::Drain) if self.end.is_none() => {
                connection.association.begin_drain();
                ControlFlow::Continue(())
            }
            // The peer's own shutdown is complete: there is nothing left to end.
            Some(Ending::Drain) | None => ControlFlow::Continue(()),
        }
    }

    /// Lets the next request of each lane have its turn before the call is answered.
    pub(super) fn release_turns(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(lane) = self.slots.take_lane(*number) {
                self.order.release(lane);
            }
        }
    }

    /// Empties a call's slot, and lets the next request of its lane have its turn.
    pub(super) fn release(&mut self, index: usize) {
        if let Some(lane) = self
            .slots
            .finish(index)
            .and_then(|in_flight| in_flight.lane)
        {
            self.order.release(lane);
        }
    }
}
