//! State that the halves of an association share.

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

use super::end::{End, EndTracker, Side, reveals_end};
use crate::{
    error::SendError,
    io::{Io, recv_batch::is_network_error},
    message::{Message, check, payload_len},
    send::{bundle::send_bundle, credit::SendCredit},
};

/// Kind of the socket that carries an association.
///
/// The kernel treats the styles differently, and `SO_TYPE` does not distinguish one-to-many from
/// peeled-off sockets. The style is therefore recorded when a socket is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// One-to-one socket: no `SCTP_EOF`, no ABORT with a reason.
    OneToOne,
    /// One-to-many socket with this association alone, or a peeled-off socket.
    OneToMany,
}

/// State shared by the halves of an association.
#[derive(Debug)]
pub(crate) struct AssociationShared {
    /// `None` if the association was closed before it had a socket of its own.
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

/// Properties of an association at the time it is established.
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

    /// Starts the `Debug` output of a handle. Makes no system call.
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

    /// Returns `false` once the kernel has no such association.
    pub(crate) fn is_present(&self) -> bool {
        self.socket()
            .is_some_and(|socket| socket.has_association(self.id))
    }

    pub(crate) fn end(&self) -> Option<&End> {
        self.end.get()
    }

    /// Stores the end if none is stored yet, and wakes all waiting tasks.
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

    /// Reads the number of streams from the kernel.
    ///
    /// The notification contains only the number of added streams, even if the request was denied
    /// (`sctp_ulpevent_make_stream_change_event`).
    pub(crate) fn ask_streams(&self) {
        if let Some(Ok(status)) = self.socket().map(|socket| socket.status(self.id)) {
            self.set_streams(status.outbound_streams, status.inbound_streams);
        }
    }

    /// Locks the send credit, which also serialises sends.
    pub(crate) fn credit(&self) -> MutexGuard<'_, SendCredit> {
        // A panic cannot leave the credit inconsistent, so poisoning is ignored.
        self.credit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one message, whole or not at all.
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

    /// Sends one bundle from the front of the queue.
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
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SendError::Full),
            Err(error) => {
                let message = queue.pop_front().unwrap_or_default();
                Err(self.send_error(error, &message.info, message.payload.len()))
            }
        }
    }

    /// Sends one bundle, with `WouldBlock` as the outer error.
    pub(crate) fn attempt_bundle(
        &self,
        socket: &Socket,
        queue: &mut VecDeque<Message>,
    ) -> io::Result<Result<(), SendError>> {
        match self.try_send_bundle(socket, queue) {
            Err(SendError::Full) => Err(io::ErrorKind::WouldBlock.into()),
            result => Ok(result),
        }
    }

    /// Converts the error of a send.
    pub(crate) fn send_error(&self, error: io::Error, info: &SendInfo, len: usize) -> SendError {
        self.tracker.note_error(&error);
        if is_closed(&error, || self.is_present()) {
            return SendError::Closed(self.end().cloned().unwrap_or(End::Unread));
        }
        // After shutdown(2) a one-to-one socket fails as if the association were closed. A
        // one-to-many socket does not.
        if self.style == Style::OneToOne && is_network_error(&error) {
            return SendError::ShuttingDown;
        }
        let streams = self.outbound_streams();
        SendError::from_kernel(error, self.socket(), info, len, streams, self.end())
    }

    /// Starts the shutdown.
    pub(crate) fn start_shutdown(&self) -> io::Result<()> {
        let Some(socket) = self.socket() else {
            return Ok(());
        };
        self.tracker.note_shutdown(Side::Local);
        // Not while a bundle is being sent: its last message would be rejected, and the messages
        // held back by `MSG_MORE` would not be sent.
        let _between_bundles = self.credit();
        let result = match self.style {
            Style::OneToMany => socket.send_eof(self.id),
            Style::OneToOne => socket.shutdown_write(),
        };
        self.ignore_already_closed(result)
    }

    /// Aborts the association.
    pub(crate) fn abort(&self, reason: &AbortReason) -> io::Result<()> {
        let Some(socket) = self.socket() else {
            return Ok(());
        };
        if self.style == Style::OneToOne {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "one-to-one associations cannot be aborted with a reason on Linux",
            ));
        }
        self.tracker.note_abort();
        self.ignore_already_closed(socket.send_abort(self.id, reason))
    }

    /// Records an error of the socket, then ignores it if the association is closed.
    fn ignore_already_closed(&self, result: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &result {
            self.tracker.note_error(error);
        }
        ignore_already_closed(result, || self.is_present())
    }
}

/// Error of operations on an association that was closed before it had a socket.
pub(crate) fn already_closed_error() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "association is closed")
}

/// Ignores errors that mean that the association is already closed.
pub(crate) fn ignore_already_closed(
    result: io::Result<()>,
    is_present: impl FnOnce() -> bool,
) -> io::Result<()> {
    match result {
        Err(error) if is_closed(&error, is_present) => Ok(()),
        // A peeled-off socket can return its pending error before the notification of the end.
        Err(error) if reveals_end(&error) || error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

/// Returns `true` if a send failed because the kernel has no such association.
///
/// The kernel returns `EPIPE`, or the pending error of the socket instead if there is one
/// (`sctp_error`). With `IP_RECVERR` the pending error may be that of any ICMP message.
pub(crate) fn is_closed(error: &io::Error, is_present: impl FnOnce() -> bool) -> bool {
    error.kind() != io::ErrorKind::WouldBlock && !is_present()
}
