//! Accepting associations: a one-to-many socket, and each association peeled off it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use sctp_core::{AssocChange, AssocId, AssocState, Notification, Part, Socket};
use tokio::net::ToSocketAddrs;

use crate::{
    Association, RecvHalf, SocketBuilder,
    assembly::Assembler,
    end::Marks,
    io::Io,
    receive::finish_notification,
    recv_half::is_gone,
    shared::{Facts, Shared, Style},
};

/// Listens for associations and hands each one over with a socket of its own.
///
/// Underneath is a one-to-many socket, from which each association is peeled off as it comes
/// up: unlike a one-to-one socket, a peeled-off one can end with `SCTP_EOF` and with `SCTP_ABORT`
/// and a reason.
///
/// Dropping it stops listening. Associations that were accepted live on; those that have come up
/// and were not accepted are closed, with an ABORT if they have sent anything.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_tokio::SctpListener;
///
/// let mut listener = SctpListener::bind("127.0.0.1:9877").await?;
/// loop {
///     let mut association = listener.accept().await?;
///     tokio::spawn(async move {
///         while let Some(message) = association.recv().await? {
///             association.send(message.reply(message.payload.clone())).await?;
///         }
///         std::io::Result::Ok(())
///     });
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct SctpListener {
    io: Io,
    max_message_size: usize,
    /// Associations that came up and have not been peeled off yet. More than one only if the
    /// socket came from elsewhere with some on it.
    waiting: VecDeque<Up>,
    /// Associations that ended before they could be peeled off. What they sent is still in the
    /// listener's queue, and must not be lost: it is collected here until their end comes by.
    orphans: Vec<Orphan>,
    scratch: BytesMut,
}

/// An association that came up.
#[derive(Debug)]
struct Up {
    assoc: AssocId,
    outbound_streams: u16,
    inbound_streams: u16,
}

#[derive(Debug)]
struct Orphan {
    up: Up,
    peer: Option<SocketAddr>,
    parts: VecDeque<Part>,
}

/// How much one receive takes. The listener reads one part at a time: whatever is queued behind
/// an association's coming up then moves with it to its own socket.
const SCRATCH: usize = 4096;

impl SctpListener {
    /// Listens on an address; of several that a name resolves to, on the first that can be
    /// bound. For several addresses at once (multi-homing) use [`SocketBuilder`].
    ///
    /// # Errors
    ///
    /// As [`SocketBuilder::listen`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O driver enabled.
    pub async fn bind(addrs: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last = None;
        for addr in tokio::net::lookup_host(addrs).await? {
            match SocketBuilder::new().bind([addr]).listen() {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the name resolved to no address",
            )
        }))
    }

    pub(crate) fn new(socket: Socket, max_message_size: usize) -> io::Result<Self> {
        let io = Io::new(socket)?;
        let scratch = BytesMut::new();
        Ok(Self {
            io,
            max_message_size,
            waiting: VecDeque::new(),
            orphans: Vec::new(),
            scratch,
        })
    }

    /// Accepts the next association.
    ///
    /// One that has ended already is handed over too: what it sent can be received, and then its
    /// end.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptors left (`EMFILE`, `ENFILE`): nothing is
    /// lost, call again when there are. Anything else that the kernel says.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call loses no association.
    pub async fn accept(&mut self) -> io::Result<Association> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next association; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`SctpListener::accept`].
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Association>> {
        loop {
            if let Some(association) = self.hand_over()? {
                return Poll::Ready(Ok(association));
            }
            let scratch = &mut self.scratch;
            let part = ready!(
                self.io
                    .poll_read(cx, |socket| receive_part(socket, scratch))
            )?;
            if let Some(association) = self.sort(part) {
                return Poll::Ready(Ok(association));
            }
        }
    }

    /// Accepts an association that has come up already.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and as
    /// [`SctpListener::accept`].
    pub fn try_accept(&mut self) -> io::Result<Association> {
        loop {
            if let Some(association) = self.hand_over()? {
                return Ok(association);
            }
            let part = receive_part(self.io.socket(), &mut self.scratch)?;
            if let Some(association) = self.sort(part) {
                return Ok(association);
            }
        }
    }

    /// Refuses associations from now on (`listen(2)` with backlog 0): a peer that tries is
    /// refused at once. Those that are up live on, and those not yet accepted still can be.
    ///
    /// # Errors
    ///
    /// What `listen(2)` says.
    pub fn stop(&self) -> io::Result<()> {
        self.io.socket().listen(0)
    }

    /// Returns the addresses that it listens on.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.io.socket().local_addrs(AssocId::FUTURE)
    }

    /// Takes the socket, still listening. Associations that were not accepted are on it.
    ///
    /// # Errors
    ///
    /// Gives the listener back while it holds what an association sent that ended before it was
    /// accepted: accept until `WouldBlock` first.
    pub fn into_socket(self) -> Result<Socket, Self> {
        if self.orphans.is_empty() {
            Ok(self.io.into_socket())
        } else {
            Err(self)
        }
    }

    /// Lends the socket, for options.
    ///
    /// Receiving from it directly would lose associations.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.io.socket()
    }

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
        if self.waiting.iter().all(|other| other.assoc != up.assoc) {
            self.waiting.push_back(up);
        }
    }

    /// Peels off the association that has waited longest.
    fn hand_over(&mut self) -> io::Result<Option<Association>> {
        const EINVAL: i32 = 22;
        let Some(up) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let listening = self.io.socket();
        match listening.peel_off(up.assoc) {
            Ok(socket) => self.peeled(&up, socket).map(Some),
            Err(error) if error.raw_os_error() == Some(EINVAL) && is_gone(listening, up.assoc) => {
                self.orphans.push(Orphan {
                    up,
                    peer: None,
                    parts: VecDeque::new(),
                });
                Ok(None)
            }
            Err(error) => {
                self.waiting.push_front(up);
                Err(error)
            }
        }
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
    fn sort(&mut self, part: Part) -> Option<Association> {
        let notification = part.meta.flags.is_notification();
        let notification = notification
            .then(|| Notification::decode(part.data.clone().freeze()).ok())
            .flatten();
        match notification {
            Some(Notification::AssocChange(change)) => match change.state {
                AssocState::CommUp => {
                    self.came_up(Up {
                        assoc: change.assoc,
                        outbound_streams: change.outbound_streams,
                        inbound_streams: change.inbound_streams,
                    });
                    None
                }
                AssocState::CommLost | AssocState::ShutdownComplete => self.ended(&change, part),
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

fn receive_part(socket: &Socket, scratch: &mut BytesMut) -> io::Result<Part> {
    scratch.reserve(SCRATCH);
    let meta = socket.recv_msg(scratch)?;
    let mut part = Part {
        data: scratch.split(),
        meta,
    };
    finish_notification(socket, &mut part)?;
    Ok(part)
}
