//! A run of messages for many associations.

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

/// The places in a queue of what one run carries.
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

/// One run: what it is of, and how far it has come.
#[derive(Debug)]
pub(crate) struct Run<'a, O> {
    queue: &'a VecDeque<(AssocId, Message)>,
    sender: &'a O,
    indices: Indices,
    /// For each of the places whether its message went out.
    sent: [bool; Socket::MAX_BATCH],
    failed: Option<(usize, io::Error)>,
}

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    indices: Indices,
    sent: [bool; Socket::MAX_BATCH],
    /// Where the first one was that the kernel refused, and why.
    pub(crate) failed: Option<(usize, io::Error)>,
}

/// Sends messages of a queue that lie at these places, each of which the kernel takes whenever
/// there is room.
///
/// Those that another one to the same association follows go with `MSG_MORE`, in one call, then
/// the last one of each association plainly, in another: so messages share packets, none stays
/// behind, and two calls do for any number of associations. Both are made here, in one go.
///
/// Where there is not certainly room for that, they go plainly in their order, as many as the
/// kernel takes.
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
    let mut run = Run {
        queue,
        sender,
        indices,
        sent: [false; Socket::MAX_BATCH],
        failed: None,
    };
    if shares {
        run.share_packets();
    } else {
        run.in_order();
    }
    Outcome {
        indices: run.indices,
        sent: run.sent,
        failed: run.failed,
    }
}

impl<O: BatchSender> Run<'_, O> {
    fn share_packets(&mut self) {
        let mut held = Indices::default();
        for place in 0..self.indices.len {
            if (place + 1..self.indices.len).any(|later| self.assoc(later) == self.assoc(place)) {
                held.push(place);
            }
        }
        if !held.is_empty() {
            // What stopped it short is found out below, where its message is tried plainly.
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
                // Something of this association may wait for it.
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

    /// Sends plainly, from the front, with one call. Returns how many went out; with none, the
    /// first one is noted as the one that failed, unless one was before.
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
    /// Takes what went out from the queue. Returns where the one that was refused is then, and
    /// why it was.
    pub(crate) fn settle(
        self,
        queue: &mut VecDeque<(AssocId, Message)>,
    ) -> Option<(usize, io::Error)> {
        let indices = self.indices.as_slice();
        let is_sent = |at: usize| {
            let place = indices.binary_search(&at);
            place.is_ok_and(|place| self.sent[place])
        };
        // Nearly always it is all that there was, at the front.
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
