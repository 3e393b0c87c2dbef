//! What all states of the driver share: the transport, and what waits to be sent.

use std::{
    ops::ControlFlow,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sctp_core::{AssocChangeState, Notification, SendInfo};
use sctp_tokio::{End, Event, RecvError, SendError};
use tokio_util::sync::CancellationToken;

use super::{
    Exit,
    outbox::{Flushed, Outbox},
    serving::may_have_left_requests,
};
use crate::{
    AssociationHandle, Config, ConnectInfo, Counts, Shutdown, Transport, event::EventHook,
    handle::Shared, reply::ReplyMessage,
};

/// The association as the driver holds it.
pub(super) struct Link<T> {
    pub(super) transport: T,
    pub(super) info: ConnectInfo,
    pub(super) config: Arc<Config>,
    pub(super) events: EventHook,
    pub(super) counts: Counts,
    /// What handles of the association hold as well.
    pub(super) association: Arc<Shared>,
    /// The end that one of them asked for.
    pub(super) asked: Option<Shutdown>,
    /// Replies, and what handles pushed: those are owned, by their length.
    pub(super) outbox: Outbox<usize>,
    /// The kernel takes no more: the peer has shut down.
    muted: bool,
    /// This end has begun to end it, which a restart of the peer does not undo.
    pub(super) ending: bool,
}

/// What there is to read, as far as it matters to the driver.
pub(super) enum Inbound {
    Message(sctp_tokio::Received),
    /// The peer started again; the link is already the new one.
    Restarted,
    /// The peer sends nothing more and takes nothing more.
    PeerShutdown,
    Ended(End),
    /// Reading failed; the association is to be aborted.
    Failed(RecvError),
    /// Something that was dealt with.
    Other,
}

impl<T> Link<T> {
    /// Makes what requests, make-services and events carry.
    pub(super) fn handle(&self) -> AssociationHandle {
        AssociationHandle::new(Arc::clone(&self.association))
    }
}

impl<T: Transport> Link<T> {
    pub(super) fn new(
        transport: T,
        config: Arc<Config>,
        events: EventHook,
        drain: CancellationToken,
    ) -> Self {
        let info = transport.connect_info();
        let longest = transport.max_message();
        Self {
            association: Shared::new(drain, info.clone(), Arc::clone(&config), longest),
            info,
            transport,
            config,
            events,
            counts: Counts::default(),
            asked: None,
            outbox: Outbox::default(),
            muted: false,
            ending: false,
        }
    }

    /// Reads the next thing that happened.
    pub(super) fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<Inbound> {
        Poll::Ready(match ready!(self.transport.poll_next_event(cx)) {
            Ok(Event::Message(received)) => Inbound::Message(received),
            Ok(Event::Notification(notification)) => self.notified(&notification),
            Ok(Event::Ended(end)) | Err(RecvError::Ended(end)) => Inbound::Ended(end),
            Ok(_) => Inbound::Other,
            Err(error) => Inbound::Failed(error),
        })
    }

    fn notified(&mut self, notification: &Notification) -> Inbound {
        match notification {
            Notification::AssocChange(change) if change.state == AssocChangeState::Restart => {
                self.restart();
                return Inbound::Restarted;
            }
            Notification::Shutdown { .. } => return Inbound::PeerShutdown,
            Notification::StreamChange(_) => {
                let streams = self.transport.connect_info().outbound_streams();
                self.association.set_outbound_streams(streams);
                tracing::debug!(?notification, "streams changed");
            }
            Notification::PeerAddrChange(change) => self.path_changed(change),
            other => tracing::debug!(notification = ?other, "notification"),
        }
        Inbound::Other
    }

    /// Those who hold a handle hold one of the earlier life: who was to be told something then must
    /// not be taken for whoever is there now.
    fn restart(&mut self) {
        self.discard_outbox();
        self.muted = false;
        self.asked = None;
        self.info = self.transport.connect_info();
        let (next, left) = self.association.renewed(self.info.clone());
        self.association = next;
        if self.ending {
            self.association.close();
        }
        self.counts.pushes += left as u64;
        self.counts.discarded_pushes += left as u64;
        self.report_restart();
    }

    /// Queues a message of a reply, behind what was pushed before it.
    pub(super) fn push(&mut self, message: ReplyMessage, reply_to: &SendInfo) {
        if self.muted {
            self.counts.discarded_replies += 1;
            return;
        }
        self.pump();
        self.outbox.push(message.resolve(reply_to));
    }

    /// Whether the peer has so many replies to read first that no further request is taken.
    pub(super) fn is_full(&self) -> bool {
        self.outbox.unowned() >= self.config.send_queue.max(1)
            || self.outbox.unowned_bytes() >= self.config.send_queue_bytes.max(1)
    }

    /// Whether the peer has replies to read. What was pushed to it, it did not ask for.
    pub(super) fn has_replies(&self) -> bool {
        self.outbox.unowned() > 0
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    /// Gives up sending: the kernel refuses every later message.
    pub(super) fn mute(&mut self) {
        self.muted = true;
        self.close_pushes();
        self.discard_outbox();
    }

    pub(super) fn discard_outbox(&mut self) {
        let (association, counts) = (&self.association, &mut self.counts);
        counts.discarded_replies += self.outbox.clear(|len| {
            association.give_back(len);
            counts.discarded_pushes += 1;
        });
    }

    /// Sends as much as there is room for.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit> {
        loop {
            let association = &self.association;
            let give_back = |len| association.give_back(len);
            let (sent, flushed) = self.outbox.flush(cx, &mut self.transport, give_back);
            self.counts.sent += sent;
            let Flushed::Refused(pushed, error) = flushed else {
                return ControlFlow::Continue(());
            };
            match pushed {
                Some(len) => {
                    self.association.give_back(len);
                    self.counts.discarded_pushes += 1;
                }
                None => self.counts.discarded_replies += 1,
            }
            self.refused(error, pushed.is_some())?;
        }
    }

    /// Decides what a refused message means.
    fn refused(&mut self, error: SendError, pushed: bool) -> ControlFlow<Exit> {
        match error {
            SendError::Ended(end) if !may_have_left_requests(&end) => {
                return ControlFlow::Break(Exit::Ended(end));
            }
            // Reading will tell.
            SendError::Ended(_) | SendError::ShuttingDown | SendError::NoAssociation => self.mute(),
            // Nobody waits for it, as somebody does for a reply.
            error if pushed => self.push_refused(&error),
            error => {
                // What is behind it may be refused as well, and once is enough.
                self.discard_outbox();
                return ControlFlow::Break(self.reply_refused(&error));
            }
        }
        ControlFlow::Continue(())
    }
}
