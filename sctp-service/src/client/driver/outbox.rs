//! Messages that wait to be taken by the transport.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use sctp_tokio::{Message, SendError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{Transport, correlate::CallId, handle::error::CallError};

/// Messages on their way to the transport, and whose they are. Bounded by the permits that their
/// owners hold.
#[derive(Default)]
pub(super) struct Outbox {
    messages: VecDeque<Message>,
    owners: VecDeque<Owner>,
}

pub(super) enum Owner {
    Call(CallId),
    OneWay(OneWay),
}

/// A one-way send that is waited for, and its place.
pub(super) struct OneWay {
    pub(super) done: oneshot::Sender<Result<(), CallError>>,
    pub(super) permit: OwnedSemaphorePermit,
}

impl OneWay {
    pub(super) fn finish(self, result: Result<(), CallError>) {
        drop(self.permit);
        // An error here means that nobody waits for it any more.
        drop(self.done.send(result));
    }
}

impl Outbox {
    pub(super) fn push(&mut self, message: Message, owner: Owner) {
        self.messages.push_back(message);
        self.owners.push_back(owner);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes the message of a call back, if it is still here.
    pub(super) fn withdraw(&mut self, call: CallId) -> bool {
        let is_it = |owner: &Owner| matches!(owner, Owner::Call(id) if *id == call);
        let Some(position) = self.owners.iter().position(is_it) else {
            return false;
        };
        self.owners.remove(position);
        self.messages.remove(position);
        true
    }

    /// Gives everything up, and returns whose it was.
    pub(super) fn clear(&mut self) -> VecDeque<Owner> {
        self.messages.clear();
        std::mem::take(&mut self.owners)
    }

    /// Sends what there is room for, and tells what became of each message that is no longer
    /// here.
    pub(super) fn flush<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut T,
        mut told: impl FnMut(Owner, Result<(), SendError>),
    ) {
        while !self.messages.is_empty() {
            let (refused, full) = match transport.poll_send(cx, &mut self.messages) {
                Poll::Ready(Err(error)) => (Some(error), false),
                Poll::Ready(Ok(())) => (None, false),
                Poll::Pending => (None, true),
            };
            let mut gone = self.owners.len().saturating_sub(self.messages.len());
            gone -= usize::from(refused.is_some() && gone > 0);
            for owner in self.owners.drain(..gone) {
                told(owner, Ok(()));
            }
            match refused {
                Some(error) => {
                    if let Some(owner) = self.owners.pop_front() {
                        told(owner, Err(error));
                    }
                }
                None if full => return,
                None => {}
            }
        }
    }
}
