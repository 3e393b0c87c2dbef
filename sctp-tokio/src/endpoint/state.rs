//! State that an endpoint and its senders share.

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
        end::{End, EndTracker, Side},
        shared::{ignore_already_closed, is_closed},
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

/// Interval at which a pending send is retried without a wake-up.
///
/// A shared socket has one writability for all associations. With `net.sctp.sndbuf_policy=1` it may
/// never become writable although a send would succeed.
const RETRY: Duration = Duration::from_millis(20);

/// Positions of the messages of a bundle, or the error of the first message.
type Chosen = Result<Indices, (usize, SendError)>;

/// State of one association of the endpoint.
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

/// State that an endpoint and its senders share.
#[derive(Debug)]
pub(crate) struct EndpointState {
    pub(crate) io: Io,
    pub(crate) space_freed: Notify,
    /// Set if each association has its own send buffer (`net.sctp.sndbuf_policy`).
    pub(crate) has_own_buffers: bool,
    credit: Mutex<SendCredit>,
    peers: Mutex<HashMap<AssocId, Peer>>,
    /// Associations that were peeled off and could not be registered with the reactor.
    unregistered: Mutex<HashMap<AssocId, PeeledOff>>,
}

/// Association that has left the endpoint's socket, with the data received on it.
#[derive(Debug)]
pub(crate) struct PeeledOff {
    pub(crate) socket: Socket,
    pub(crate) peer: Peer,
    pub(crate) reassembler: Reassembler,
    pub(crate) parts: VecDeque<Part>,
}

