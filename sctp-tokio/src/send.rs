//! Sending: one message, or a run of messages that share packets.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    task::{Context, Poll, ready},
};

use sctp_core::{AssocId, Reliability, SendItem, Socket};

use crate::{End, Message, SendError, io::Io, shared::Shared};

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
    /// Makes sure that `cost` is free, asking the kernel if the account does not say so.
    fn covers(&mut self, socket: &Socket, cost: usize) -> bool {
        if self.free < cost {
            self.free = match (socket.send_buffer_size(), socket.send_queue_memory()) {
                (Ok(size), Ok(used)) => size.saturating_sub(used),
                _ => 0,
            };
        }
        self.free >= cost
    }

    fn charge(&mut self, cost: usize) {
        self.free = self.free.saturating_sub(cost);
    }
}

/// What the kernel charges for a message at most: about 500 bytes of its own structures for each
/// fragment, and the payload rounded up to the next power of two. Measured: 1,020 for 64 bytes,
/// 2,315 for 1,000 bytes.
fn cost(message: &Message) -> usize {
    let fragments = 1 + message.payload.len() / 512;
    2 * message.payload.len() + 1536 * fragments
}

/// Notes that a message goes out by itself.
pub(crate) fn charge_one(room: &mut Room, message: &Message) {
    room.charge(cost(message));
}

/// Sends one message; all of it or nothing.
pub(crate) fn send_one(shared: &Shared, socket: &Socket, message: &Message) -> io::Result<()> {
    let mut room = shared.room();
    charge_one(&mut room, message);
    socket.send_msg(shared.id, &message.info, &[IoSlice::new(&message.payload)])
}

/// Says what a failed send means.
pub(crate) fn send_error(
    error: io::Error,
    message: &Message,
    streams: u16,
    end: Option<&End>,
) -> SendError {
    const EINVAL: i32 = 22;
    const EMSGSIZE: i32 = 90;
    const ESHUTDOWN: i32 = 108;
    let stream = message.info.stream;
    match (error.kind(), error.raw_os_error()) {
        (_, Some(ESHUTDOWN)) => SendError::ShuttingDown,
        (_, Some(EMSGSIZE)) => SendError::TooLarge {
            len: message.payload.len(),
        },
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
pub(crate) fn check(message: &Message, streams: u16) -> Result<(), SendError> {
    if message.payload.is_empty() {
        return Err(SendError::Empty);
    }
    if message.info.stream.get() >= streams {
        return Err(SendError::InvalidStream {
            stream: message.info.stream,
            negotiated: streams,
        });
    }
    Ok(())
}

/// Whether the kernel takes this message whenever there is room, so that it can be part of a run.
/// Keys and partial reliability can be refused or make the kernel drop others: these go alone.
fn is_plain(message: &Message, streams: u16) -> bool {
    check(message, streams).is_ok()
        && message.info.auth_key.is_none()
        && message.info.reliability == Reliability::Reliable
}

/// How many messages from the front of the queue can go out as one run.
fn run_length(queue: &VecDeque<Message>, streams: u16, room: &mut Room, socket: &Socket) -> usize {
    let plain = queue
        .iter()
        .take(Socket::MAX_BATCH)
        .take_while(|message| is_plain(message, streams));
    let (len, total) = plain.fold((0, 0), |(len, total), message| {
        (len + 1, total + cost(message))
    });
    if len < 2 || !room.covers(socket, total) {
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

/// Sends from the front of the queue until it is empty or the send buffer is full.
pub(crate) fn poll_send_queue(
    shared: &Shared,
    io: &Io,
    cx: &mut Context<'_>,
    queue: &mut VecDeque<Message>,
) -> Poll<Result<(), SendError>> {
    while let Some(front) = queue.front() {
        let streams = shared.outbound_streams();
        if let Err(error) = check(front, streams) {
            queue.pop_front();
            return Poll::Ready(Err(error));
        }
        let run =
            |socket: &Socket| send_run(shared.id, streams, &mut shared.room(), socket, queue);
        let result = match run(io.socket()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(io.poll_write(cx, run))
            }
            result => result,
        };
        match result {
            Ok(sent) => drop(queue.drain(..sent)),
            Err(error) => {
                let Some(message) = queue.pop_front() else {
                    continue;
                };
                return Poll::Ready(Err(send_error(error, &message, streams, shared.end())));
            }
        }
    }
    Poll::Ready(Ok(()))
}
