//! Bundles of messages for several associations.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
};

use sctp_core::{AssocId, SendItem, Socket};

use crate::{
    message::Message,
    send::{
        BatchSender,
        credit::{SendCredit, cost},
    },
};

/// Indices into a queue of the messages of one bundle, in ascending order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Indices {
    at: [usize; Socket::MAX_BATCH],
    len: usize,
}

impl Indices {
    pub(crate) fn push(&mut self, at: usize) {
        self.at[self.len] = at;
        self.len += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == self.at.len()
    }

    fn as_slice(&self) -> &[usize] {
        &self.at[..self.len]
    }
}

/// Bundle being sent.
#[derive(Debug)]
pub(crate) struct Bundle<'a, O> {
    queue: &'a VecDeque<(AssocId, Message)>,
    sender: &'a O,
    indices: Indices,
    /// Set for each position whose message was sent.
    sent: [bool; Socket::MAX_BATCH],
    failed: Option<(usize, io::Error)>,
}

/// Result of sending a bundle.
#[derive(Debug)]
pub(crate) struct Outcome {
    indices: Indices,
    sent: [bool; Socket::MAX_BATCH],
    /// Position and error of the first message that the kernel refused.
    pub(crate) failed: Option<(usize, io::Error)>,
}

/// Sends the messages of a queue at these positions. The kernel must accept each whenever it has space.
///
/// Messages that are followed by another one for the same association are sent with `MSG_MORE` in
/// one system call, and the last message of each association without it in another. Messages
/// therefore share packets, none is held back, and two system calls serve any number of
/// associations. No other send can come between the two.
///
/// If the send buffer may lack space, messages are sent in order without `MSG_MORE`, as many as the
/// kernel accepts.
pub(crate) fn send_many<O: BatchSender>(
    queue: &VecDeque<(AssocId, Message)>,
    mut indices: Indices,
    credit: &mut SendCredit,
    sender: &O,
) -> Outcome {
    let costs = |indices: &Indices| -> usize {
        let indices = indices.as_slice().iter();
        indices.map(|at| cost(queue[*at].1.payload.len())).sum()
    };
    let all = costs(&indices);
    let free = credit.free(sender, all);
    let mut fitting = indices;
    while costs(&fitting) > free {
        fitting.len -= 1;
    }
    let shares = fitting.len > 1;
    if shares {
        indices = fitting;
    }
    credit.charge(costs(&indices));
    let mut bundle = Bundle {
        queue,
        sender,
        indices,
        sent: [false; Socket::MAX_BATCH],
        failed: None,
    };
    if shares {
        bundle.share_packets();
    } else {
        bundle.in_order();
    }
    Outcome {
        indices: bundle.indices,
        sent: bundle.sent,
        failed: bundle.failed,
    }
}

impl<O: BatchSender> Bundle<'_, O> {
    fn share_packets(&mut self) {
        let mut held = Indices::default();
        for place in 0..self.indices.len {
            if (place + 1..self.indices.len).any(|later| self.assoc(later) == self.assoc(place)) {
                held.push(place);
            }
        }
        if !held.is_empty() {
            // If this stops short, the plain send below returns the reason.
            let count = self.sender.send_more(self.items(held.as_slice()));
            for place in &held.as_slice()[..count.unwrap_or(0)] {
                self.sent[*place] = true;
            }
        }
        let mut plain = Indices::default();
        for place in 0..self.indices.len {
            let is_next = |place: usize| {
                !self.sent[place]
                    && (0..place).all(|earlier| {
                        self.sent[earlier] || self.assoc(earlier) != self.assoc(place)
                    })
            };
            if is_next(place) {
                plain.push(place);
            }
        }
        let mut rest = plain.as_slice();
        while let [first, others @ ..] = rest {
            let sent = self.send_plainly(rest);
            if sent == 0 {
                // Messages of this association may be held back by `MSG_MORE`.
                self.sender.release(self.assoc(*first));
                rest = others;
            }
            rest = &rest[sent..];
        }
    }

    fn in_order(&mut self) {
        let all: [usize; Socket::MAX_BATCH] = std::array::from_fn(|place| place);
        let mut rest = &all[..self.indices.len];
        while !rest.is_empty() {
            let sent = self.send_plainly(rest);
            if sent == 0 {
                return;
            }
            rest = &rest[sent..];
        }
    }

    /// Sends from the front without `MSG_MORE`, in one system call. Returns the number sent. If it
    /// is 0, records the first message as failed, unless another one is recorded.
    fn send_plainly(&mut self, indices: &[usize]) -> usize {
        let result = match self.sender.send_plain(self.items(indices)) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            result => result,
        };
        match result {
            Ok(count) => {
                for place in &indices[..count] {
                    self.sent[*place] = true;
                }
                count
            }
            Err(error) => {
                let at = self.indices.at[indices[0]];
                self.failed.get_or_insert((at, error));
                0
            }
        }
    }

    fn assoc(&self, place: usize) -> AssocId {
        self.queue[self.indices.at[place]].0
    }

    fn items(&self, indices: &[usize]) -> impl Iterator<Item = SendItem<'_>> {
        indices.iter().map(|place| {
            let (assoc, message) = &self.queue[self.indices.at[*place]];
            SendItem {
                assoc: *assoc,
                info: &message.info,
                payload: &message.payload,
            }
        })
    }
}

impl Outcome {
    /// Removes sent messages from the queue. Returns the new position and the error of the refused
    /// message.
    pub(crate) fn settle(
        self,
        queue: &mut VecDeque<(AssocId, Message)>,
    ) -> Option<(usize, io::Error)> {
        let indices = self.indices.as_slice();
        let is_sent = |at: usize| {
            let place = indices.binary_search(&at);
            place.is_ok_and(|place| self.sent[place])
        };
        // Fast path: the sent messages are usually a prefix of the queue.
        let front = (0..queue.len()).take_while(|at| is_sent(*at)).count();
        let failed = self.failed.map(|(at, error)| {
            let before = (0..at).filter(|at| is_sent(*at)).count();
            (at - before, error)
        });
        let mut at = front;
        queue.drain(..front);
        if indices.last().is_some_and(|last| *last > front) {
            queue.retain(|_| {
                let keep = !is_sent(at);
                at += 1;
                keep
            });
        }
        failed
    }
}

#[cfg(test)]
mod tests;
