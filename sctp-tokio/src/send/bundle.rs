//! Bundles: messages for one association that share packets (RFC 9260 section 6.10).

use std::{collections::VecDeque, io};

use sctp_core::{AssocId, Reliability, SendItem, Socket};

use super::{
    BatchSender,
    credit::{SendCredit, cost},
};
use crate::message::{Message, check};

/// Whether the kernel takes this message whenever there is room, so that it can be part of a run.
fn is_bundleable(message: &Message, streams: u16) -> bool {
    check(&message.info, message.payload.len(), streams).is_ok() && !goes_unbundled(message)
}

/// Keys and partial reliability can be refused or make the kernel drop others: these go alone.
pub(crate) fn goes_unbundled(message: &Message) -> bool {
    message.info.auth_key.is_some() || message.info.reliability != Reliability::Reliable
}

/// How many messages from the front of the queue can go out as one run: as many as there is
/// certainly room for.
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

/// Sends from the front of the queue, as many as one run holds. Returns how many went out.
///
/// A run is all but its last message with `MSG_MORE`, then the last one without: messages share
/// packets, and none stays behind. Both calls are made here, in one go, so no cancellation can
/// come between them.
pub(crate) fn send_bundle(
    assoc: AssocId,
    streams: u16,
    credit: &mut SendCredit,
    sender: &impl BatchSender,
    queue: &VecDeque<Message>,
) -> io::Result<usize> {
    let run = bundle_len(queue, streams, credit, sender);
    let mut sent = 0;
    if run > 1 {
        let held = queue.iter().take(run - 1);
        sent = sender.send_more(held.map(|message| item(assoc, message)))?;
    }
    let Some(last) = queue.get(sent) else {
        return Ok(sent);
    };
    match sender.send(item(assoc, last)) {
        Ok(()) => Ok(sent + 1),
        Err(error) if sent == 0 => Err(error),
        Err(_) => {
            // The room was there, so it is not for want of that; the next call will report it.
            sender.release(assoc);
            Ok(sent)
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, sctp_loom))]
mod models;
