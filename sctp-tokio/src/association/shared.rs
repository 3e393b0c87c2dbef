//! What the halves of an association share.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
};

use sctp_core::{AbortReason, AssocId, SendInfo, Socket};
use tokio::sync::Notify;

use super::end::{End, EndTracker, Side};
use crate::{
    error::SendError,
    io::Io,
    message::{Message, check, payload_len},
    send::{bundle::send_bundle, credit::SendCredit},
};

/// What kind of socket carries the association. The kernel's rules differ, and `SO_TYPE` does not
/// tell the last two apart, so it is written down when the socket is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// A one-to-one socket: no EOF, no ABORT with a reason.
    OneToOne,
    /// A one-to-many socket with this association alone, or one peeled off.
    OneToMany,
}

/// The state of an association that its sending and its receiving half both need.
#[derive(Debug)]
pub(crate) struct AssociationShared {
    /// `None` when the association had ended before it could get a socket of its own.
    io: Option<Io>,
    pub(crate) style: Style,
    pub(crate) id: AssocId,
    pub(crate) peer_addrs: Vec<SocketAddr>,
    pub(crate) local_addrs: Vec<SocketAddr>,
    outbound_streams: AtomicU16,
    inbound_streams: AtomicU16,
    pub(crate) tracker: EndTracker,
    end: OnceLock<End>,
    pub(crate) ended: Notify,
    credit: Mutex<SendCredit>,
}

/// What is known about an association when it comes up.
#[derive(Debug)]
pub(crate) struct AssociationInfo {
    pub(crate) style: Style,
    pub(crate) id: AssocId,
    pub(crate) peer_addrs: Vec<SocketAddr>,
    pub(crate) local_addrs: Vec<SocketAddr>,
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
}

impl AssociationShared {
    pub(crate) fn new(io: Option<Io>, info: AssociationInfo, tracker: EndTracker) -> Self {
        Self {
            io,
            style: info.style,
            id: info.id,
            peer_addrs: info.peer_addrs,
            local_addrs: info.local_addrs,
            outbound_streams: AtomicU16::new(info.outbound_streams),
            inbound_streams: AtomicU16::new(info.inbound_streams),
            tracker,
            end: OnceLock::new(),
            ended: Notify::new(),
            credit: Mutex::new(SendCredit::default()),
        }
    }

    /// Begins with what is known about an association; nothing is asked for.
    pub(crate) fn debug<'a, 'b>(
        &self,
        f: &'a mut fmt::Formatter<'b>,
        name: &str,
    ) -> fmt::DebugStruct<'a, 'b> {
        let mut shown = f.debug_struct(name);
        shown
            .field("id", &self.id)
            .field("peer_addrs", &self.peer_addrs)
            .field("local_addrs", &self.local_addrs)
            .field("outbound_streams", &self.outbound_streams())
            .field("inbound_streams", &self.inbound_streams())
            .field("style", &self.style)
            .field("end", &self.end());
        shown
    }

    pub(crate) fn io(&self) -> Option<&Io> {
        self.io.as_ref()
    }

    pub(crate) fn socket(&self) -> Option<&Socket> {
        self.io.as_ref().map(Io::socket)
    }

    /// Takes the socket back from the reactor, if there is one.
    pub(crate) fn into_socket(self) -> Result<Socket, Box<Self>> {
        match self {
            Self { io: Some(io), .. } => Ok(io.into_socket()),
            none => Err(Box::new(none)),
        }
    }

    /// Returns `false` once the kernel has no such association any more.
    pub(crate) fn is_present(&self) -> bool {
        self.socket()
            .is_some_and(|socket| socket.has_association(self.id))
    }

    pub(crate) fn end(&self) -> Option<&End> {
        self.end.get()
    }

    /// Notes the end, the first time, and wakes everybody.
    pub(crate) fn set_end(&self, end: End) -> &End {
        let end = self.end.get_or_init(|| end);
        self.ended.notify_waiters();
        if let Some(io) = &self.io {
            io.wake_writers();
        }
        end
    }

    pub(crate) fn outbound_streams(&self) -> u16 {
        self.outbound_streams.load(Ordering::Relaxed)
    }

    pub(crate) fn inbound_streams(&self) -> u16 {
        self.inbound_streams.load(Ordering::Relaxed)
    }

