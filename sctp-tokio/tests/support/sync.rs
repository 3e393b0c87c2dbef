//! The system calls themselves, waited for with poll(2).

use std::{io, io::IoSlice, net::SocketAddr};

use rustix::event::{PollFd, PollFlags, poll};
use sctp_tokio::{
    AssocId, EventSet, Notification, SendInfo, Socket,
    sctp_core::{AssocChangeState, Family, RecvMeta},
};

use super::LOOPBACK;

pub fn wait(socket: &Socket, what: PollFlags) {
    let bound = super::patience().try_into().unwrap();
    let ready = poll(&mut [PollFd::new(socket, what)], Some(&bound)).unwrap();
    assert_ne!(ready, 0, "nothing happened");
}

pub fn one_to_one() -> Socket {
    Socket::one_to_one(Family::V4).unwrap()
}

/// A one-to-many socket that tells of its associations and gives each message its origin.
pub fn one_to_many() -> Socket {
    let socket = Socket::one_to_many(Family::V4).unwrap();
    let events = EventSet::ASSOC_CHANGE | EventSet::SHUTDOWN | EventSet::SEND_FAILED;
    socket.subscribe(AssocId::FUTURE, events).unwrap();
    socket.set_recv_rcvinfo(true).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Binds to the loopback address and listens. Returns where.
pub fn listen(socket: &Socket, backlog: u32) -> SocketAddr {
    socket.bind(LOOPBACK.parse().unwrap()).unwrap();
    socket.listen(backlog).unwrap();
    socket.local_addrs(AssocId::FUTURE).unwrap()[0]
}

/// Connects a one-to-one socket, and says how it went.
pub fn connect(socket: &Socket, to: SocketAddr) -> io::Result<()> {
    socket.connectx(&[to])?;
    wait(socket, PollFlags::OUT);
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

pub fn accept(listener: &Socket) -> Socket {
    wait(listener, PollFlags::IN);
    listener.accept().unwrap()
}

/// Two one-to-one sockets with an association between them, and the listener.
pub fn pair() -> (Socket, Socket, Socket) {
    let (client, listener) = (one_to_one(), one_to_one());
    let addr = listen(&listener, 1);
    connect(&client, addr).unwrap();
    let server = accept(&listener);
    (client, server, listener)
}

pub fn send(socket: &Socket, assoc: AssocId, payload: &[u8]) -> io::Result<()> {
    socket.send_msg(assoc, &SendInfo::default(), &[IoSlice::new(payload)])
}

/// Receives what is there.
pub fn try_recv(socket: &Socket) -> io::Result<(Vec<u8>, RecvMeta)> {
    let mut bytes = Vec::with_capacity(1 << 17);
    let meta = socket.recv_msg(&mut bytes)?;
    Ok((bytes, meta))
}

/// Waits for a message or the end, past notifications.
pub fn recv(socket: &Socket) -> (Vec<u8>, RecvMeta) {
    loop {
        wait(socket, PollFlags::IN);
        let (bytes, meta) = try_recv(socket).unwrap();
        if !meta.flags.is_notification() {
            return (bytes, meta);
        }
    }
}

/// Waits for a notification, past messages.
pub fn notification<T>(socket: &Socket, wanted: impl Fn(Notification) -> Option<T>) -> T {
    loop {
        wait(socket, PollFlags::IN);
        let (bytes, meta) = try_recv(socket).unwrap();
        if meta.flags.is_notification()
            && let Some(found) = wanted(Notification::decode(bytes.into()).unwrap())
        {
            return found;
        }
    }
}

/// Waits for a change of an association.
pub fn change(socket: &Socket) -> (AssocChangeState, AssocId) {
    notification(socket, |notification| match notification {
        Notification::AssocChange(change) => Some((change.state, change.assoc)),
        _ => None,
    })
}

/// Waits for an association to come up.
pub fn came_up(socket: &Socket) -> AssocId {
    let (state, id) = change(socket);
    assert_eq!(state, AssocChangeState::CommUp);
    id
}
