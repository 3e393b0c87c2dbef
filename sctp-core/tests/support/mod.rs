//! Sockets of every style and family, connected over the loopback interface, and functions that
//! wait for events on them.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::{net::SocketAddr, time::Duration};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sctp_core::{AssocChangeState, AssocId, EventSet, Family, Notification, RecvMeta, Socket};

/// Maximum time to wait for an event.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    OneToOne,
    OneToMany,
    PeeledOff,
}

pub(crate) const STYLES: [Style; 3] = [Style::OneToOne, Style::OneToMany, Style::PeeledOff];
pub(crate) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Style {
    /// Creates a socket. For `PeeledOff`, creates the socket to peel off from.
    pub(crate) fn socket(self, family: Family) -> Socket {
        match self {
            Self::OneToOne => Socket::one_to_one(family),
            Self::OneToMany | Self::PeeledOff => Socket::one_to_many(family),
        }
        .unwrap()
    }
}

/// One end of an association.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) socket: Socket,
    pub(crate) assoc: AssocId,
    /// The peer's address.
    pub(crate) peer: SocketAddr,
}

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
    /// Sockets that the ends were accepted on or peeled off from.
    pub(crate) origins: Vec<Socket>,
}

pub(crate) fn loopback(family: Family) -> SocketAddr {
    match family {
        Family::V4 => "127.0.0.1:0",
        Family::V6 => "[::1]:0",
    }
    .parse()
    .unwrap()
}

/// Connects two sockets.
pub(crate) fn pair(style: Style, family: Family) -> Pair {
    pair_with(style, family, |_| {})
}

/// Connects two sockets after a setup.
pub(crate) fn pair_with(style: Style, family: Family, set_up: impl Fn(&Socket)) -> Pair {
    let (client, listener) = (style.socket(family), style.socket(family));
    for socket in [&client, &listener] {
        socket
            .subscribe(AssocId::FUTURE, EventSet::ASSOC_CHANGE)
            .unwrap();
        set_up(socket);
    }
    let listening_at = listen(&listener, family);
    client.connectx(&[listening_at]).unwrap();
    let client_assoc = wait_until_established(&client);
    let (server, mut origins) = match style {
        Style::OneToOne => (accept(&listener), vec![listener]),
        Style::OneToMany | Style::PeeledOff => (listener, vec![]),
    };
    let server_assoc = wait_until_established(&server);
    let mut finish = |socket: Socket, assoc| {
        let socket = if style == Style::PeeledOff {
            let peeled = socket.peel_off(assoc).unwrap();
            origins.push(socket);
            peeled
        } else {
            socket
        };
        let peer = socket.peer_addrs(assoc).unwrap()[0];
        End {
            socket,
            assoc,
            peer,
        }
    };
    Pair {
        client: finish(client, client_assoc),
        server: finish(server, server_assoc),
        origins,
    }
}

/// Binds a socket to the loopback address, makes it listen and returns the address.
pub(crate) fn listen(socket: &Socket, family: Family) -> SocketAddr {
    socket.bind(loopback(family)).unwrap();
    socket.listen(8).unwrap();
    socket.local_addrs(AssocId::FUTURE).unwrap()[0]
}

pub(crate) fn accept(listener: &Socket) -> Socket {
    wait_readable(listener);
    listener.accept().unwrap()
}

pub(crate) fn wait_readable(socket: &Socket) {
    wait_for(socket, PollFlags::IN);
}

fn wait_for(socket: &Socket, what: PollFlags) {
    let bound = Timespec::try_from(BOUND).unwrap();
    let mut fds = [PollFd::new(socket, what)];
    let ready = poll(&mut fds, Some(&bound)).unwrap();
    assert_ne!(ready, 0, "nothing happened within {BOUND:?}");
}

/// Entry of the receive queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Message(Vec<u8>, RecvMeta),
    Notification(Notification),
}

/// Waits for a message or a notification.
pub(crate) fn recv(socket: &Socket) -> Received {
    wait_readable(socket);
    let mut bytes = Vec::with_capacity(1 << 16);
    let meta = socket.recv_msg(&mut bytes).unwrap();
    assert!(meta.flags.is_end_of_record(), "{meta:?}");
    if meta.flags.is_notification() {
        Received::Notification(Notification::decode(bytes.into()).unwrap())
    } else {
        Received::Message(bytes, meta)
    }
}

/// Waits for a matching notification. Drops everything before it.
pub(crate) fn wait_notification<T>(socket: &Socket, want: impl Fn(Notification) -> Option<T>) -> T {
    loop {
        if let Received::Notification(notification) = recv(socket)
            && let Some(found) = want(notification)
        {
            return found;
        }
    }
}

/// Waits until an association is established, and returns it.
pub(crate) fn wait_until_established(socket: &Socket) -> AssocId {
    let change = wait_change(socket);
    assert_eq!(change.0, AssocChangeState::CommUp);
    change.1
}

/// Waits for a change of an association.
pub(crate) fn wait_change(socket: &Socket) -> (AssocChangeState, AssocId) {
    wait_notification(socket, |notification| match notification {
        Notification::AssocChange(change) => Some((change.state, change.assoc)),
        _ => None,
    })
}