/// Returns `true` if each association of a new socket has its own send buffer.
///
/// The kernel fixes the policy when a socket is created, and offers no way to query it. For a
/// socket created elsewhere, the result is a guess: a wrong one costs system calls, or lets an
/// association with a full buffer block others.
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

    // A panic cannot leave the maps inconsistent, so poisoning is ignored.
    pub(crate) fn peers(&self) -> MutexGuard<'_, HashMap<AssocId, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the send credit, which also serialises sends. Everything that would interfere with a
    /// bundle takes this lock, before [`EndpointState::peers`].
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
    /// Not while a bundle is being sent: its last message would not release those held back by
    /// `MSG_MORE`.
    pub(crate) fn peel_off(&self, assoc: AssocId) -> io::Result<(Socket, Peer)> {
        let _between_bundles = self.credit();
        let socket = self.io.socket().peel_off(assoc)?;
        Ok((socket, self.remove(assoc)))
    }

    /// Reads the number of streams from the kernel.
    ///
    /// The notification contains only the number of added streams, even if the request was denied
    /// (`sctp_ulpevent_make_stream_change_event`).
    pub(crate) fn ask_streams(&self, assoc: AssocId) {
        if let (Some(peer), Ok(status)) =
            (self.peers().get_mut(&assoc), self.io.socket().status(assoc))
        {
            peer.outbound_streams = status.outbound_streams;
            peer.inbound_streams = status.inbound_streams;
        }
    }

    /// Returns the number of outbound streams of an established association.
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
        result.map_err(|error| self.send_error(error, assoc, message, streams))
    }

    /// Converts the error of a send.
    pub(crate) fn send_error(
        &self,
        error: io::Error,
        assoc: AssocId,
        message: &Message,
        streams: u16,
    ) -> SendError {
        let len = message.payload.len();
        let socket = self.io.socket();
        if is_closed(&error, || socket.has_association(assoc)) {
            return SendError::Closed(End::Unread);
        }
        SendError::from_kernel(error, Some(socket), &message.info, len, streams, None)
    }

    /// Sends one bundle from the front of the queue.
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
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SendError::Full),
            Err(error) => {
                let message = queue.pop_front().unwrap_or_default();
                Err(self.send_error(error, assoc, &message, streams))
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
        let socket = self.io.socket();
        let result = socket.send_msg_to_all(&message.info, &payload);
        result.map_err(|error| {
            SendError::from_kernel(error, Some(socket), &message.info, len, u16::MAX, None)
        })
    }

    /// Implements [`EndpointSender::writable`](crate::EndpointSender::writable).
    pub(crate) async fn writable(&self) -> io::Result<()> {
        // Written by hand, because `select!` would add five dependencies.
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
        // Not while a bundle is being sent: its last message would be rejected, and the messages
        // held back by `MSG_MORE` would not be sent.
        let _between_bundles = self.credit();
        if self.is_connecting(assoc) {
            return self.abort(assoc, &AbortReason::default());
        }
        let socket = self.io.socket();
        ignore_already_closed(socket.send_eof(assoc), || socket.has_association(assoc))
    }

    /// Returns `true` if an association is not established yet. On `SCTP_EOF` the kernel drops it
    /// without a notification (`sctp_sf_cookie_wait_prm_shutdown`), on `SCTP_ABORT` with one.
    fn is_connecting(&self, assoc: AssocId) -> bool {
        use AssociationState::{CookieEchoed, CookieWait};
        let status = self.io.socket().status(assoc);
        status.is_ok_and(|status| matches!(status.state, CookieWait | CookieEchoed))
    }

    pub(crate) fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        let peeled_off = self.unregistered().remove(&assoc);
        if let Some(PeeledOff { socket, .. }) = peeled_off {
            return ignore_already_closed(socket.send_abort(assoc, reason), || {
                socket.has_association(assoc)
            });
        }
        if let Some(peer) = self.peers().get(&assoc) {
            peer.tracker.note_abort();
        }
        let socket = self.io.socket();
        ignore_already_closed(socket.send_abort(assoc, reason), || {
            socket.has_association(assoc)
        })
    }

    /// Sends one bundle from a queue, skipping associations whose buffers are full. Returns `None`
    /// if there may be more to send.
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
                Some(assoc) => Err(EndpointSendError::new(assoc, SendError::Full)),
            });
        }
        let outcome = send_many(queue, indices, &mut self.credit(), self.io.socket());
        match outcome.settle(queue) {
            None => queue.is_empty().then_some(Ok(())),
            Some((at, error)) if error.kind() == io::ErrorKind::WouldBlock => {
                let assoc = queue[at].0;
                if !self.has_own_buffers {
                    return Some(Err(EndpointSendError::new(assoc, SendError::Full)));
                }
                full.first.get_or_insert(assoc);
                full.assocs.insert(assoc);
                None
            }
            Some((at, error)) => {
                let assoc = queue[at].0;
                let why = |message: &_| self.send_error(error, assoc, message, u16::MAX);
                Some(Err(refuse(queue, at, why)))
            }
        }
    }

    /// Chooses the messages of the next bundle, skipping associations whose buffers are full.
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

    /// Adds the associations of an existing socket.
    pub(crate) fn add(&self, assocs: &[AssocId]) {
        for &assoc in assocs {
            // Fails if the association was closed meanwhile, which a notification reports.
            if let Ok(status) = self.io.socket().status(assoc) {
                let peer = Peer::new(status.outbound_streams, status.inbound_streams);
                self.insert(assoc, peer);
            }
        }
    }

    pub(crate) fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.io.socket().local_addrs(AssocId::FUTURE)
    }

    /// Starts the `Debug` output of an endpoint or a sender.
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

/// Associations whose own send buffers are full.
#[derive(Debug, Default)]
pub(crate) struct FullBuffers {
    assocs: HashSet<AssocId>,
    first: Option<AssocId>,
}

pub(crate) fn failed(assoc: AssocId, error: io::Error) -> EndpointSendError {
    EndpointSendError::new(assoc, SendError::Io(error))
}

/// Removes a message from the queue and returns its error.
fn refuse(
    queue: &mut VecDeque<(AssocId, Message)>,
    at: usize,
    why: impl FnOnce(&Message) -> SendError,
) -> EndpointSendError {
    let (assoc, message) = queue.remove(at).unwrap_or_default();
    EndpointSendError::new(assoc, why(&message))
}
