//! Sending to many associations with few calls.

use std::{
    collections::{HashSet, VecDeque},
    io,
    task::{Context, Poll, ready},
};

use sctp_core::AssocId;
use tokio::task::coop;

use crate::{
    EndpointSendError, EndpointSender, Message, SendError,
    hub::Hub,
    many::{Places, send_many},
    run::goes_alone,
    send::check,
};

/// What one run carries, or why the front message that is not passed over cannot be sent.
type Chosen = Result<Places, (usize, SendError)>;

impl EndpointSender {
    /// Sends the messages of a queue, each on its association: in order for each association, many
    /// with one system call, whatever associations they are for, and short ones for the same
    /// association share packets. Each one that was sent has left the queue.
    ///
    /// It is the natural way to answer what came together: receive as long as there is something,
    /// then send all answers.
    ///
    /// ```no_run
    /// # use std::{collections::VecDeque, io};
    /// # use sctp_tokio::{Endpoint, EndpointSendError, Event, Message, RecvError, SendError};
    /// # async fn run(mut endpoint: Endpoint) -> Result<(), RecvError> {
    /// let sender = endpoint.sender();
    /// let mut answers = VecDeque::new();
    /// loop {
    ///     let mut event = endpoint.next_event().await?;
    ///     loop {
    ///         if let Event::Message(received) = event.event {
    ///             let info = received.info.reply();
    ///             answers.push_back((event.assoc, Message::new(received.payload).with_info(info)));
    ///         }
    ///         // Bounded, so that a fast peer cannot postpone its answers.
    ///         match (answers.len(), endpoint.try_next_event()) {
    ///             (..64, Ok(next)) => event = next,
    ///             _ => break,
    ///         }
    ///     }
    ///     while let Err(refused) = sender.send_many(&mut answers).await {
    ///         // A peer that has gone is no failure.
    ///         println!("{refused}");
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// A message that finds no room holds up all behind it, since the room is that of the socket;
    /// but where each association has its own (`net.sctp.sndbuf_policy=1` when the socket was
    /// made), only those for the same association.
    ///
    /// # Errors
    ///
    /// Why a message was refused, and whose it was; it has left the queue, the others are still
    /// there. Call again to go on.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent those that have left the queue, and no others.
    pub async fn send_many(
        &self,
        queue: &mut VecDeque<(AssocId, Message)>,
    ) -> Result<(), EndpointSendError> {
        let mut full = Full::default();
        loop {
            coop::consume_budget().await;
            match self.hub.try_send_many(queue, &mut full) {
                None => {}
                Some(Err(error)) if error.is_full() => {
                    let waited = self.wait_for_room().await;
                    waited.map_err(|failure| failed(error.assoc, failure))?;
                    full = Full::default();
                }
                Some(result) => return result,
            }
        }
    }

    /// Polls to send the messages of a queue, each on its association; the waker of the last task
    /// to ask through this handle is kept.
    ///
    /// # Errors
    ///
    /// As [`EndpointSender::send_many`].
    pub fn poll_send_many(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<(AssocId, Message)>,
    ) -> Poll<Result<(), EndpointSendError>> {
        let mut full = Full::default();
        loop {
            let coop = ready!(coop::poll_proceed(cx));
            let mut result = self.hub.try_send_many(queue, &mut full);
            if let Some(Err(error)) = &result
                && error.is_full()
            {
                let waited = ready!(self.poll_room(cx));
                result = waited
                    .err()
                    .map(|failure| Err(failed(error.assoc, failure)));
                full = Full::default();
            }
            coop.made_progress();
            if let Some(result) = result {
                return Poll::Ready(result);
            }
        }
    }

    /// Sends messages of a queue, each on its association, as long as there is room now. Each one
    /// that was sent has left the queue.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room for
    /// what is left in the queue; otherwise why a message was refused, which then has left the
    /// queue too.
    pub fn try_send_many(
        &self,
        queue: &mut VecDeque<(AssocId, Message)>,
    ) -> Result<(), EndpointSendError> {
        let mut full = Full::default();
        loop {
            if let Some(result) = self.hub.try_send_many(queue, &mut full) {
                return result;
            }
        }
    }
}

fn failed(assoc: AssocId, error: io::Error) -> EndpointSendError {
    EndpointSendError::new(assoc, SendError::Io(error))
}

/// The associations whose own send buffers are full.
#[derive(Debug, Default)]
struct Full {
    assocs: HashSet<AssocId>,
    first: Option<AssocId>,
}

impl Hub {
    /// Sends of a queue what one run holds, passing over those whose buffers are full. `None` says
    /// that there may be more to send.
    fn try_send_many(
        &self,
        queue: &mut VecDeque<(AssocId, Message)>,
        full: &mut Full,
    ) -> Option<Result<(), EndpointSendError>> {
        let places = match self.choose(queue, &full.assocs) {
            Ok(places) => places,
            Err((at, error)) => return Some(Err(refuse(queue, at, |_| error))),
        };
        if places.is_empty() {
            return Some(match full.first {
                None => Ok(()),
                Some(assoc) => Err(failed(assoc, io::ErrorKind::WouldBlock.into())),
            });
        }
        let outcome = send_many(queue, places, &mut self.account(), self.io.socket());
        match outcome.settle(queue) {
            None => queue.is_empty().then_some(Ok(())),
            Some((at, error)) if error.kind() == io::ErrorKind::WouldBlock => {
                let assoc = queue[at].0;
                if !self.has_own_buffers {
                    return Some(Err(failed(assoc, error)));
                }
                full.first.get_or_insert(assoc);
                full.assocs.insert(assoc);
                None
            }
            Some((at, error)) => {
                let why = |message: &_| self.refused(error, message, u16::MAX);
                Some(Err(refuse(queue, at, why)))
            }
        }
    }

    /// Chooses what the next run carries, passing over those whose buffers are full.
    fn choose(&self, queue: &VecDeque<(AssocId, Message)>, full: &HashSet<AssocId>) -> Chosen {
        let peers = self.peers();
        let mut places = Places::default();
        let open = queue.iter().enumerate();
        for (at, (assoc, message)) in open.filter(|(_, (assoc, _))| !full.contains(assoc)) {
            let streams = peers.get(assoc).map(|peer| peer.outbound_streams);
            let checked = streams
                .ok_or(SendError::NoAssociation)
                .and_then(|streams| check(&message.info, message.payload.len(), streams));
            match checked {
                Err(error) if places.is_empty() => return Err((at, error)),
                Err(_) => break,
                Ok(()) if goes_alone(message) => {
                    if places.is_empty() {
                        places.push(at);
                    }
                    break;
                }
                Ok(()) => places.push(at),
            }
            if places.is_full() {
                break;
            }
        }
        Ok(places)
    }
}

/// Takes a message from the queue and says why.
fn refuse(
    queue: &mut VecDeque<(AssocId, Message)>,
    at: usize,
    why: impl FnOnce(&Message) -> SendError,
) -> EndpointSendError {
    let (assoc, message) = queue.remove(at).unwrap_or_default();
    EndpointSendError::new(assoc, why(&message))
}
