//! Handling of the transport's events and messages.

use std::{
    io,
    task::{Context, Poll},
};

use sctp_core::{AssocChangeState, Notification};
use sctp_tokio::{End, Event, Received, RecvError};

use super::{ITEMS_PER_ROUND, Session, State, streams};
use crate::{
    Transport, abort_reasons, client::push::PushQueue, correlate::Class, handle::error::Cause,
};

impl<T: Transport> Session<T> {
    /// Reads what there is. Answers whether there was anything.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, pushes: &PushQueue) -> Result<bool, End> {
        for read in 0..ITEMS_PER_ROUND {
            let Poll::Ready(event) = self.transport.poll_next_event(cx) else {
                return Ok(read > 0);
            };
            match event {
                Ok(Event::Message(received)) => self.received(received, pushes),
                Ok(Event::Notification(notification)) => self.notified(&notification),
                Ok(Event::Closed(end)) | Err(RecvError::Closed(end)) => return Err(end),
                Ok(_) => {}
                Err(error) => self.receive_failed(&error),
            }
        }
        Ok(true)
    }

    fn received(&mut self, received: Received, pushes: &PushQueue) {
        if matches!(self.state, State::AwaitingAck | State::Aborting) {
            return;
        }
        match self.calls.classify(&received) {
            Class::Reply(call) => {
                if self.calls.complete(call, received) {
                    self.counts.replies += 1;
                } else {
                    self.counts.late_replies += 1;
                    tracing::debug!(call, "a late reply, discarding");
                }
            }
            Class::Request => {
                self.counts.pushes += 1;
                if !pushes.push(&self.info, received) {
                    self.counts.discarded_pushes += 1;
                }
            }
            Class::UnknownReply => {
                self.counts.late_replies += 1;
                self.reporter.uncorrelated(&self.info, &received);
            }
            Class::Unexpected => {
                self.reporter.unexpected_reply(&received);
                self.abort(&abort_reasons::UNEXPECTED_REPLY, Cause::Uncorrelated);
            }
        }
    }

    fn notified(&mut self, notification: &Notification) {
        match notification {
            Notification::SendFailed(failed) => self.calls.send_failed(failed),
            Notification::Shutdown { .. } => self.peer_closing(true),
            Notification::AssocChange(change) if change.state == AssocChangeState::Restart => {
                self.restarted();
            }
            Notification::StreamChange(_) => {
                let streams = streams(&self.transport.connect_info());
                self.calls.set_streams(streams);
            }
            Notification::PeerAddrChange(change) => {
                self.reporter.path_changed(&self.info, change);
            }
            other => tracing::debug!(notification = ?other, "notification"),
        }
    }

    /// The peer has forgotten everything that it was asked.
    fn restarted(&mut self) {
        self.info = self.transport.connect_info();
        self.calls.restart(&self.info);
        self.fail_outbox(&Cause::Restarted);
        self.reporter.restarted(&self.info);
        if self.state == State::AwaitingAck {
            // Its new life does not know of the end that was begun.
            self.start_shutdown();
        }
    }

    /// Nothing more can be sent. If it was the peer's shutdown that told so, all of the peer's
    /// replies have been read, too: SHUTDOWN comes behind them.
    pub(super) fn peer_closing(&mut self, heard: bool) {
        if matches!(self.state, State::Open | State::Draining) {
            self.state = State::PeerClosing;
            self.set_deadline();
            self.stop_admitting();
        }
        if heard {
            self.calls.fail_unsent(&Cause::ShutDown);
            self.fail_outbox(&Cause::ShutDown);
        }
    }

    fn receive_failed(&mut self, error: &RecvError) {
        self.reporter.receive_failed(&self.info, error);
        let (reason, cause) = match error {
            RecvError::TooLarge { limit } => (
                &abort_reasons::MESSAGE_TOO_LARGE,
                Cause::TooLarge { limit: *limit },
            ),
            RecvError::Io(error) => (&abort_reasons::INTERNAL_ERROR, Cause::Lost(error.kind())),
            _ => (
                &abort_reasons::INTERNAL_ERROR,
                Cause::Lost(io::ErrorKind::InvalidData),
            ),
        };
        self.abort(reason, cause);
    }
}
