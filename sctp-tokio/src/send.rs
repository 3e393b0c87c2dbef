//! Sending: one message, or a run of messages that share packets.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use sctp_core::{AssocId, Reliability, SendInfo, SendItem, Socket};

use crate::{End, Message, SendError, shared::Shared};

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
    fn free(&mut self, socket: &Socket, cost: usize) -> usize {
        if self.free < cost {
            self.free = socket.send_room().unwrap_or(0);
        }
        self.free
    }

    fn charge(&mut self, cost: usize) {
        self.free = self.free.saturating_sub(cost);
    }
}

/// What the kernel charges for a message at most: about 500 bytes of its own structures for each
/// fragment, and the payload rounded up to the next power of two. Measured: 1,020 for 64 bytes,
/// 2,315 for 1,000 bytes.
fn cost(len: usize) -> usize {
    let fragments = 1 + len / 512;
    2 * len + 1536 * fragments
}

/// Notes that a message of this length goes out by itself.
pub(crate) fn charge_one(room: &mut Room, len: usize) {
    room.charge(cost(len));
}

/// How long a message is.
pub(crate) fn length(payload: &[IoSlice<'_>]) -> usize {
    payload.iter().map(|slice| slice.len()).sum()
}

/// Sends one message; all of it or nothing.
pub(crate) fn send_one(
    shared: &Shared,
    socket: &Socket,
    info: &SendInfo,
    payload: &[IoSlice<'_>],
) -> io::Result<()> {
    let mut room = shared.room();
    charge_one(&mut room, length(payload));
    socket.send_msg(shared.id, info, payload)
}

/// Says what a failed send means.
pub(crate) fn send_error(
    error: io::Error,
    info: &SendInfo,
    len: usize,
    streams: u16,
    end: Option<&End>,
) -> SendError {
    const EINVAL: i32 = 22;
    const EMSGSIZE: i32 = 90;
    const ESHUTDOWN: i32 = 108;
    let stream = info.stream;
    match (error.kind(), error.raw_os_error()) {
        (_, Some(ESHUTDOWN)) => SendError::ShuttingDown,
        (_, Some(EMSGSIZE)) => SendError::TooLarge { len },
        (_, Some(EINVAL)) if stream.get() >= streams => SendError::InvalidStream {
            stream,
            negotiated: streams,
        },
        (
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected,
            _,
        ) => SendError::Ended(end.cloned().unwrap_or(End::Unread)),
        _ => SendError::Io(error),
    }
}

/// Why a message cannot be sent, as far as it can be told without the kernel.
pub(crate) fn check(info: &SendInfo, len: usize, streams: u16) -> Result<(), SendError> {
    if len == 0 {
        return Err(SendError::Empty);
    }
    if info.stream.get() >= streams {
        return Err(SendError::InvalidStream {
            stream: info.stream,
            negotiated: streams,
        });
    }
    Ok(())
}

/// Whether the kernel takes this message whenever there is room, so that it can be part of a run.
/// Keys and partial reliability can be refused or make the kernel drop others: these go alone.
fn is_plain(message: &Message, streams: u16) -> bool {
    check(&message.info, message.payload.len(), streams).is_ok()
        && message.info.auth_key.is_none()
        && message.info.reliability == Reliability::Reliable
}

/// How many messages from the front of the queue can go out as one run: as many as there is
/// certainly room for.
fn run_length(queue: &VecDeque<Message>, streams: u16, room: &mut Room, socket: &Socket) -> usize {
    let costs = queue
        .iter()
        .take(Socket::MAX_BATCH)
        .take_while(|message| is_plain(message, streams))
        .map(|message| cost(message.payload.len()));
    let free = room.free(socket, costs.clone().sum());
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
    socket: &Socket,
    queue: &VecDeque<Message>,
) -> io::Result<usize> {
    let run = run_length(queue, streams, room, socket);
    let mut sent = 0;
    if run > 1 {
        sent = socket.send_batch(
            queue
                .iter()
                .take(run - 1)
                .map(|message| item(assoc, message)),
            true,
        )?;
    }
    let Some(last) = queue.get(sent) else {
        return Ok(sent);
    };
    match socket.send_msg(assoc, &last.info, &[IoSlice::new(&last.payload)]) {
        Ok(()) => Ok(sent + 1),
        // The room was there, so this is not for want of it; the next call will report it.
        Err(_) if sent > 0 => Ok(sent),
        Err(error) => Err(error),
    }
}

/// Sends from the front of the queue until it is empty, or the send buffer is full
/// (`WouldBlock`).
pub(crate) fn try_send_queue(
    shared: &Shared,
    socket: &Socket,
    queue: &mut VecDeque<Message>,
) -> Result<(), SendError> {
    while let Some(front) = queue.front() {
        let streams = shared.outbound_streams();
        if let Err(error) = check(&front.info, front.payload.len(), streams) {
            queue.pop_front();
            return Err(error);
        }
        match send_run(shared.id, streams, &mut shared.room(), socket, queue) {
            Ok(sent) => drop(queue.drain(..sent)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(SendError::Io(error));
            }
            Err(error) => {
                let Some(message) = queue.pop_front() else {
                    continue;
                };
                return Err(shared.refused(error, &message.info, message.payload.len()));
            }
        }
    }
    Ok(())
}

/// The same as an attempt: the error is that there is no room.
pub(crate) fn attempt_queue(
    shared: &Shared,
    socket: &Socket,
    queue: &mut VecDeque<Message>,
) -> io::Result<Result<(), SendError>> {
    match try_send_queue(shared, socket, queue) {
        Err(SendError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        result => Ok(result),
    }
}
