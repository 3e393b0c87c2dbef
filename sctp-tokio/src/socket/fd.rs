//! Sockets created from existing descriptors.

use std::{collections::VecDeque, io, os::fd::OwnedFd, sync::Arc};

use sctp_core::{AssocId, Socket};

use super::setup::{BACKLOG, SocketConfig};
use crate::{
    association::{
        end::EndTracker,
        recv_half::RecvHalf,
        shared::{AssociationInfo, AssociationShared, Style},
    },
    io::{Io, RegisterError, reassembly::Reassembler},
};

/// Takes over a bound socket, and makes it listen.
pub(crate) fn listening(config: &SocketConfig, fd: OwnedFd, style: Style) -> io::Result<Socket> {
    let assocs = match style {
        Style::OneToMany => AssocId::ALL,
        Style::OneToOne => AssocId::FUTURE,
    };
    let socket = adopt(config, fd, style, assocs)?;
    // The kernel rejects this on a peeled-off socket.
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Takes over the association of a peeled-off socket.
#[track_caller]
pub(crate) fn peeled_off(config: &SocketConfig, fd: OwnedFd) -> io::Result<RecvHalf> {
    let socket = adopt(config, fd, Style::OneToMany, AssocId::ALL)?;
    if socket.is_listening()? {
        return Err(invalid("socket is listening, not peeled off"));
    }
    let id = match socket.assoc_ids()?[..] {
        [] => return Err(io::ErrorKind::NotConnected.into()),
        [id] => id,
        [_, _, ..] => {
            return Err(invalid("socket has several associations"));
        }
    };
    let status = socket.status(id).map_err(|_| io::ErrorKind::NotConnected)?;
    let info = AssociationInfo {
        style: Style::OneToMany,
        id,
        peer_addrs: socket.peer_addrs(id).unwrap_or_default(),
        local_addrs: socket.local_addrs(id).unwrap_or_default(),
        outbound_streams: status.outbound_streams,
        inbound_streams: status.inbound_streams,
    };
    let shared = AssociationShared::new(Some(Io::new(socket)?), info, EndTracker::default());
    Ok(RecvHalf::new(
        Arc::new(shared),
        Reassembler::new(config.max_message_size),
        VecDeque::new(),
    ))
}

/// Takes over the association of a one-to-one socket.
#[track_caller]
pub(crate) fn one_to_one(config: &SocketConfig, fd: OwnedFd) -> io::Result<RecvHalf> {
    let socket = adopt(config, fd, Style::OneToOne, AssocId::FUTURE)?;
    socket
        .status(AssocId::FUTURE)
        .map_err(|_| io::ErrorKind::NotConnected)?;
    Ok(from_one_to_one(socket, config.max_message_size)?)
}

/// Creates the receiving half of the association of a one-to-one socket, which may be closed already.
#[track_caller]
pub(crate) fn from_one_to_one(
    socket: Socket,
    max_message_size: usize,
) -> Result<RecvHalf, RegisterError> {
    // The kernel ignores the identifier on a one-to-one socket. A closed association has
    // no status; its queue reports the end.
    let status = socket.status(AssocId::FUTURE).ok();
    let info = AssociationInfo {
        style: Style::OneToOne,
        id: status
            .as_ref()
            .map_or(AssocId::FUTURE, |status| status.assoc),
        peer_addrs: socket.peer_addrs(AssocId::FUTURE).unwrap_or_default(),
        local_addrs: socket.local_addrs(AssocId::FUTURE).unwrap_or_default(),
        outbound_streams: status.as_ref().map_or(0, |status| status.outbound_streams),
        inbound_streams: status.as_ref().map_or(0, |status| status.inbound_streams),
    };
    let shared = Arc::new(AssociationShared::new(
        Some(Io::new(socket)?),
        info,
        EndTracker::default(),
    ));
    Ok(RecvHalf::new(
        shared,
        Reassembler::new(max_message_size),
        VecDeque::new(),
    ))
}

fn adopt(config: &SocketConfig, fd: OwnedFd, style: Style, assocs: AssocId) -> io::Result<Socket> {
    let socket = Socket::from_fd(fd)?;
    match (style, socket.is_seqpacket()?) {
        (Style::OneToMany, true) | (Style::OneToOne, false) => {}
        (Style::OneToMany, false) => return Err(invalid("socket is one-to-one")),
        (Style::OneToOne, true) => return Err(invalid("socket is not one-to-one")),
    }
    config.set_up(&socket, config.init, |socket, events| {
        socket.subscribe(assocs, events)
    })?;
    Ok(socket)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
