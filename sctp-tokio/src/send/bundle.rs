//! Bundles of messages for one association, which share packets (RFC 9260 section 6.10).

use std::{collections::VecDeque, io};

use sctp_core::{AssocId, Reliability, SendItem, Socket};

use super::{
    BatchSender,
    credit::{SendCredit, cost},
};
use crate::message::{Message, check};

/// Returns `true` if the kernel accepts the message whenever it has space.
fn is_bundleable(message: &Message, streams: u16) -> bool {
    check(&message.info, message.payload.len(), streams).is_ok() && !goes_unbundled(message)
}

/// Returns `true` if the message must be sent by itself. Keys can be refused, and partial
/// reliability can make the kernel drop other messages.
pub(crate) fn goes_unbundled(message: &Message) -> bool {
    message.info.auth_key.is_some() || message.info.reliability != Reliability::Reliable
}

/// Returns the number of messages at the front of the queue that fit the free space.
fn bundle_len(
    queue: &VecDeque<Message>,
    streams: u16,
    credit: &mut SendCredit,
    sender: &impl BatchSender,
) -> usize {
    let costs = queue
        .iter()
        .take(Socket::MAX_BATCH)
        .take_while(|message| is_bundleable(message, streams))
        .map(|message| cost(message.payload.len()));
    let free = credit.free(sender, costs.clone().sum());
    let (mut len, mut total) = (0, 0);
    for cost in costs {
        if total + cost > free {
            break;
        }
        (len, total) = (len + 1, total + cost);
    }
    if len < 2 {
        return 1;
    }
    credit.charge(total);
    len
}

fn item(assoc: AssocId, message: &Message) -> SendItem<'_> {
    SendItem {
        assoc,
        info: &message.info,
        payload: &message.payload,
    }
}

/// Sends a bundle from the front of the queue. Returns the number of messages sent.
///
/// All messages but the last are sent with `MSG_MORE`, and the last one without. Messages therefore
/// share packets, and none is held back. The function is synchronous, so no cancellation can
/// separate the two system calls.
pub(crate) fn send_bundle(
    assoc: AssocId,
    streams: u16,
    credit: &mut SendCredit,
    sender: &impl BatchSender,
    queue: &VecDeque<Message>,
) -> io::Result<usize> {
    let len = bundle_len(queue, streams, credit, sender);
    let mut sent = 0;
    if len > 1 {
        let held = queue.iter().take(len - 1);
        sent = sender.send_more(held.map(|message| item(assoc, message)))?;
    }
    let Some(last) = queue.get(sent) else {
        return Ok(sent);
    };
    match sender.send(item(assoc, last)) {
        Ok(()) => Ok(sent + 1),
        Err(error) if sent == 0 => Err(error),
        Err(_) => {
            // There was space, so the cause is another error, which the next call returns.
            sender.release(assoc);
            Ok(sent)
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, sctp_loom))]
mod models;
