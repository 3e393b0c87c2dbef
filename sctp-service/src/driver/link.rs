//! What all states of the driver share: the transport, and what waits to be sent.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sctp_core::{AssocChangeState, Notification, SendInfo};
use sctp_tokio::{End, Event, Message, RecvError, SendError};
use tokio_util::sync::CancellationToken;

use super::{Exit, pushes::Marks, serving::may_have_left_requests, spare};
use crate::{
    AssociationHandle, Config, ConnectInfo, Counts, Shutdown, Transport,
    event::{EventHook, ServerEvent},
    handle::Shared,
    reply::ReplyMessage,
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
    pub(super) marks: Marks,
    outbox: VecDeque<Message>,
    outbox_bytes: usize,
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
            marks: Marks::default(),
            outbox: VecDeque::new(),
            outbox_bytes: 0,
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
            Notification::PeerAddrChange(change) => {
                tracing::info!(addr = ?change.addr, state = ?change.state, "path changed");
                self.events.emit(&ServerEvent::PathChanged {
                    connect_info: &self.info,
                    change,
                });
            }
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
        self.queue(message.resolve(reply_to));
    }

    pub(super) fn queue(&mut self, message: Message) {
        self.outbox_bytes += message.payload.len();
        if self.outbox.capacity() == 0 {
            self.outbox = spare::take();
        }
        self.outbox.push_back(message);
    }

    /// How many messages wait to be sent.
    pub(super) fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// Whether the peer has so many replies to read first that no further request is taken.
    pub(super) fn is_full(&self) -> bool {
        self.outbox.len() - self.marks.len() >= self.config.send_queue.max(1)
            || self.outbox_bytes - self.marks.bytes() >= self.config.send_queue_bytes.max(1)
    }

    /// Whether the peer has replies to read. What was pushed to it, it did not ask for.
    pub(super) fn has_replies(&self) -> bool {
        self.outbox.len() > self.marks.len()
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
        let messages = self.outbox.len() as u64;
        let pushes = self.marks.len() as u64;
        self.counts.discarded_replies += messages - pushes;
        self.counts.discarded_pushes += pushes;
        self.leave(messages);
        self.outbox.clear();
        self.outbox_bytes = 0;
    }

    /// Accounts for messages that left the queue. Answers whether the last one had been pushed.
    fn leave(&mut self, messages: u64) -> bool {
        let association = &self.association;
        self.marks.leave(messages, |len| association.give_back(len))
    }

    /// Sends as much as there is room for.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit> {
        while !self.outbox.is_empty() {
            let before = self.outbox.len();
            let sent = self.transport.poll_send(cx, &mut self.outbox);
            let taken = (before - self.outbox.len()) as u64;
            let last_was_pushed = self.leave(taken);
            // The transport takes messages off the queue itself, so their bytes are counted
            // anew; what is left is bounded, and nothing is left in the common case.
            self.outbox_bytes = self
                .outbox
                .iter()
                .map(|message| message.payload.len())
                .sum();
            match sent {
                Poll::Ready(Ok(())) => self.counts.sent += taken,
                Poll::Pending => {
                    self.counts.sent += taken;
                    break;
                }
                Poll::Ready(Err(error)) => {
                    self.counts.sent += taken.saturating_sub(1);
                    if last_was_pushed {
                        self.counts.discarded_pushes += 1;
                    } else {
                        self.counts.discarded_replies += 1;
                    }
                    self.refused(error, last_was_pushed)?;
                }
            }
        }
        if self.outbox.is_empty() {
            spare::give_back(&mut self.outbox);
        }
        ControlFlow::Continue(())
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
