//! What an endpoint and its senders share.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    future::poll_fn,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use sctp_core::{AbortReason, AssocId, Part, Socket, options::AssociationState};
use tokio::sync::Notify;

use super::bundle::{Indices, send_many};
use crate::{
    association::{
        end::{EndTracker, Side},
        shared::ignore_already_closed,
    },
    error::{EndpointSendError, SendError},
    error_context::show_addrs,
    io::{Io, reassembly::Reassembler},
    message::{Message, check},
    send::{
        bundle::{goes_unbundled, send_bundle},
        credit::SendCredit,
    },
};

/// How long to wait for the kernel to say that there is room before trying anyway. On a shared
/// socket writability is the sum of all associations, and with `net.sctp.sndbuf_policy=1` it may
/// never come although a send would succeed.
const RETRY: Duration = Duration::from_millis(20);

/// What one run carries, or why the front message that is not passed over cannot be sent.
type Chosen = Result<Indices, (usize, SendError)>;

/// What is known about one association of the endpoint.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
    pub(crate) tracker: EndTracker,
}

impl Peer {
    pub(crate) fn new(outbound_streams: u16, inbound_streams: u16) -> Self {
        Self {
            outbound_streams,
            inbound_streams,
            tracker: EndTracker::default(),
        }
    }
}

/// What an endpoint and its senders share.
#[derive(Debug)]
pub(crate) struct EndpointState {
    pub(crate) io: Io,
    pub(crate) space_freed: Notify,
    /// Whether each association has a send buffer of its own (`net.sctp.sndbuf_policy`).
    pub(crate) has_own_buffers: bool,
    credit: Mutex<SendCredit>,
    peers: Mutex<HashMap<AssocId, Peer>>,
    /// Associations that were peeled off and could not be registered with the reactor.
    unregistered: Mutex<HashMap<AssocId, PeeledOff>>,
}

/// An association that has left the endpoint's socket, and what had been received of it.
#[derive(Debug)]
pub(crate) struct PeeledOff {
    pub(crate) socket: Socket,
    pub(crate) peer: Peer,
    pub(crate) reassembler: Reassembler,
    pub(crate) parts: VecDeque<Part>,
}

/// What the kernel settles when a socket is made. No call tells it of a socket afterwards, so for one
/// that came from elsewhere it is a guess: a wrong one costs calls, or has a full peer hold up others.
fn has_own_buffers() -> bool {
    let policy = std::fs::read("/proc/sys/net/sctp/sndbuf_policy");
    policy.is_ok_and(|policy| policy.trim_ascii() != b"0")
}

impl EndpointState {
    pub(crate) fn new(io: Io) -> Self {
        Self {
            io,
            space_freed: Notify::new(),
            has_own_buffers: has_own_buffers(),
            credit: Mutex::default(),
            peers: Mutex::default(),
            unregistered: Mutex::default(),
        }
    }

