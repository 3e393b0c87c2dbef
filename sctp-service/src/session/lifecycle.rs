//! Lifecycle of an association: phases, events and transitions.

use sctp_core::AbortReason;

use crate::{Shutdown, abort_reasons};

/// Phase of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The service is being made, and may exchange messages.
    Handshaking,
    /// Requests are read and served.
    Open,
    /// Requests that have arrived are served, then the association is shut down.
    Draining,
    /// The peer has shut down, and its last requests are served.
    PeerClosing,
    /// Like `PeerClosing`, and the end was read.
    PeerClosed,
    /// Replies that were queued before an orderly shutdown are sent.
    Flushing,
    /// SHUTDOWN is sent when all is acknowledged.
    AwaitingAck,
    /// An ABORT was sent.
    Aborting,
    /// The association has ended.
    Closed,
}

/// Event that may lead to another phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A handle requests an orderly shutdown.
    AfterAck,
    /// A handle requests an abort.
    Abort,
    /// Nothing is left to serve.
    Served,
    /// The association was idle for too long, or the peer has not shut it down as announced.
    Unneeded,
    /// The peer restarted while the server, or this association, was not being drained.
    Restarted,
    /// The peer restarted during a drain.
    RestartedInDrain,
    /// The drain timeout has elapsed.
    DrainOverdue,
    /// The timeout of the phase has elapsed.
    Overdue,
}

impl From<&Shutdown> for Event {
    fn from(shutdown: &Shutdown) -> Self {
        match shutdown {
            Shutdown::AfterAck => Self::AfterAck,
            Shutdown::Abort(_) => Self::Abort,
        }
    }
}

/// Result of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The event changes nothing.
    Stay,
    /// Enters `Handshaking`: the service is made anew.
    Start,
    /// Enters `Flushing`.
    Flush,
    /// Begins the SCTP shutdown, and enters `AwaitingAck`.
    Shutdown,
    /// Aborts with the reason of the handle, and enters `Aborting`.
    Abort,
    /// Aborts with a reason of the framework's own, and enters `Aborting`.
    AbortWith(&'static AbortReason),
    /// Enters `Closed`, with the end that is known.
    Close,
}

/// Returns the step that an event leads to.
pub(super) fn step(phase: Phase, event: Event) -> Step {
    use Phase::{
        Aborting, AwaitingAck, Closed, Draining, Flushing, Handshaking, Open, PeerClosed,
        PeerClosing,
    };
    match (phase, event) {
        (Closed, _) => Step::Stay,

        (Handshaking | Open | Draining | PeerClosing, Event::AfterAck) => Step::Flush,
        // The association is closing or closed.
        (PeerClosed | Flushing | AwaitingAck | Aborting, Event::AfterAck) => Step::Stay,

        (PeerClosed | Aborting, Event::Abort) => Step::Stay,
        (_, Event::Abort) => Step::Abort,

        (Draining, Event::Served) => Step::Flush,
        (PeerClosed, Event::Served) => Step::Close,
        (_, Event::Served) => Step::Stay,

        (Open | Draining, Event::Unneeded) => Step::Flush,
        (_, Event::Unneeded) => Step::Stay,

        (Aborting, Event::Restarted | Event::RestartedInDrain) => Step::Stay,
        // The peer as it is now knows nothing of the end that was begun, nor of what was queued.
        (Flushing | AwaitingAck, Event::Restarted | Event::RestartedInDrain) => Step::Shutdown,
        (_, Event::Restarted) => Step::Start,
        (_, Event::RestartedInDrain) => Step::Flush,

        (Aborting, Event::DrainOverdue) => Step::Stay,
        (_, Event::DrainOverdue) => Step::AbortWith(&abort_reasons::DRAIN_TIMED_OUT),

        (PeerClosed | Aborting, Event::Overdue) => Step::Close,
        (_, Event::Overdue) => Step::AbortWith(&abort_reasons::SHUTDOWN_TIMED_OUT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 9] = [
        Phase::Handshaking,
        Phase::Open,
        Phase::Draining,
        Phase::PeerClosing,
        Phase::PeerClosed,
        Phase::Flushing,
        Phase::AwaitingAck,
        Phase::Aborting,
        Phase::Closed,
    ];

    const DRAINED: Step = Step::AbortWith(&abort_reasons::DRAIN_TIMED_OUT);
    const LATE: Step = Step::AbortWith(&abort_reasons::SHUTDOWN_TIMED_OUT);

    /// Asserts one row of the table: the steps of all phases, in their order.
    #[track_caller]
    fn assert_steps(event: Event, steps: [Step; 9]) {
        for (phase, expected) in PHASES.into_iter().zip(steps) {
            assert_eq!(step(phase, event), expected, "{event:?} in {phase:?}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn each_event_in_each_phase_leads_to_its_step() {
        use Step::{Abort, Close, Flush, Shutdown, Start, Stay};
        //                            Handshaking Open     Draining PeerClosing PeerClosed Flushing AwaitingAck Aborting Closed
        assert_steps(Event::AfterAck, [Flush,   Flush,   Flush,   Flush,      Stay,      Stay,     Stay,       Stay,    Stay]);
        assert_steps(Event::Abort,    [Abort,   Abort,   Abort,   Abort,      Stay,      Abort,    Abort,      Stay,    Stay]);
        assert_steps(Event::Served,   [Stay,    Stay,    Flush,   Stay,       Close,     Stay,     Stay,       Stay,    Stay]);
        assert_steps(Event::Unneeded, [Stay,    Flush,   Flush,   Stay,       Stay,       Stay,     Stay,       Stay,    Stay]);
        assert_steps(Event::Restarted,
                                      [Start,   Start,   Start,   Start,      Start,     Shutdown, Shutdown,   Stay,    Stay]);
        assert_steps(Event::RestartedInDrain,
                                      [Flush,   Flush,   Flush,   Flush,      Flush,     Shutdown, Shutdown,   Stay,    Stay]);
        assert_steps(Event::DrainOverdue,
                                      [DRAINED, DRAINED, DRAINED, DRAINED,    DRAINED,   DRAINED,  DRAINED,    Stay,    Stay]);
        assert_steps(Event::Overdue,  [LATE,    LATE,    LATE,    LATE,       Close,     LATE,     LATE,       Close,   Stay]);
    }
}
