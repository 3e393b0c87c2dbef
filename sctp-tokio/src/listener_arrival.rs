//! What arrives on a listener: associations, and what is left of those that ended too soon.

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use sctp_core::{AssocChange, AssocChangeState, AssocId, Notification, Part, Socket, errno};

use crate::{
    Association, RecvHalf, SctpListener,
    assembly::Assembler,
    end::Marks,
    io::Io,
    receive::finish_notification,
    recv_half::is_gone,
    shared::{Facts, Shared, Style},
};

/// An association that came up.
#[derive(Debug)]
pub(crate) struct Up {
    assoc: AssocId,
    outbound_streams: u16,
    inbound_streams: u16,
}

/// An association that ended before it could be peeled off, and what it left.
#[derive(Debug)]
pub(crate) struct Orphan {
    up: Up,
    peer: Option<SocketAddr>,
    parts: VecDeque<Part>,
}

/// How much one receive takes. The listener reads one part at a time: whatever is queued behind
/// an association's coming up then moves with it to its own socket.
const SCRATCH: usize = 4096;

impl SctpListener {
    /// Takes note of associations that were on the socket before this listener had it.
    pub(crate) fn add(&mut self, assocs: Vec<AssocId>) {
        for assoc in assocs {
            let status = self.io.socket().status(assoc).ok();
            self.came_up(Up {
                assoc,
                outbound_streams: status.as_ref().map_or(0, |status| status.outbound_streams),
                inbound_streams: status.as_ref().map_or(0, |status| status.inbound_streams),
            });
        }
    }

    fn came_up(&mut self, up: Up) {
        let orphans = self.orphans.iter().map(|orphan| &orphan.up);
        let mut known = self.waiting.iter().chain(orphans);
        if known.all(|known| known.assoc != up.assoc) {
            self.waiting.push_back(up);
        }
    }

    /// Peels off the association that has waited longest and is still there.
    ///
    /// `None` says that no association waits. Nothing may be received before that: it could be of
    /// one that does, and moves with it when it is peeled off.
    pub(crate) fn hand_over(&mut self) -> io::Result<Option<Association>> {
        while let Some(up) = self.waiting.pop_front() {
            let listening = self.io.socket();
            match listening.peel_off(up.assoc) {
                Ok(socket) => return self.peeled(&up, socket).map(Some),
                Err(error)
                    if error.raw_os_error() == Some(errno::EINVAL)
                        && is_gone(listening, up.assoc) =>
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

    fn peeled(&self, up: &Up, socket: Socket) -> io::Result<Association> {
        let facts = Facts {
            style: Style::OneToMany,
            id: up.assoc,
            // It may have ended in between; its queue then says so.
            peer_addrs: socket.peer_addrs(up.assoc).unwrap_or_default(),
            local_addrs: socket.local_addrs(up.assoc).unwrap_or_default(),
            outbound_streams: up.outbound_streams,
            inbound_streams: up.inbound_streams,
        };
        Ok(self.association(Some(Io::new(socket)?), facts, VecDeque::new()))
    }

    fn association(&self, io: Option<Io>, facts: Facts, parts: VecDeque<Part>) -> Association {
        let shared = Arc::new(Shared::new(io, facts, Marks::default()));
        Association::from_receiver(RecvHalf::new(
            shared,
            Assembler::new(self.max_message_size),
            parts,
        ))
    }

    /// Looks at one part from the listener's queue. Returns an association that it completed.
    pub(crate) fn sort(&mut self, part: Part) -> Option<Association> {
        let notification = part.meta.flags.is_notification();
        let notification = notification
            .then(|| Notification::decode(part.data.clone().freeze()).ok())
            .flatten();
        match notification {
            Some(Notification::AssocChange(change)) => match change.state {
                AssocChangeState::CommUp => {
                    self.came_up(Up {
                        assoc: change.assoc,
                        outbound_streams: change.outbound_streams,
                        inbound_streams: change.inbound_streams,
                    });
                    None
                }
                AssocChangeState::CommLost | AssocChangeState::ShutdownComplete => {
                    self.ended(&change, part)
                }
                // A restart, for one, is not the end.
                _ => self.keep(Some(change.assoc), part),
            },
            Some(other) => self.keep(other.assoc(), part),
            None => self.keep(part.meta.info.as_ref().map(|info| info.assoc), part),
        }
    }

    /// Keeps a part that belongs to an orphan. How much there can be is bounded by the listener's
    /// receive buffer, which it has all passed through.
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
        let facts = Facts {
            style: Style::OneToMany,
            id: up.assoc,
            peer_addrs,
            local_addrs: Vec::new(),
            outbound_streams: up.outbound_streams,
            inbound_streams: up.inbound_streams,
        };
        Some(self.association(None, facts, parts))
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
