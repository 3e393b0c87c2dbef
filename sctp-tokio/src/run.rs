//! A run of messages that share packets.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use sctp_core::{AssocId, Reliability, SendItem, Socket};

use crate::{Message, send::check};

/// What a run goes out through: a socket, or what a test puts in its place.
pub(crate) trait Outlet {
    /// How much of the send buffer is free.
    fn room(&self) -> usize;

    /// Sends messages that wait for a plain send to follow (`MSG_MORE`). Returns how many.
    fn send_held<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize>;

    /// Sends messages plainly, and with each all that waits on its association. Returns how many.
    fn send_plain<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize>;

    /// Sends one message plainly, and with it all that waits.
    fn send(&self, item: SendItem<'_>) -> io::Result<()>;

    /// Has what waits go out without a further message.
    fn release(&self, assoc: AssocId);
}

impl Outlet for Socket {
    fn room(&self) -> usize {
        self.send_buffer_free().unwrap_or(0)
    }

    fn send_held<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        self.send_batch(items, true)
    }

    fn send_plain<'a>(&self, items: impl Iterator<Item = SendItem<'a>>) -> io::Result<usize> {
        self.send_batch(items, false)
    }

    fn send(&self, item: SendItem<'_>) -> io::Result<()> {
        self.send_msg(item.assoc, item.info, &[IoSlice::new(item.payload)])
    }

    /// A heartbeat begins a packet, and what waits is put into it: it waits only for lack of one
    /// (`sctp_packet_can_append_data`).
    fn release(&self, assoc: AssocId) {
        // An association that is not there any more has nothing to release.
        let _ = self.request_heartbeat(assoc, None);
    }
}

/// How much of the send buffer is certainly free.
///
/// A run of messages sent with `MSG_MORE` must not be cut short by a full buffer, because the
/// kernel would hold its tail back until the next plain send. So before a run this account
/// must cover it, by an estimate from above of what the kernel charges. The account is read from
/// the kernel (`SO_MEMINFO`) and then only counted down, so it errs on the safe side: what has
/// been acknowledged since is free as well.
#[derive(Debug, Default)]
pub(crate) struct Room {
    free: usize,
}

impl Room {
    /// How much is free: at least `cost`, if the account or else the kernel says so.
    pub(crate) fn free(&mut self, outlet: &impl Outlet, cost: usize) -> usize {
        if self.free < cost {
            self.free = outlet.room();
        }
        self.free
    }

    pub(crate) fn charge(&mut self, cost: usize) {
        self.free = self.free.saturating_sub(cost);
    }
}

/// What the kernel charges for a message at most: about 500 bytes of its own structures for each
/// fragment, and the payload rounded up to the next power of two. Measured: 1,020 for 64 bytes,
/// 2,315 for 1,000 bytes.
pub(crate) fn cost(len: usize) -> usize {
    let fragments = 1 + len / 512;
    2 * len + 1536 * fragments
}

/// Notes that a message of this length goes out by itself.
pub(crate) fn charge_one(room: &mut Room, len: usize) {
    room.charge(cost(len));
}

/// Whether the kernel takes this message whenever there is room, so that it can be part of a run.
fn is_plain(message: &Message, streams: u16) -> bool {
    check(&message.info, message.payload.len(), streams).is_ok() && !goes_alone(message)
}

/// Keys and partial reliability can be refused or make the kernel drop others: these go alone.
pub(crate) fn goes_alone(message: &Message) -> bool {
    message.info.auth_key.is_some() || message.info.reliability != Reliability::Reliable
}

/// How many messages from the front of the queue can go out as one run: as many as there is
/// certainly room for.
fn run_length(
    queue: &VecDeque<Message>,
    streams: u16,
    room: &mut Room,
    outlet: &impl Outlet,
) -> usize {
    let costs = queue
        .iter()
        .take(Socket::MAX_BATCH)
        .take_while(|message| is_plain(message, streams))
        .map(|message| cost(message.payload.len()));
    let free = room.free(outlet, costs.clone().sum());
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
    room.charge(total);
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
pub(crate) fn send_run(
    assoc: AssocId,
    streams: u16,
    room: &mut Room,
    outlet: &impl Outlet,
    queue: &VecDeque<Message>,
) -> io::Result<usize> {
    let run = run_length(queue, streams, room, outlet);
    let mut sent = 0;
    if run > 1 {
        let held = queue.iter().take(run - 1);
        sent = outlet.send_held(held.map(|message| item(assoc, message)))?;
    }
    let Some(last) = queue.get(sent) else {
        return Ok(sent);
    };
    match outlet.send(item(assoc, last)) {
        Ok(()) => Ok(sent + 1),
        Err(error) if sent == 0 => Err(error),
        Err(_) => {
            // The room was there, so it is not for want of that; the next call will report it.
            outlet.release(assoc);
            Ok(sent)
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, sctp_loom))]
mod models;
