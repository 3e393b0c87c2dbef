//! Queue of established associations that have not been accepted.

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use sctp_core::{AssocChange, AssocChangeState, AssocId, Notification, Part, Socket, errno};

use crate::{
    association::{
        Association,
        end::EndTracker,
        recv_half::RecvHalf,
        shared::{AssociationInfo, AssociationShared, Style},
    },
    io::{Io, RegisterError, reassembly::Reassembler, recv_batch::finish_notification},
};

/// Buffer size of one receive. The listener reads one part at a time, because everything queued
/// behind the `SCTP_COMM_UP` of an association must move with it to its own socket.
const SCRATCH: usize = 4096;

/// Associations of a listener between establishment and acceptance.
#[derive(Debug)]
pub(crate) struct AcceptQueue {
    max_message_size: usize,
    /// Established associations that are not peeled off yet. Contains more than one only if the
    /// listener was created from an existing socket.
    waiting: VecDeque<Established>,
    /// Association that is peeled off and could not be registered with the reactor. The next accept
    /// tries it again first.
    unregistered: Option<(Established, Socket)>,
    /// Associations that were closed before they could be peeled off. Their messages, which are
    /// still in the listener's queue, are collected here until their end is received.
    orphans: Vec<Orphan>,
}

/// Established association.
#[derive(Debug)]
struct Established {
    assoc: AssocId,
    outbound_streams: u16,
    inbound_streams: u16,
}

/// Association that was closed before it could be peeled off, with its messages.
#[derive(Debug)]
struct Orphan {
    up: Established,
    peer: Option<SocketAddr>,
    parts: VecDeque<Part>,
}

impl AcceptQueue {
    pub(crate) fn new(max_message_size: usize) -> Self {
        Self {
            max_message_size,
            waiting: VecDeque::new(),
            unregistered: None,
            orphans: Vec::new(),
        }
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.max_message_size
    }

    /// Returns the number of associations that can be accepted.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.unregistered.is_some())
    }

    /// Returns `true` if all messages of unaccepted associations are still on the listening socket.
    pub(crate) fn is_complete(&self) -> bool {
        self.orphans.is_empty() && self.unregistered.is_none()
    }

    /// Adds associations that were on the socket before this listener had it.
    pub(crate) fn add(&mut self, listening: &Socket, assocs: Vec<AssocId>) {
        for assoc in assocs {
            let status = listening.status(assoc).ok();
            self.push(Established {
                assoc,
                outbound_streams: status.as_ref().map_or(0, |status| status.outbound_streams),
                inbound_streams: status.as_ref().map_or(0, |status| status.inbound_streams),
            });
        }
    }

    fn push(&mut self, up: Established) {
        let orphans = self.orphans.iter().map(|orphan| &orphan.up);
        let mut known = self.waiting.iter().chain(orphans);
        if known.all(|known| known.assoc != up.assoc) {
            self.waiting.push_back(up);
        }
    }

    /// Peels off the association that has waited longest and still exists.
    ///
    /// Returns `None` if no association waits. Only then may the listener receive: a message of a
    /// waiting association moves with it when it is peeled off.
    pub(crate) fn accept(&mut self, listening: &Socket) -> io::Result<Option<Association>> {
        if let Some((up, socket)) = self.unregistered.take() {
            return self.peeled(up, socket).map(Some);
        }
        while let Some(up) = self.waiting.pop_front() {
            match listening.peel_off(up.assoc) {
                Ok(socket) => return self.peeled(up, socket).map(Some),
                Err(error)
                    if error.raw_os_error() == Some(errno::EINVAL)
                        && !listening.has_association(up.assoc) =>
                {
                    self.orphans.push(Orphan {
                        up,
                        peer: None,
                        parts: VecDeque::new(),
                    });
                }
                Err(error) => {
                    self.waiting.push_front(up);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    fn peeled(&mut self, up: Established, socket: Socket) -> io::Result<Association> {
        let io = match Io::new(socket) {
            Ok(io) => io,
            Err(RegisterError { socket, error }) => {
                self.unregistered = Some((up, socket));
                return Err(error);
            }
        };
        let socket = io.socket();
        let info = AssociationInfo {
            style: Style::OneToMany,
            id: up.assoc,
            // Fails if the association was closed meanwhile, which its receive queue reports.
            peer_addrs: socket.peer_addrs(up.assoc).unwrap_or_default(),
            local_addrs: socket.local_addrs(up.assoc).unwrap_or_default(),
            outbound_streams: up.outbound_streams,
            inbound_streams: up.inbound_streams,
        };
        Ok(self.association(Some(io), info, VecDeque::new()))
    }

    fn association(
        &self,
        io: Option<Io>,
        info: AssociationInfo,
        parts: VecDeque<Part>,
    ) -> Association {
        let shared = Arc::new(AssociationShared::new(io, info, EndTracker::default()));
        Association::from_receiver(RecvHalf::new(
            shared,
            Reassembler::new(self.max_message_size),
            parts,
        ))
    }

    /// Processes a part of the listener's queue. Returns an association that it completes.
    pub(crate) fn sort(&mut self, part: Part) -> Option<Association> {
        let notification = part.meta.flags.is_notification();
        let notification = notification
            .then(|| Notification::decode(part.data.clone().freeze()).ok())
            .flatten();
        match notification {
            Some(Notification::AssocChange(change)) => match change.state {
                AssocChangeState::CommUp => {
                    self.push(Established {
                        assoc: change.assoc,
                        outbound_streams: change.outbound_streams,
                        inbound_streams: change.inbound_streams,
                    });
                    None
                }
                AssocChangeState::CommLost | AssocChangeState::ShutdownComplete => {
                    self.ended(&change, part)
                }
                // Other changes, such as a restart, are not the end.
                _ => self.keep(Some(change.assoc), part),
            },
            Some(other) => self.keep(other.assoc(), part),
            None => self.keep(part.meta.info.as_ref().map(|info| info.assoc), part),
        }
    }

    /// Keeps a part of an orphan. The listener's receive buffer bounds their total size.
    fn keep(&mut self, assoc: Option<AssocId>, part: Part) -> Option<Association> {
        let orphan = self
            .orphans
            .iter_mut()
            .find(|orphan| Some(orphan.up.assoc) == assoc)?;
        orphan.peer = orphan.peer.or(part.meta.from);
        orphan.parts.push_back(part);
        None
    }

    fn ended(&mut self, change: &AssocChange, part: Part) -> Option<Association> {
        let at = self
            .orphans
            .iter()
            .position(|orphan| orphan.up.assoc == change.assoc)?;
        let Orphan {
            up,
            peer,
            mut parts,
        } = self.orphans.swap_remove(at);
        let peer_addrs = peer.or(part.meta.from).into_iter().collect();
        parts.push_back(part);
        let info = AssociationInfo {
            style: Style::OneToMany,
            id: up.assoc,
            peer_addrs,
            local_addrs: Vec::new(),
            outbound_streams: up.outbound_streams,
            inbound_streams: up.inbound_streams,
        };
        Some(self.association(None, info, parts))
    }
}

pub(crate) fn receive_part(socket: &Socket, scratch: &mut BytesMut) -> io::Result<Part> {
    scratch.reserve(SCRATCH);
    let meta = socket.recv_msg(scratch)?;
    let mut part = Part {
        data: scratch.split(),
        meta,
    };
    finish_notification(socket, &mut part)?;
    Ok(part)
}
