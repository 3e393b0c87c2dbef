//! What the halves of an association share.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
};

use sctp_core::{AbortReason, AssocId, SendInfo, Socket};
use tokio::sync::Notify;

use crate::{
    End, SendError, Side, end::Marks, io::Io, recv_half::is_gone, run::Room, send::send_error,
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
pub(crate) struct Shared {
    /// `None` when the association had ended before it could get a socket of its own.
    io: Option<Io>,
    pub(crate) style: Style,
    pub(crate) id: AssocId,
    pub(crate) peer_addrs: Vec<SocketAddr>,
    pub(crate) local_addrs: Vec<SocketAddr>,
    outbound_streams: AtomicU16,
    inbound_streams: AtomicU16,
    pub(crate) marks: Marks,
    end: OnceLock<End>,
    pub(crate) ended: Notify,
    room: Mutex<Room>,
}

/// What is known about an association when it comes up.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) style: Style,
    pub(crate) id: AssocId,
    pub(crate) peer_addrs: Vec<SocketAddr>,
    pub(crate) local_addrs: Vec<SocketAddr>,
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
}

impl Shared {
    pub(crate) fn new(io: Option<Io>, facts: Facts, marks: Marks) -> Self {
        Self {
            io,
            style: facts.style,
            id: facts.id,
            peer_addrs: facts.peer_addrs,
            local_addrs: facts.local_addrs,
            outbound_streams: AtomicU16::new(facts.outbound_streams),
            inbound_streams: AtomicU16::new(facts.inbound_streams),
            marks,
            end: OnceLock::new(),
            ended: Notify::new(),
            room: Mutex::new(Room::default()),
        }
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
    pub(crate) fn room(&self) -> MutexGuard<'_, Room> {
        // The account is a number: a panic elsewhere cannot leave it half-changed.
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says why a message was not sent.
    pub(crate) fn refused(&self, error: io::Error, info: &SendInfo, len: usize) -> SendError {
        // After shutdown(2) a one-to-one socket answers as if the association were over, which a
        // one-to-many socket does not.
        if error.kind() == io::ErrorKind::BrokenPipe
            && self.style == Style::OneToOne
            && self
                .socket()
                .is_some_and(|socket| !is_gone(socket, self.id))
        {
            return SendError::ShuttingDown;
        }
        self.marks.note_error(&error);
        let streams = self.outbound_streams();
        send_error(error, self.socket(), info, len, streams, self.end())
    }

    /// Begins the orderly end.
    pub(crate) fn start_shutdown(&self) -> io::Result<()> {
        let Some(socket) = self.socket() else {
            return Ok(());
        };
        self.marks.note_shutdown(Side::Local);
        // Not between the sends of a run: the last one would be refused, and the others wait for it.
        let _between_runs = self.room();
        let result = match self.style {
            Style::OneToMany => socket.send_eof(self.id),
            Style::OneToOne => socket.shutdown_write(),
        };
        self.gone_is_fine(result)
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
        self.marks.note_abort();
        self.gone_is_fine(socket.send_abort(self.id, reason))
    }

    /// As [`gone_is_fine`], on a socket that may answer with an error of its own instead.
    fn gone_is_fine(&self, result: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &result {
            self.marks.note_error(error);
        }
        gone_is_fine(result)
    }
}

/// What an operation of an association without a socket answers: it ended before it got one.
pub(crate) fn not_connected() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the association has ended")
}

/// Ending an association that has ended is no error: it is what was wanted.
pub(crate) fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
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
