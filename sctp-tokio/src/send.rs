//! Sending: one message, or a queue of them.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use sctp_core::{SendInfo, Socket, errno};

use crate::{
    End, Message, SendError,
    explained::explained,
    run::{charge_one, send_run},
    shared::Shared,
};

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

/// Says what a failed send means; asks the socket only where the kernel refused for the length.
pub(crate) fn send_error(
    error: io::Error,
    socket: Option<&Socket>,
    info: &SendInfo,
    len: usize,
    streams: u16,
    end: Option<&End>,
) -> SendError {
    let stream = info.stream;
    match (error.kind(), error.raw_os_error()) {
        (_, Some(errno::ESHUTDOWN)) => SendError::ShuttingDown,
        (_, Some(errno::EMSGSIZE)) => too_large(error, socket, len),
        (_, Some(errno::EINVAL)) if stream.get() >= streams => SendError::InvalidStream {
            stream,
            negotiated: streams,
        },
        (
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            // A peeled-off socket tells how it ended, once, to whoever asks first.
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::TimedOut,
            _,
        ) => SendError::Ended(end.cloned().unwrap_or(End::Unread)),
        _ => SendError::Io(error),
    }
}

/// Says why a message is too long.
fn too_large(error: io::Error, socket: Option<&Socket>, len: usize) -> SendError {
    match socket.map(Socket::send_buffer_size) {
        Some(Ok(limit)) if len > limit => SendError::TooLarge { len, limit },
        Some(Ok(_)) => SendError::Io(explained(
            error,
            format!(
                "a message of {len} bytes does not fit a packet, and this socket does not fragment"
            ),
        )),
        _ => SendError::Io(error),
    }
}

/// Why a message cannot be sent from so many places.
pub(crate) fn check_slices(payload: &[IoSlice<'_>]) -> Result<(), SendError> {
    /// `IOV_MAX`, `UIO_MAXIOV` in the kernel.
    const LIMIT: usize = 1024;
    if payload.len() > LIMIT {
        return Err(SendError::TooManySlices {
            slices: payload.len(),
            limit: LIMIT,
        });
    }
    Ok(())
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

/// Sends from the front of the queue as many messages as one run holds, unless it is empty or the
/// send buffer is full (`WouldBlock`).
pub(crate) fn try_send_run(
    shared: &Shared,
    socket: &Socket,
    queue: &mut VecDeque<Message>,
) -> Result<(), SendError> {
    let Some(front) = queue.front() else {
        return Ok(());
    };
    let streams = shared.outbound_streams();
    if let Err(error) = check(&front.info, front.payload.len(), streams) {
        queue.pop_front();
        return Err(error);
    }
    match send_run(shared.id, streams, &mut shared.room(), socket, queue) {
        Ok(sent) => {
            queue.drain(..sent);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SendError::Io(error)),
        Err(error) => {
            let message = queue.pop_front().unwrap_or_default();
            Err(shared.refused(error, &message.info, message.payload.len()))
        }
    }
}

/// The same as an attempt: the error is that there is no room.
pub(crate) fn attempt_run(
    shared: &Shared,
    socket: &Socket,
    queue: &mut VecDeque<Message>,
) -> io::Result<Result<(), SendError>> {
    match try_send_run(shared, socket, queue) {
        Err(SendError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        result => Ok(result),
    }
}
