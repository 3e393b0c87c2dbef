//! One of the two associations of a conversation.

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use sctp_tokio::{
    AbortReason, AssocChangeState, Association, End, Event, Message, Notification, Received,
    RecvError, RecvHalf, SendError, SendHalf,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::totals::{Direction, Totals};
use crate::ending::{END_TIMEOUT, TOO_SLOW};

/// Limits on messages that wait to be sent: their number, and their bytes unless a single message
/// is longer.
const MAX_QUEUED: usize = 64;
const MAX_QUEUED_BYTES: usize = 256 * 1024;
/// Time limit for the end of an association that was aborted.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// An association, and the messages for its peer.
pub(super) struct Half {
    pub(super) sender: SendHalf,
    pub(super) receiver: RecvHalf,
    pub(super) queue: VecDeque<Message>,
    /// The direction of messages to this peer.
    direction: Direction,
    pub(super) peer: Option<SocketAddr>,
    /// The association takes no more messages; its end is near.
    pub(super) stuck: bool,
    enqueued: u64,
    /// Messages of the queue that were given up.
    failed: u64,
    /// Messages that were counted as passed on.
    settled: u64,
    /// Messages for this peer that it did not get.
    pub(super) lost: u64,
}

/// Event of a half that its conversation acts on.
pub(super) enum Incoming {
    Message(Message),
    Closed(End),
    /// A message that the kernel had accepted did not reach the peer.
    Undelivered,
    /// The peer has forgotten the association and made a new one of it.
    Restarted,
    Other,
}

impl Half {
    pub(super) fn new(association: Association, direction: Direction) -> Self {
        let peer = association.initial_peer_addrs().first().copied();
        let (sender, receiver) = association.split();
        Self {
            sender,
            receiver,
            queue: VecDeque::new(),
            direction,
            peer,
            stuck: false,
            enqueued: 0,
            failed: 0,
            settled: 0,
            lost: 0,
        }
    }

    /// Returns `true` if a message may be queued.
    pub(super) fn has_room(&self) -> bool {
        let bytes = || {
            self.queue
                .iter()
                .map(|message| message.payload.len())
                .sum::<usize>()
        };
        self.queue.is_empty() || (self.queue.len() < MAX_QUEUED && bytes() < MAX_QUEUED_BYTES)
    }

    pub(super) fn push(&mut self, message: Message) {
        self.enqueued += 1;
        self.queue.push_back(message);
    }

    /// Number of messages that were passed on to this peer.
    pub(super) fn passed(&self) -> u64 {
        self.enqueued - self.failed - self.queue.len() as u64
    }

    /// Counts what was passed on since the last time. A send that was cancelled has passed on a part.
    pub(super) fn settle(&mut self, totals: &Totals) {
        let passed = self.passed();
        totals.passed(self.direction, passed.wrapping_sub(self.settled));
        self.settled = passed;
    }

    /// Records the error of a send, which is one of the association, or of the message that was the
    /// first in the queue and has left it.
    pub(super) fn note_failure(
        &mut self,
        error: SendError,
        totals: &Totals,
    ) -> Result<(), SendError> {
        self.failed += 1;
        self.note_lost(1, totals);
        match error {
            SendError::Closed(_) | SendError::ShuttingDown => {
                self.stuck = true;
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Records a message that had been passed on and did not arrive.
    pub(super) fn note_undelivered(&mut self, totals: &Totals) {
        self.failed += 1;
        self.note_lost(1, totals);
    }

    /// Records messages that cannot be passed on to this peer.
    pub(super) fn note_lost(&mut self, messages: u64, totals: &Totals) {
        self.lost += messages;
        totals.lost(self.direction, messages);
    }

    /// Gives up what is queued.
    pub(super) fn clear(&mut self, totals: &Totals) {
        let messages = self.queue.len() as u64;
        self.queue.clear();
        self.failed += messages;
        self.note_lost(messages, totals);
        self.settle(totals);
    }

    /// Returns `true` if there is something to send.
    pub(super) fn sends(&self) -> bool {
        !self.queue.is_empty() && !self.stuck
    }

    /// The peer's address.
    pub(super) fn name(&self) -> String {
        self.peer
            .map_or_else(|| "unknown".to_owned(), |peer| peer.to_string())
    }

    /// Queues what a closed association has left in its socket, which its buffer bounds, and returns
    /// its end.
    pub(super) async fn take_rest(
        &mut self,
        closed: &mut Self,
        totals: &Totals,
    ) -> io::Result<End> {
        loop {
            match Self::next(&mut closed.receiver).await? {
                Incoming::Message(message) => self.push(message),
                Incoming::Closed(end) => return Ok(end),
                Incoming::Undelivered => closed.note_undelivered(totals),
                Incoming::Restarted | Incoming::Other => {}
            }
        }
    }

    /// Goes on with another association, to which the queue is sent.
    pub(super) fn replace(&mut self, association: Association) {
        self.peer = association.initial_peer_addrs().first().copied();
        (self.sender, self.receiver) = association.split();
        self.stuck = false;
    }

    /// Receives the next event. Cancel safe.
    pub(super) async fn next(receiver: &mut RecvHalf) -> io::Result<Incoming> {
        let event = match receiver.next_event().await {
            // The peer was aborted for it, and the end follows.
            Err(RecvError::TooLarge { .. }) => return Ok(Incoming::Other),
            event => event?,
        };
        Ok(match event {
            Event::Message(message) => Incoming::Message(pass_on(message)),
            Event::Closed(end) => Incoming::Closed(end),
            Event::Notification(Notification::AssocChange(change))
                if change.state == AssocChangeState::Restart =>
            {
                Incoming::Restarted
            }
            // One for each fragment of a message.
            Event::Notification(Notification::SendFailed(failed)) if failed.last_fragment => {
                Incoming::Undelivered
            }
            _ => Incoming::Other,
        })
    }

    /// Sends what is queued and ends the association. Messages that come meanwhile are lost to the
    /// other peer.
    pub(super) async fn finish(&mut self, how: &Finish, other: &mut Self, totals: &Totals) {
        let undeliverable = self.end(how, totals).await;
        other.note_lost(undeliverable, totals);
    }

    /// Sends what is queued, ends the association, and returns the number of messages that came
    /// meanwhile, for which there is nobody any more.
    pub(super) async fn end(&mut self, how: &Finish, totals: &Totals) -> u64 {
        let mut deadline = Instant::now() + END_TIMEOUT;
        let mut undeliverable = 0;
        let (mut ending, mut too_slow) = (false, false);
        loop {
            if !ending && (self.queue.is_empty() || self.stuck) {
                ending = true;
                match how {
                    Finish::Shutdown => drop(self.sender.start_shutdown()),
                    Finish::Abort(reason) => {
                        // What has been passed on arrives before the abort, which would discard it.
                        let _ = timeout(END_TIMEOUT, self.sender.flushed()).await;
                        drop(self.sender.abort(reason));
                    }
                }
            }
            tokio::select! {
                event = Self::next(&mut self.receiver) => match event {
                    Ok(Incoming::Message(_)) => undeliverable += 1,
                    Ok(Incoming::Closed(_)) => break,
                    Ok(Incoming::Undelivered) => self.note_undelivered(totals),
                    Ok(_) => {}
                    Err(_) => break,
                },
                sent = self.sender.send_queue(&mut self.queue), if !ending => {
                    if let Err(error) = sent && self.note_failure(error, totals).is_err() {
                        self.stuck = true;
                    }
                }
                () = sleep_until(deadline) => {
                    if too_slow {
                        break;
                    }
                    // The kernel says then what it did not deliver.
                    drop(self.sender.abort(&TOO_SLOW));
                    (ending, too_slow) = (true, true);
                    deadline = Instant::now() + ABORT_GRACE;
                }
            }
        }
        self.clear(totals);
        undeliverable
    }
}

/// End of an association, from here.
#[derive(Clone, Debug)]
pub(super) enum Finish {
    Shutdown,
    Abort(AbortReason),
}

impl Finish {
    /// Passes the end of the other association on. What is no one's decision becomes an abort that
    /// says so.
    pub(super) fn after(end: &End, who: &str) -> Self {
        match end {
            End::Shutdown { .. } => Self::Shutdown,
            end => match end.reason().map(AbortReason::new) {
                Some(Ok(reason)) => Self::Abort(reason),
                _ => Self::Abort(AbortReason::truncated(format!("sctp proxy: {who}: {end}"))),
            },
        }
    }
}

/// The message to send for one that was received: on the same stream, with the same identifier.
fn pass_on(message: Received) -> Message {
    let info = message.info.reply();
    Message::new(message.payload).with_info(info)
}