    pub(crate) fn set_streams(&self, outbound: u16, inbound: u16) {
        self.outbound_streams.store(outbound, Ordering::Relaxed);
        self.inbound_streams.store(inbound, Ordering::Relaxed);
    }

    /// Asks the kernel how many streams there are. Its notification of a change only tells how many
    /// were added (`sctp_ulpevent_make_stream_change_event`), or would have been.
    pub(crate) fn ask_streams(&self) {
        if let Some(Ok(status)) = self.socket().map(|socket| socket.status(self.id)) {
            self.set_streams(status.outbound_streams, status.inbound_streams);
        }
    }

    /// Serialises the sends, which the kernel does anyway, and guards the account of the room.
    pub(crate) fn credit(&self) -> MutexGuard<'_, SendCredit> {
        // The account is a number: a panic elsewhere cannot leave it half-changed.
        self.credit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one message; all of it or nothing.
    pub(crate) fn send(
        &self,
        socket: &Socket,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> io::Result<()> {
        let mut credit = self.credit();
        credit.charge_message(payload_len(payload));
        socket.send_msg(self.id, info, payload)
    }

    /// Sends from the front of the queue as many messages as one run holds, unless it is empty or the
    /// send buffer is full (`WouldBlock`).
    pub(crate) fn try_send_bundle(
        &self,
        socket: &Socket,
        queue: &mut VecDeque<Message>,
    ) -> Result<(), SendError> {
        let Some(front) = queue.front() else {
            return Ok(());
        };
        let streams = self.outbound_streams();
        if let Err(error) = check(&front.info, front.payload.len(), streams) {
            queue.pop_front();
            return Err(error);
        }
        match send_bundle(self.id, streams, &mut self.credit(), socket, queue) {
            Ok(sent) => {
                queue.drain(..sent);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SendError::Io(error)),
            Err(error) => {
                let message = queue.pop_front().unwrap_or_default();
                Err(self.refused(error, &message.info, message.payload.len()))
            }
        }
    }

    /// The same as an attempt: the error is that there is no room.
    pub(crate) fn attempt_bundle(
        &self,
        socket: &Socket,
        queue: &mut VecDeque<Message>,
    ) -> io::Result<Result<(), SendError>> {
        match self.try_send_bundle(socket, queue) {
            Err(SendError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            result => Ok(result),
        }
    }

    /// Says why a message was not sent.
    pub(crate) fn refused(&self, error: io::Error, info: &SendInfo, len: usize) -> SendError {
        // After shutdown(2) a one-to-one socket answers as if the association were over, which a
        // one-to-many socket does not.
        if error.kind() == io::ErrorKind::BrokenPipe
            && self.style == Style::OneToOne
            && self.is_present()
        {
            return SendError::ShuttingDown;
        }
        self.tracker.note_error(&error);
        let streams = self.outbound_streams();
        SendError::from_kernel(error, self.socket(), info, len, streams, self.end())
    }

    /// Begins the orderly end.
    pub(crate) fn start_shutdown(&self) -> io::Result<()> {
        let Some(socket) = self.socket() else {
            return Ok(());
        };
        self.tracker.note_shutdown(Side::Local);
        // Not between the sends of a run: the last one would be refused, and the others wait for it.
        let _between_bundles = self.credit();
        let result = match self.style {
            Style::OneToMany => socket.send_eof(self.id),
            Style::OneToOne => socket.shutdown_write(),
        };
        self.ignore_already_closed(result)
    }

    /// Ends the association at once.
    pub(crate) fn abort(&self, reason: &AbortReason) -> io::Result<()> {
        let Some(socket) = self.socket() else {
            return Ok(());
        };
        if self.style == Style::OneToOne {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "Linux cannot abort a one-to-one association with a reason",
            ));
        }
        self.tracker.note_abort();
        self.ignore_already_closed(socket.send_abort(self.id, reason))
    }

    /// As [`ignore_already_closed`], on a socket that may answer with an error of its own instead.
    fn ignore_already_closed(&self, result: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &result {
            self.tracker.note_error(error);
        }
        ignore_already_closed(result)
    }
}

/// What an operation of an association without a socket answers: it ended before it got one.
pub(crate) fn already_closed_error() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the association has ended")
}

/// Ending an association that has ended is no error: it is what was wanted.
pub(crate) fn ignore_already_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
                    // What a peeled-off socket has not been asked about yet: how it ended.
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::TimedOut
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}
