//! Deadlines and ends, checked while there is no other work.

use std::{
    convert::Infallible,
    mem,
    ops::ControlFlow,
    task::{Context, Poll},
};

use sctp_tokio::End;
use tokio::time::Instant;
use tower_service::Service;

use super::{
    super::{
        Exit,
        connection::Connection,
        ending::aborted,
        lifecycle::{Event, Step, step},
    },
    Requests,
};
use crate::{Cause, IntoReply, Request, Shutdown, Transport, timer::later};

impl<S> Requests<S>
where
    S: Service<Request, Response: IntoReply, Error = Infallible>,
{
    /// Leaves this state when there is nothing left to serve and nothing more can arrive.
    pub(super) fn check_done<T: Transport>(
        &mut self,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        if !self.slots.is_empty() || self.order.len() > 0 || connection.waits_for_reply() {
            return ControlFlow::Continue(());
        }
        match (step(self.phase(), Event::Served), self.end.take()) {
            (Step::Close, Some(end)) => ControlFlow::Break(Exit::Ended(*end)),
            // A call that was accepted is made, whatever comes first.
            (Step::Flush, _) if self.is_drained() && connection.try_stop_accepting() => {
                ControlFlow::Break(Exit::Shutdown(Shutdown::AfterAck))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// Polls for events while there is no other work. Returns `true` if there is work now.
    pub(super) fn wait<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit, bool> {
        if self.grace.poll_elapsed(cx) {
            if let Some(occurrences) = connection.events.limits().outlived.record() {
                tracing::warn!(occurrences, "calls outlived their association for too long");
            }
            return ControlFlow::Break(
                match (step(self.phase(), Event::Overdue), self.end.take()) {
                    (Step::AbortWith(reason), _) => {
                        connection.cause = Some(Box::new(Cause::ShutDown));
                        Exit::abort(reason)
                    }
                    (_, end) => Exit::Ended(end.map_or_else(aborted, |end| *end)),
                },
            );
        }
        self.check_announced_shutdown(cx, connection)?;
        if connection.expire_calls(cx)? {
            return ControlFlow::Continue(true);
        }
        self.check_idle(cx, connection)?;
        if self.age.poll_elapsed(cx) {
            tracing::debug!("maximum age reached, draining the association");
            connection.association.begin_drain_for_age();
        }
        self.check_held_back(connection);
        connection.note_reading(self.is_reading);
        if let Some(draining) = &mut self.draining
            && draining.poll_overdue(cx)
        {
            tracing::debug!("peer keeps sending while draining");
            return ControlFlow::Continue(true);
        }
        // A transport that is read tells of its end.
        if self.has_seen_end || self.end.is_some() || self.is_reading {
            return ControlFlow::Continue(false);
        }
        match connection.transport.poll_closed(cx) {
            Poll::Pending => ControlFlow::Continue(false),
            Poll::Ready(end) if may_have_left_requests(&end) => {
                self.has_seen_end = true;
                self.peer_shut_down(connection);
                ControlFlow::Continue(true)
            }
            Poll::Ready(end) => ControlFlow::Break(Exit::Ended(end)),
        }
    }

    /// Leaves SHUTDOWN to a peer that has announced it, for as long as it may take.
    fn check_announced_shutdown<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<T>,
    ) -> ControlFlow<Exit> {
        if mem::take(&mut connection.expects_shutdown) && self.end.is_none() {
            self.shutdown_wait
                .set_in(connection.config.shutdown_timeout);
        }
        match self.shutdown_wait.poll_elapsed(cx) {
            true => self.end_unneeded(),
            false => ControlFlow::Continue(()),
        }
    }

    /// Shuts down an association that is no longer used, unless it is already closing.
    fn end_unneeded(&self) -> ControlFlow<Exit> {
        match step(self.phase(), Event::Unneeded) {
            Step::Flush => ControlFlow::Break(Exit::Shutdown(Shutdown::AfterAck)),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Reports that calls cannot have their replies, since too many requests wait before them. SCTP
    /// has no flow control for each stream, so nothing behind them can be read.
    fn check_held_back<T: Transport>(&mut self, connection: &Connection<T>) {
        let is_held_back = connection.waits_for_reply()
            && self.order.cost() >= connection.config.read_ahead_bytes.max(1);
        if is_held_back && !self.is_held_back {
            connection.report_held_back();
        }
        self.is_held_back = is_held_back;
    }

    /// Ends an association that has been idle for too long: nothing was read, no request waits, no
    /// call is in flight in either direction, and no reply waits to be sent.
    ///
    /// The timer is not moved with every request: when it fires, this method looks since when
    /// there was nothing to do.
    fn check_idle<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &Connection<T>,
    ) -> ControlFlow<Exit> {
        let Some(timeout) = connection.config.idle_timeout else {
            return ControlFlow::Continue(());
        };
        if self.draining.is_some() || self.shutdown_wait.is_set() {
            return ControlFlow::Continue(());
        }
        let is_waiting =
            self.order.len() > 0 || connection.has_replies() || connection.waits_for_reply();
        if !self.slots.is_empty() || is_waiting {
            self.was_busy = true;
            return ControlFlow::Continue(());
        }
        if mem::take(&mut self.was_busy) {
            self.idle_since = Instant::now();
        }
        while self.idle.poll_elapsed(cx) {
            let due = later(self.idle_since, timeout);
            if Instant::now() >= due {
                tracing::debug!("idle for too long");
                if connection.drain_hook.is_some() {
                    connection.association.begin_drain();
                    return ControlFlow::Continue(());
                }
                return self.end_unneeded();
            }
            self.idle.set(due);
        }
        ControlFlow::Continue(())
    }
}

/// Returns `true` if requests sent before this end are still to be served. After an orderly end
/// they are; after an abort or a loss, the peer does not count on it. `Unread` may turn out to be either.
pub(in crate::session) fn may_have_left_requests(end: &End) -> bool {
    end.is_orderly() || matches!(end, End::Unread)
}
