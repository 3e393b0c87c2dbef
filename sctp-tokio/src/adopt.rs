//! Sockets that come from elsewhere.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use sctp_core::{AssocId, Socket};
use socket2::SockRef;

use crate::{
    Association, Endpoint, OneToOneListener, RecvHalf, SctpListener, SocketBuilder,
    assembly::Assembler,
    end::Marks,
    hub::Peer,
    io::Io,
    one_to_one::one_to_one,
    opening::BACKLOG,
    shared::{Facts, Shared, Style},
};

/// Taking over descriptors that were made elsewhere: by a supervisor (systemd's socket
/// activation), by a parent process, by another library.
///
/// Each call makes the descriptor non-blocking, sets on it what this crate relies on (receive
/// information, notifications, fragment interleave), and what the builder says; the builder's
/// addresses, `SO_REUSEADDR` and `SO_REUSEPORT` are not looked at, for it is too late. What can be checked is
/// checked: that it is an SCTP socket (`SO_PROTOCOL`), of the right style (`SO_TYPE`), that it
/// listens or carries an association. When the check fails the descriptor is closed.
///
/// The kernel does not tell a peeled-off socket from a one-to-many socket, which is why the caller
/// names what it is.
impl SocketBuilder {
    /// Listens on a one-to-many socket that is bound already (systemd:
    /// `ListenSequentialPacket=` with `SocketProtocol=sctp`). If it does not listen yet, it does
    /// from now on.
    ///
    /// Associations that are up already are accepted as well. One that has ended before this call
    /// is not, and what it sent is dropped.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is not a one-to-many SCTP socket, or is a peeled-off one; otherwise
    /// what the kernel says.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen_from(&self, fd: OwnedFd) -> io::Result<SctpListener> {
        let socket = self.adopt_listening(fd, Style::OneToMany)?;
        let up = socket.assoc_ids()?;
        let mut listener = SctpListener::new(socket, self.max_message_size)?;
        listener.add(up);
        Ok(listener)
    }

    /// Listens on a one-to-one socket that is bound already (systemd: `ListenStream=` with
    /// `SocketProtocol=sctp`). If it does not listen yet, it does from now on.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is not a one-to-one SCTP socket, or carries an association;
    /// otherwise what the kernel says.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn listen_one_to_one_from(&self, fd: OwnedFd) -> io::Result<OneToOneListener> {
        let socket = self.adopt_listening(fd, Style::OneToOne)?;
        OneToOneListener::new(socket, self.max_message_size, Some(self.clone()))
    }

    /// Opens an endpoint on a one-to-many socket that is bound already, with the associations that
    /// are on it. If it does not listen yet, it does from now on.
    ///
    /// That these came up is not told as an event; [`Socket::assoc_ids`] lists them.
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::listen_from`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn endpoint_from(&self, fd: OwnedFd) -> io::Result<Endpoint> {
        let socket = self.adopt_listening(fd, Style::OneToMany)?;
        let up = socket.assoc_ids()?;
        let endpoint = Endpoint::new(socket, self.max_message_size)?;
        endpoint.add(&up);
        Ok(endpoint)
    }

    /// Takes over the association of a *peeled-off* socket, or of a one-to-many socket that
    /// carries no other and does not listen.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is not such a socket; `NotConnected` when there is no association
    /// (any more); otherwise what the kernel says.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn peeled_off_from(&self, fd: OwnedFd) -> io::Result<Association> {
        let socket = self.adopt(fd, Style::OneToMany, AssocId::ALL)?;
        if SockRef::from(&socket).is_listener()? {
            return Err(invalid("the socket listens: it is not a peeled-off one"));
        }
        let id = match socket.assoc_ids()?[..] {
            [] => return Err(io::ErrorKind::NotConnected.into()),
            [id] => id,
            [_, _, ..] => {
                return Err(invalid("the socket carries several associations"));
            }
        };
        let status = socket.status(id).map_err(|_| io::ErrorKind::NotConnected)?;
        let facts = Facts {
            style: Style::OneToMany,
            id,
            peer_addrs: socket.peer_addrs(id).unwrap_or_default(),
            local_addrs: socket.local_addrs(id).unwrap_or_default(),
            outbound_streams: status.outbound_streams,
            inbound_streams: status.inbound_streams,
        };
        let shared = Shared::new(Some(Io::new(socket)?), facts, Marks::default());
        Ok(Association::from_receiver(RecvHalf::new(
            Arc::new(shared),
            Assembler::new(self.max_message_size),
            VecDeque::new(),
        )))
    }

    /// Takes over the association of a one-to-one socket.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is not a one-to-one SCTP socket; `NotConnected` when there is no
    /// association (any more); otherwise what the kernel says.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O and time drivers enabled (`enable_all`).
    #[track_caller]
    pub fn one_to_one_from(&self, fd: OwnedFd) -> io::Result<Association> {
        let socket = self.adopt(fd, Style::OneToOne, AssocId::FUTURE)?;
        socket
            .status(AssocId::FUTURE)
            .map_err(|_| io::ErrorKind::NotConnected)?;
        one_to_one(socket, self.max_message_size)
    }

    fn adopt_listening(&self, fd: OwnedFd, style: Style) -> io::Result<Socket> {
        let assocs = match style {
            Style::OneToMany => AssocId::ALL,
            Style::OneToOne => AssocId::FUTURE,
        };
        let socket = self.adopt(fd, style, assocs)?;
        // The kernel refuses this on a socket with an association of its own.
        socket.listen(BACKLOG)?;
        Ok(socket)
    }

    fn adopt(&self, fd: OwnedFd, style: Style, assocs: AssocId) -> io::Result<Socket> {
        let socket = Socket::from_fd(fd)?;
        match (style, socket.is_seqpacket()?) {
            (Style::OneToMany, true) | (Style::OneToOne, false) => {}
            (Style::OneToMany, false) => return Err(invalid("this is a one-to-one socket")),
            (Style::OneToOne, true) => return Err(invalid("this is not a one-to-one socket")),
        }
        self.set_up(&socket, self.init, |socket, events| {
            socket.subscribe(assocs, events)
        })?;
        Ok(socket)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// As [`SocketBuilder::listen_from`] with the builder's defaults.
impl TryFrom<OwnedFd> for SctpListener {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        SocketBuilder::new().listen_from(fd)
    }
}

/// As [`SocketBuilder::listen_one_to_one_from`] with the builder's defaults.
impl TryFrom<OwnedFd> for OneToOneListener {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        SocketBuilder::new().listen_one_to_one_from(fd)
    }
}

/// As [`SocketBuilder::endpoint_from`] with the builder's defaults.
impl TryFrom<OwnedFd> for Endpoint {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        SocketBuilder::new().endpoint_from(fd)
    }
}

impl AsFd for SctpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl Endpoint {
    /// Takes note of associations that were on the socket before this endpoint had it.
    pub(crate) fn add(&self, assocs: &[AssocId]) {
        for &assoc in assocs {
            // One that has ended meanwhile is told by its notification.
            if let Ok(status) = self.hub.io.socket().status(assoc) {
                let peer = Peer::new(status.outbound_streams, status.inbound_streams);
                self.hub.insert(assoc, peer);
            }
        }
    }
}
