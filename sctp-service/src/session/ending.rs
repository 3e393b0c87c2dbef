//! Closing an association and waiting for its end.

use std::{
    convert::Infallible,
    error::Error,
    io,
    ops::ControlFlow,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_core::{AbortReason, ErrorCauses};
use sctp_tokio::{End, Side};
use tower_service::Service;

use super::{
    Session,
    connection::Inbound,
    lifecycle::{Event, Step, step},
    state::{Exit, State, Transition},
};
use crate::{IntoReply, Request, Transport};

/// Time to wait for the transport to report a local abort. It normally does so at once; otherwise
/// the end is known anyway.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// Maximum number of messages that one poll discards before it yields.
const DISCARDS_PER_POLL: usize = 64;

impl<T, S> Session<T, S>
where
    T: Transport,
    S: Service<Request, Response: IntoReply, Error = Infallible>,
{
    /// Begins the SCTP shutdown, which completes when everything is acknowledged.
    pub(super) fn start_shutdown(&mut self) {
        if let Err(error) = self.connection.transport.start_shutdown() {
            // The association has closed, which is read next, or the deadline aborts it.
            tracing::debug!(error = &error as &dyn Error, "cannot begin the shutdown");
        }
    }

    /// Aborts the association.
    pub(super) fn abort(&mut self, reason: AbortReason) {
        self.connection.begin_end();
        self.connection.association.note_abort(&reason);
        let cause = self.connection.cause_of_abort();
        self.connection.discard_outbox(&cause);
        self.connection.fail_calls(&cause);
        let state = match self.connection.transport.abort(&reason) {
            Ok(()) => State::Aborting,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                if let Some(occurrences) = self.connection.events.limits().no_reason.record() {
                    tracing::warn!(
                        %reason,
                        occurrences,
                        "socket cannot send an abort reason, aborting without one"
                    );
                }
                self.reason = Some(Box::new(reason));
                return self.close(aborted());
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn Error, "cannot abort");
                State::Aborting
            }
        };
        self.reason = Some(Box::new(reason));
        self.deadline.set_in(ABORT_GRACE);
        self.enter(state);
    }

    /// Reads and discards messages until the end of the association.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<Transition> {
        if let ControlFlow::Break(exit) = self.connection.expire_calls(cx) {
            return Poll::Ready(Transition::Exit(exit));
        }
        for _ in 0..DISCARDS_PER_POLL {
            match ready!(self.connection.poll_inbound(cx)) {
                Inbound::Message(_) if matches!(self.state, State::Aborting) => {
                    self.connection.counts.discarded_requests += 1;
                }
                Inbound::Message(received) => match self.connection.classify(received) {
                    ControlFlow::Continue(None) => {}
                    ControlFlow::Continue(Some(_)) => {
                        self.connection.counts.discarded_requests += 1
                    }
                    ControlFlow::Break(exit) => return Poll::Ready(Transition::Exit(exit)),
                },
                Inbound::Ended(end) => return Poll::Ready(Transition::Exit(Exit::Ended(end))),
                // What follows an error is the end.
                Inbound::Failed(error) => {
                    tracing::debug!(error = &error as &dyn Error, "receiving failed")
                }
                // The peer does not know of the end that was begun before it restarted, and what was
                // queued was for the peer as it was before.
                Inbound::Restarted if step(self.phase(), Event::Restarted) == Step::Shutdown => {
                    return Poll::Ready(Transition::Flushed);
                }
                Inbound::Restarted | Inbound::PeerShutdown | Inbound::Other => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Returns the end of a local abort.
pub(super) fn aborted() -> End {
    End::Aborted {
        by: Side::Local,
        causes: ErrorCauses::default(),
    }
}