    // Neither lock is held across a call that could panic half-way through a change.
    pub(crate) fn peers(&self) -> MutexGuard<'_, HashMap<AssocId, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serialises the sends, which the kernel does anyway, and keeps everything else that concerns
    /// what a run holds back out of its middle. Taken before [`EndpointState::peers`].
    pub(crate) fn credit(&self) -> MutexGuard<'_, SendCredit> {
        self.credit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unregistered(&self) -> MutexGuard<'_, HashMap<AssocId, PeeledOff>> {
        self.unregistered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, assoc: AssocId, peer: Peer) {
        self.peers().insert(assoc, peer);
    }

    pub(crate) fn remove(&self, assoc: AssocId) -> Peer {
        self.peers().remove(&assoc).unwrap_or_default()
    }

    pub(crate) fn note_shutdown(&self, assoc: AssocId, by: Side) {
        if let Some(peer) = self.peers().get(&assoc) {
            peer.tracker.note_shutdown(by);
        }
    }

    /// Moves an association to a socket of its own.
    ///
    /// Not between the sends of a run: the last one would not reach what the others have held back
    /// (`MSG_MORE`).
    pub(crate) fn peel_off(&self, assoc: AssocId) -> io::Result<(Socket, Peer)> {
        let _between_bundles = self.credit();
        let socket = self.io.socket().peel_off(assoc)?;
        Ok((socket, self.remove(assoc)))
    }

    /// Asks the kernel how many streams there are. Its notification of a change only tells how many
    /// were added (`sctp_ulpevent_make_stream_change_event`), or would have been.
    pub(crate) fn ask_streams(&self, assoc: AssocId) {
        if let (Some(peer), Ok(status)) =
            (self.peers().get_mut(&assoc), self.io.socket().status(assoc))
        {
            peer.outbound_streams = status.outbound_streams;
            peer.inbound_streams = status.inbound_streams;
        }
    }

    /// How many streams can be sent on; an association that has not been seen to come up, or
    /// that has been seen to end, has none.
    fn streams(&self, assoc: AssocId) -> Result<u16, SendError> {
        self.peers()
            .get(&assoc)
            .map(|peer| peer.outbound_streams)
            .ok_or(SendError::NoAssociation)
    }

    pub(crate) fn try_send(&self, assoc: AssocId, message: &Message) -> Result<(), SendError> {
        let streams = self.streams(assoc)?;
        let len = message.payload.len();
        check(&message.info, len, streams)?;
        let mut credit = self.credit();
        credit.charge_message(len);
        let result =
            self.io
                .socket()
                .send_msg(assoc, &message.info, &[IoSlice::new(&message.payload)]);
        result.map_err(|error| self.refused(error, message, streams))
    }

    /// Says why a message was not sent.
    pub(crate) fn refused(&self, error: io::Error, message: &Message, streams: u16) -> SendError {
        let len = message.payload.len();
        let socket = self.io.socket();
        SendError::from_kernel(error, Some(socket), &message.info, len, streams, None)
    }

    /// Sends from the front of a queue as many messages as one run holds.
    pub(crate) fn try_send_bundle(
        &self,
        assoc: AssocId,
        queue: &mut VecDeque<Message>,
    ) -> Result<(), SendError> {
        let Some(front) = queue.front() else {
            return Ok(());
        };
        let checked = self
            .streams(assoc)
            .and_then(|streams| check(&front.info, front.payload.len(), streams).map(|()| streams));
        let streams = match checked {
            Ok(streams) => streams,
            Err(error) => {
                queue.pop_front();
                return Err(error);
            }
        };
        match send_bundle(assoc, streams, &mut self.credit(), self.io.socket(), queue) {
            Ok(sent) => {
                queue.drain(..sent);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SendError::Io(error)),
            Err(error) => {
                let message = queue.pop_front().unwrap_or_default();
                Err(self.refused(error, &message, streams))
            }
        }
    }

    pub(crate) fn try_send_to_all(&self, message: &Message) -> Result<(), SendError> {
        let len = message.payload.len();
        check(&message.info, len, u16::MAX)?;
        let mut credit = self.credit();
        for _ in 0..self.peers().len() {
            credit.charge_message(len);
        }
        let payload = [IoSlice::new(&message.payload)];
        let result = self.io.socket().send_msg_to_all(&message.info, &payload);
        result.map_err(|error| self.refused(error, message, u16::MAX))
    }

    /// See [`EndpointSender::wait_for_room`](crate::EndpointSender::wait_for_room).
    pub(crate) async fn wait_for_room(&self) -> io::Result<()> {
        // By hand: `select!` would cost everyone who uses this crate five more to build.
        let mut writable = pin!(self.io.forget_writable());
        let mut freed = pin!(self.space_freed.notified());
        let mut retry = pin!(tokio::time::sleep(RETRY));
        poll_fn(|cx| {
            if let Poll::Ready(result) = writable.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            if freed.as_mut().poll(cx).is_ready() || retry.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        })
        .await
    }

    pub(crate) fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        self.note_shutdown(assoc, Side::Local);
        // The last message of a run would be refused, and the others wait for it.
        let _between_bundles = self.credit();
        if self.is_connecting(assoc) {
            return self.abort(assoc, &AbortReason::default());
        }
        ignore_already_closed(self.io.socket().send_eof(assoc))
    }

    /// Returns `true` if an association is still being set up. On `SCTP_EOF` the kernel drops it without
    /// a notification (`sctp_sf_cookie_wait_prm_shutdown`); on `SCTP_ABORT` there is one.
    fn is_connecting(&self, assoc: AssocId) -> bool {
        use AssociationState::{CookieEchoed, CookieWait};
        let status = self.io.socket().status(assoc);
        status.is_ok_and(|status| matches!(status.state, CookieWait | CookieEchoed))
    }

    pub(crate) fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        let peeled_off = self.unregistered().remove(&assoc);
        if let Some(PeeledOff { socket, .. }) = peeled_off {
            return ignore_already_closed(socket.send_abort(assoc, reason));
        }
        if let Some(peer) = self.peers().get(&assoc) {
            peer.tracker.note_abort();
        }
        ignore_already_closed(self.io.socket().send_abort(assoc, reason))
    }

    /// Sends of a queue what one run holds, passing over those whose buffers are full. `None` says
    /// that there may be more to send.
    pub(crate) fn try_send_many(
        &self,
        queue: &mut VecDeque<(AssocId, Message)>,
        full: &mut FullBuffers,
    ) -> Option<Result<(), EndpointSendError>> {
        let indices = match self.choose(queue, &full.assocs) {
            Ok(indices) => indices,
            Err((at, error)) => return Some(Err(refuse(queue, at, |_| error))),
        };
        if indices.is_empty() {
            return Some(match full.first {
                None => Ok(()),
                Some(assoc) => Err(failed(assoc, io::ErrorKind::WouldBlock.into())),
            });
        }
        let outcome = send_many(queue, indices, &mut self.credit(), self.io.socket());
        match outcome.settle(queue) {
            None => queue.is_empty().then_some(Ok(())),
            Some((at, error)) if error.kind() == io::ErrorKind::WouldBlock => {
                let assoc = queue[at].0;
                if !self.has_own_buffers {
                    return Some(Err(failed(assoc, error)));
                }
                full.first.get_or_insert(assoc);
                full.assocs.insert(assoc);
                None
            }
            Some((at, error)) => {
                let why = |message: &_| self.refused(error, message, u16::MAX);
                Some(Err(refuse(queue, at, why)))
            }
        }
    }

    /// Chooses what the next run carries, passing over those whose buffers are full.
    fn choose(&self, queue: &VecDeque<(AssocId, Message)>, full: &HashSet<AssocId>) -> Chosen {
        let peers = self.peers();
        let mut indices = Indices::default();
        let open = queue.iter().enumerate();
        for (at, (assoc, message)) in open.filter(|(_, (assoc, _))| !full.contains(assoc)) {
            let streams = peers.get(assoc).map(|peer| peer.outbound_streams);
            let checked = streams
                .ok_or(SendError::NoAssociation)
                .and_then(|streams| check(&message.info, message.payload.len(), streams));
            match checked {
                Err(error) if indices.is_empty() => return Err((at, error)),
                Err(_) => break,
                Ok(()) if goes_unbundled(message) => {
                    if indices.is_empty() {
                        indices.push(at);
                    }
                    break;
                }
                Ok(()) => indices.push(at),
            }
            if indices.is_full() {
                break;
            }
        }
        Ok(indices)
    }

    /// Takes note of associations that were on the socket before this endpoint had it.
    pub(crate) fn add(&self, assocs: &[AssocId]) {
        for &assoc in assocs {
            // One that has ended meanwhile is told by its notification.
            if let Ok(status) = self.io.socket().status(assoc) {
                let peer = Peer::new(status.outbound_streams, status.inbound_streams);
                self.insert(assoc, peer);
            }
        }
    }

    pub(crate) fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.io.socket().local_addrs(AssocId::FUTURE)
    }

    /// Begins with what an endpoint and its senders share.
    pub(crate) fn debug<'a, 'b>(
        &self,
        f: &'a mut fmt::Formatter<'b>,
        name: &str,
    ) -> fmt::DebugStruct<'a, 'b> {
        let mut shown = f.debug_struct(name);
        show_addrs(&mut shown, self.local_addrs());
        shown.field("associations", &self.peers().len());
        shown
    }
}

/// The associations whose own send buffers are full.
#[derive(Debug, Default)]
pub(crate) struct FullBuffers {
    assocs: HashSet<AssocId>,
    first: Option<AssocId>,
}

pub(crate) fn failed(assoc: AssocId, error: io::Error) -> EndpointSendError {
    EndpointSendError::new(assoc, SendError::Io(error))
}

/// Takes a message from the queue and says why.
fn refuse(
    queue: &mut VecDeque<(AssocId, Message)>,
    at: usize,
    why: impl FnOnce(&Message) -> SendError,
) -> EndpointSendError {
    let (assoc, message) = queue.remove(at).unwrap_or_default();
    EndpointSendError::new(assoc, why(&message))
}
