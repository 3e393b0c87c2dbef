//! One association whose messages are printed and traced.

use std::{io, net::SocketAddr, time::Duration};

use sctp_tokio::{
    AbortReason, Association, End, Event, Message, Notification, Received, SendHalf, Side,
};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    ending::{END_TIMEOUT, Ending, TOO_SLOW},
    output::{Printer, log},
    status::{FAILED, Failure, LOST},
    trace::{Conversation, Trace},
};

/// Time limit for an orderly end after a signal or a failure.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// An association, and where its messages go.
pub(crate) struct Session {
    pub(crate) association: Association,
    pub(crate) peer: SocketAddr,
    conversation: Option<Conversation>,
    printer: Printer,
    /// Reason of the abort from here.
    reason: Option<AbortReason>,
}

/// Event that a user of the session acts on.
pub(crate) enum Taken {
    Message(Received),
    Closed(End),
    Other,
}

impl Session {
    pub(crate) fn new(association: Association, printer: Printer, trace: &Trace) -> Self {
        let unknown = || SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            peer: association
                .initial_peer_addrs()
                .first()
                .copied()
                .unwrap_or_else(unknown),
            conversation: trace.conversation(&association),
            association,
            printer,
            reason: None,
        }
    }

    pub(crate) fn sender(&self) -> SendHalf {
        self.association.sender()
    }

    /// Receives the next event. Cancel safe.
    pub(crate) async fn event(&mut self) -> Result<Event, Failure> {
        let received = self.association.next_event().await;
        received.map_err(|error| Failure::new(FAILED, format!("cannot receive: {error}")))
    }

    /// Prints and traces an event. It is lost if the future is dropped.
    pub(crate) async fn take(&mut self, event: Event) -> Result<Taken, Failure> {
        match event {
            Event::Message(message) => {
                if let Some(conversation) = &mut self.conversation {
                    conversation.received(&message);
                }
                self.printer.message(self.peer, &message).await?;
                Ok(Taken::Message(message))
            }
            Event::Closed(end) => {
                if let Some(conversation) = &mut self.conversation {
                    conversation.closed(&end, self.reason.as_ref());
                }
                Ok(Taken::Closed(end))
            }
            // One for each fragment of a message.
            Event::Notification(Notification::SendFailed(failed)) if failed.last_fragment => {
                log("a message was not delivered");
                Ok(Taken::Other)
            }
            _ => Ok(Taken::Other),
        }
    }

    /// Traces a message that was sent.
    pub(crate) fn sent(&mut self, message: &Message) {
        if let Some(conversation) = &mut self.conversation {
            conversation.sent(message);
        }
    }

    /// Ends the association, and prints what comes until it is closed.
    pub(crate) async fn end(&mut self, ending: &Ending) -> Result<End, Failure> {
        let is_acknowledged = ending.start(&self.association.sender()).await?;
        if let Ending::Abort(reason) = ending {
            self.reason = Some(reason.clone());
        }
        let deadline = Instant::now() + END_TIMEOUT;
        let mut too_slow = false;
        loop {
            let event = tokio::select! {
                event = self.event() => event?,
                () = sleep_until(deadline), if !too_slow => {
                    too_slow = true;
                    self.abort(TOO_SLOW)?;
                    continue;
                }
            };
            if let Taken::Closed(end) = self.take(event).await? {
                return match (&end, ending) {
                    (
                        End::Aborted {
                            by: Side::Local, ..
                        },
                        _,
                    ) if too_slow => Err(Failure::new(LOST, "no orderly end in time")),
                    _ if !is_acknowledged => Err(Failure::new(
                        LOST,
                        "what was sent was not acknowledged in time",
                    )),
                    (End::Shutdown { .. }, _)
                    | (
                        End::Aborted {
                            by: Side::Local, ..
                        },
                        Ending::Abort(_),
                    ) => Ok(end),
                    _ => Err(Failure::closed(&end)),
                };
            }
        }
    }

    fn abort(&mut self, reason: AbortReason) -> io::Result<()> {
        self.association.abort(&reason)?;
        self.reason = Some(reason);
        Ok(())
    }

    /// Ends the association soon, in order if the peer lets it, and traces the end. Messages that
    /// come are discarded.
    pub(crate) async fn leave(&mut self) {
        // The program ends because of something else, which is reported.
        let _ = self.association.start_shutdown();
        let mut end = timeout(LEAVE_TIMEOUT, self.association.discard_until_closed()).await;
        if end.is_err() && self.abort(TOO_SLOW).is_ok() {
            end = timeout(LEAVE_TIMEOUT, self.association.discard_until_closed()).await;
        }
        if let (Ok(Ok(end)), Some(conversation)) = (end, &mut self.conversation) {
            conversation.closed(&end, self.reason.as_ref());
        }
    }
}
