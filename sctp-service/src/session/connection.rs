//! The transport and the messages that wait for it, shared by all states.

use std::{
    ops::ControlFlow,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sctp_core::{AssocChangeState, Notification, SendInfo, StreamId};
use sctp_tokio::{End, Event, RecvError, SendError, Side};

use super::{
    Exit,
    calling::Owner,
    handshake::HandshakeState,
    outbox::{Flushed, Outbox},
    reading::Limits,
    requests::may_have_left_requests,
};
use crate::{
    AssociationHandle, CallError, Cause, Config, ConnectInfo, Correlation, Counts, ReplyStream,
    Shutdown, Transport,
    drain_hook::DrainHook,
    event::EventHook,
    handle::{Released, StateOwner},
    reply::ReplyMessage,
    session::calls::Calls,
};

/// The association as the session holds it.
pub(super) struct Connection<T> {
    /// Shared with the handles of the association, which are closed before the transport goes.
    pub(super) association: StateOwner,
    pub(super) transport: T,
    pub(super) info: ConnectInfo,
    pub(super) config: Arc<Config>,
    pub(super) events: EventHook,
    pub(super) counts: Counts,
    /// The shutdown that one of them requested. Rare things are boxed: idle associations are many.
    pub(super) requested_shutdown: Option<Box<Shutdown>>,
    /// Replies, which have no owner, and what handles submitted.
    pub(super) outbox: Outbox<Owner>,
    /// Calls to the peer. `None` without a correlation: then every message is a request.
    pub(super) calls: Option<Box<Calls>>,
    /// Function of `on_drain`.
    pub(super) drain_hook: Option<DrainHook>,
    /// A message was received since [`note_message`](Self::note_message).
    has_received: bool,
    /// A handle has announced a SHUTDOWN of the peer.
    pub(super) expects_shutdown: bool,
    /// Requests that gave up their turn.
    pub(super) released: Option<Released>,
    /// The handshake, until the service is made.
    pub(super) handshake: Option<Box<HandshakeState>>,
    /// The kernel accepts no more messages: the peer has shut down.
    send_closed: bool,
    /// This end has begun to close the association, which a restart of the peer does not undo.
    pub(super) ending: bool,
    /// There is a service for requests of the peer.
    pub(super) is_served: bool,
    /// The cause with which calls fail, if it is not that of the end.
    pub(super) cause: Option<Box<Cause>>,
}

/// A message or notification of the transport, as far as it matters to the session.
pub(super) enum Inbound {
    Message(sctp_tokio::Received),
    /// The peer restarted; the connection already has its new state.
    Restarted,
    /// The peer has shut down.
    PeerShutdown,
    Ended(End),
    /// Reading failed; the association is to be aborted.
    Failed(RecvError),
    /// Something that was handled.
    Other,
}

impl<T> Connection<T> {
    /// Creates the handle for requests, make-services and events.
    pub(super) fn handle(&self) -> AssociationHandle {
        AssociationHandle::new(Arc::clone(&self.association))
    }
}

impl<T: Transport> Connection<T> {
    pub(super) fn new(
        transport: T,
        config: Arc<Config>,
        events: EventHook,
        association: StateOwner,
        correlation: Option<&Correlation>,
    ) -> Self {
        Self {
            info: association.info().clone(),
            association,
            transport,
            config,
            events,
            counts: Counts::default(),
            requested_shutdown: None,
            outbox: Outbox::default(),
            calls: None,
            drain_hook: None,
            has_received: false,
            expects_shutdown: false,
            released: None,
            handshake: None,
            send_closed: false,
            ending: false,
            is_served: true,
            cause: None,
        }
        .with_correlation(correlation)
    }

    /// Reads the next event.
    pub(super) fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<Inbound> {
        let event = ready!(self.transport.poll_next_event(cx));
        Poll::Ready(self.inbound(event))
    }

    /// Notes that a message was read.
    pub(super) fn note_received(&mut self) {
        self.has_received = true;
    }

    /// Handles the parts of an event that do not depend on the state of the session.
    pub(super) fn inbound(&mut self, event: Result<Event, RecvError>) -> Inbound {
        match event {
            Ok(Event::Message(received)) => {
                self.note_received();
                Inbound::Message(received)
            }
            Ok(Event::Notification(notification)) => self.notified(&notification),
            Ok(Event::Closed(end)) | Err(RecvError::Closed(end)) => Inbound::Ended(end),
            Ok(_) => Inbound::Other,
            Err(error) => Inbound::Failed(error),
        }
    }

    /// Records that a message was received, for handles that wait for silence. Called once per
    /// poll, and cheap if none waits.
    #[inline]
    pub(super) fn note_message(&mut self) {
        if std::mem::take(&mut self.has_received) && self.association.is_watched() {
            self.association.note_message();
        }
    }

    /// Records whether this end reads, for handles that wait for silence.
    #[inline]
    pub(super) fn note_reading(&self, is_reading: bool) {
        if self.association.is_watched() {
            self.association.note_reading(is_reading);
        }
    }

    fn notified(&mut self, notification: &Notification) -> Inbound {
        match notification {
            Notification::AssocChange(change) if change.state == AssocChangeState::Restart => {
                self.restart();
                return Inbound::Restarted;
            }
            Notification::Shutdown { .. } => return Inbound::PeerShutdown,
            Notification::StreamChange(_) => {
                let info = self.transport.connect_info();
                let streams = info.outbound_streams();
                self.association.set_outbound_streams(streams);
                if let Some(calls) = &mut self.calls {
                    calls.set_streams(streams.min(info.inbound_streams()));
                }
                tracing::debug!(?notification, "streams changed");
            }
            Notification::SendFailed(failed) => {
                if let Some(calls) = &mut self.calls {
                    calls.send_failed(failed);
                }
            }
            Notification::PeerAddrChange(change) => self.path_changed(change),
            other => tracing::debug!(notification = ?other, "notification"),
        }
        Inbound::Other
    }

    /// Replaces the state of the handles. Messages from before the restart must not reach the
    /// restarted peer.
    fn restart(&mut self) {
        self.discard_outbox(&Cause::Restarted);
        self.send_closed = false;
        self.requested_shutdown = None;
        self.expects_shutdown = false;
        self.info = self.transport.connect_info();
        self.abandon_handshake();
        self.restart_calls();
        let (next, discarded) = self.association.renewed(self.info.clone());
        self.association = next;
        if self.ending {
            self.association.close(Side::Local);
        }
        self.count_discarded(discarded);
        self.report_restart();
    }

    /// Queues a message of a reply, behind what handles sent before it.
    pub(super) fn push(&mut self, message: ReplyMessage, reply_to: &SendInfo) {
        if self.send_closed {
            self.counts.discarded_replies += 1;
            return;
        }
        self.pump();
        let mut message = message.resolve(reply_to);
        let stream = message.info.stream;
        if stream == reply_to.stream
            && stream.get() >= self.association.outbound_streams()
            && self.config.reply_stream == ReplyStream::SameOrZero
        {
            message.info.stream = StreamId::default();
        }
        if self.calls.is_some() {
            // That of a call is its number.
            message.info.context = 0;
        }
        self.outbox.push(message);
    }

    /// Returns `true` if the reply queue is full, so that no further request is read.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        let replies = self.outbox.unowned();
        replies > 0
            && (replies >= self.config.reply_queue
                || self.outbox.unowned_bytes() >= self.config.reply_queue_bytes.max(1))
    }

    /// Returns `true` if replies wait. Messages of handles do not count.
    pub(super) fn has_replies(&self) -> bool {
        self.outbox.unowned() > 0
    }

    /// Returns `true` if a call waits for its reply, or a message of a handle or call to be sent.
    pub(super) fn has_outgoing(&self) -> bool {
        self.waits_for_reply() || self.outbox.has_owned()
    }

    /// Returns the limits of reading.
    pub(super) fn reading_limits(&self) -> Limits {
        Limits {
            held: self.config.read_ahead,
            cost: self.config.read_ahead_bytes,
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    pub(super) fn is_send_closed(&self) -> bool {
        self.send_closed
    }

    /// Stops sending, since the kernel refuses all further messages. Unsent calls fail when the end
    /// has been read, which gives the reason.
    pub(super) fn close_send(&mut self) {
        self.send_closed = true;
        self.stop_accepting(Side::Peer);
        self.discard_outbox(&Cause::ShutDown);
    }

    pub(super) fn discard_outbox(&mut self, cause: &Cause) {
        let (association, counts) = (&self.association, &mut self.counts);
        let mut discarded_sends = 0;
        counts.discarded_replies += self.outbox.clear(|owner| {
            // Calls are failed elsewhere.
            if let Owner::OneWay(one_way) = owner {
                one_way.finish(association, Err(CallError::not_sent(cause.clone())));
                discarded_sends += 1;
            }
        });
        counts.discarded_sends += discarded_sends;
    }

    /// Sends as many messages as there is room for.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> ControlFlow<Exit> {
        loop {
            let (association, calls) = (&self.association, &mut self.calls);
            let sent = |owner| match (owner, &mut *calls) {
                (Owner::OneWay(one_way), _) => one_way.finish(association, Ok(())),
                (Owner::Call(call), Some(calls)) => calls.sent(call),
                (Owner::Call(_), None) => {}
            };
            let (sent, flushed) = self.outbox.flush(cx, &mut self.transport, sent);
            self.counts.sent += sent;
            let Flushed::Refused(owner, error) = flushed else {
                return ControlFlow::Continue(());
            };
            if owner.is_none() {
                self.counts.discarded_replies += 1;
            }
            self.refused(error, owner)?;
        }
    }

    /// Handles a refused message.
    fn refused(&mut self, error: SendError, owner: Option<Owner>) -> ControlFlow<Exit> {
        let cause = match &error {
            SendError::Closed(end) => Cause::from(end),
            SendError::ShuttingDown | SendError::NoAssociation => Cause::ShutDown,
            _ => match owner {
                Some(owner) => {
                    self.owned_refused(owner, error);
                    return ControlFlow::Continue(());
                }
                None => {
                    // What is behind it may be refused as well, and once is enough.
                    self.discard_outbox(&Cause::Closed);
                    return ControlFlow::Break(self.reply_refused(&error));
                }
            },
        };
        // The call of a message that was refused so is failed with the others.
        if let Some(Owner::OneWay(one_way)) = owner {
            self.discard_one_way(one_way, CallError::not_sent(cause));
        }
        match error {
            SendError::Closed(end) if !may_have_left_requests(&end) => {
                ControlFlow::Break(Exit::Ended(end))
            }
            // The end is read later.
            _ => {
                self.close_send();
                ControlFlow::Continue(())
            }
        }
    }
}
