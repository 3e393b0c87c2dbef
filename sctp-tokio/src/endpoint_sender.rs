//! Sending on a socket that many associations share.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, IoSlice},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sctp_core::{AbortReason, AssocId, Socket};
use tokio::sync::Notify;

use crate::{
    End, Message, SendError,
    end::Marks,
    io::Io,
    send::{Room, charge_one, check, send_error, send_run},
    shared::gone_is_fine,
};

/// How long to wait for the kernel to say that there is room before trying anyway. On a shared
/// socket writability is the sum of all associations, and with `net.sctp.sndbuf_policy=1` it may
/// never come although a send would succeed.
const RETRY: Duration = Duration::from_millis(20);

/// What is known about one association of the endpoint.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
    pub(crate) marks: Marks,
}

impl Peer {
    pub(crate) fn new(outbound_streams: u16, inbound_streams: u16) -> Self {
        Self {
            outbound_streams,
            inbound_streams,
            marks: Marks::default(),
        }
    }
}

/// What an endpoint and its senders share.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) io: Io,
    pub(crate) room: Notify,
    account: Mutex<Room>,
    peers: Mutex<HashMap<AssocId, Peer>>,
}

impl Hub {
    pub(crate) fn new(io: Io) -> Self {
        Self {
            io,
            room: Notify::new(),
            account: Mutex::default(),
            peers: Mutex::default(),
        }
    }

    // Neither lock is held across a call that could panic half-way through a change.
    fn peers(&self) -> MutexGuard<'_, HashMap<AssocId, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self) -> MutexGuard<'_, Room> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, assoc: AssocId, peer: Peer) {
        self.peers().insert(assoc, peer);
    }

    pub(crate) fn remove(&self, assoc: AssocId) -> Peer {
        self.peers().remove(&assoc).unwrap_or_default()
    }

    pub(crate) fn note_peer_shutdown(&self, assoc: AssocId) {
        if let Some(peer) = self.peers().get(&assoc) {
            peer.marks.note_peer_shutdown();
        }
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
            .ok_or(SendError::Ended(End::Unread))
    }

    pub(crate) fn try_send(&self, assoc: AssocId, message: &Message) -> Result<(), SendError> {
        let streams = self.streams(assoc)?;
        let len = message.payload.len();
        check(&message.info, len, streams)?;
        let mut account = self.account();
        charge_one(&mut account, len);
        let result =
            self.io
                .socket()
                .send_msg(assoc, &message.info, &[IoSlice::new(&message.payload)]);
        result.map_err(|error| send_error(error, &message.info, len, streams, None))
    }

    fn try_send_queue(
        &self,
        assoc: AssocId,
        queue: &mut VecDeque<Message>,
    ) -> Result<(), SendError> {
        while let Some(front) = queue.front() {
            let streams = self.streams(assoc);
            if let Err(error) = streams
                .as_ref()
                .map_err(|_| SendError::Ended(End::Unread))
                .and_then(|streams| check(&front.info, front.payload.len(), *streams))
            {
                queue.pop_front();
                return Err(error);
            }
            let streams = streams?;
            match send_run(assoc, streams, &mut self.account(), self.io.socket(), queue) {
                Ok(sent) => drop(queue.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(SendError::Io(error));
                }
                Err(error) => {
                    let Some(message) = queue.pop_front() else {
                        continue;
                    };
                    let len = message.payload.len();
                    return Err(send_error(error, &message.info, len, streams, None));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn try_send_to_all(&self, message: &Message) -> Result<(), SendError> {
        let len = message.payload.len();
        check(&message.info, len, u16::MAX)?;
        let mut account = self.account();
        for _ in 0..self.peers().len() {
            charge_one(&mut account, len);
        }
        let payload = [IoSlice::new(&message.payload)];
        let result = self.io.socket().send_msg_to_all(&message.info, &payload);
        result.map_err(|error| send_error(error, &message.info, len, u16::MAX, None))
    }

    pub(crate) fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        gone_is_fine(self.io.socket().send_eof(assoc))
    }

    pub(crate) fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        if let Some(peer) = self.peers().get(&assoc) {
            peer.marks.note_abort();
        }
        gone_is_fine(self.io.socket().send_abort(assoc, reason))
    }
}

/// A handle for sending on the associations of an [`Endpoint`](crate::Endpoint), made by
/// [`sender`](crate::Endpoint::sender). Cheap to clone.
#[derive(Clone, Debug)]
pub struct EndpointSender {
    pub(crate) hub: Arc<Hub>,
}

impl EndpointSender {
    /// Sends one message on an association; all of it or nothing. Waits for room in the socket's
    /// send buffer, which all associations share.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; [`SendError::Ended`] also for an association whose coming up has not
    /// been received yet.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing.
    pub async fn send(&self, assoc: AssocId, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        loop {
            match self.hub.try_send(assoc, &message) {
                Err(SendError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_for_room().await.map_err(SendError::Io)?;
                }
                result => return result,
            }
        }
    }

    /// Sends one message if there is room now.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when the send buffer is
    /// full, and as [`EndpointSender::send`].
    pub fn try_send(&self, assoc: AssocId, message: &Message) -> Result<(), SendError> {
        self.hub.try_send(assoc, message)
    }

    /// Sends one message on every association that is up (`SCTP_SENDALL`, RFC 6458 section
    /// 5.3.4), with one system call. With none it succeeds and does nothing.
    ///
    /// There is no form of it that waits: the kernel stops at the first association that it cannot
    /// send on, and does not tell how many came before it. Trying again would send twice on those;
    /// to be sure, send on each association by itself.
    ///
    /// # Errors
    ///
    /// That of the first association that failed: [`SendError::Io`] with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room, with `InvalidInput` when
    /// one has no such stream.
    #[doc(alias = "SCTP_SENDALL")]
    pub fn try_send_to_all(&self, message: &Message) -> Result<(), SendError> {
        self.hub.try_send_to_all(message)
    }

    /// Sends messages from the front of a queue, many with one system call, as long as there is
    /// room now. Each one that was sent has left the queue.
    ///
    /// # Errors
    ///
    /// [`SendError::Io`] with [`WouldBlock`](io::ErrorKind::WouldBlock) when the send buffer is
    /// full; otherwise why the front message was refused, which then has left the queue too.
    pub fn try_send_queue(
        &self,
        assoc: AssocId,
        queue: &mut VecDeque<Message>,
    ) -> Result<(), SendError> {
        self.hub.try_send_queue(assoc, queue)
    }

    /// Waits until it is worth trying again after a send found no room: the socket became
    /// writable, an association ended or ran dry, or a little time has passed, since a shared
    /// socket's writability cannot be relied on.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn wait_for_room(&self) -> io::Result<()> {
        tokio::select! {
            result = self.hub.io.forget_writable() => result,
            () = self.hub.room.notified() => Ok(()),
            () = tokio::time::sleep(RETRY) => Ok(()),
        }
    }

    /// Begins the orderly end of an association (`SCTP_EOF`): whatever was sent is delivered and
    /// acknowledged, then SHUTDOWN goes out. Never waits.
    ///
    /// # Errors
    ///
    /// What the kernel says; an association that has ended is no error.
    pub fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        self.hub.start_shutdown(assoc)
    }

    /// Ends an association at once (`SCTP_ABORT`): an ABORT with the reason goes out, and what is
    /// unsent is discarded. Never waits.
    ///
    /// # Errors
    ///
    /// What the kernel says; an association that has ended is no error.
    pub fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        self.hub.abort(assoc, reason)
    }

    /// Returns how many streams the peer can send on, and how many can be sent on; `None` for an
    /// association that is not up.
    #[must_use]
    pub fn streams(&self, assoc: AssocId) -> Option<(u16, u16)> {
        let peers = self.hub.peers();
        peers
            .get(&assoc)
            .map(|peer| (peer.inbound_streams, peer.outbound_streams))
    }

    /// Returns the peer's addresses.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when there is no such association (any more).
    pub fn peer_addrs(&self, assoc: AssocId) -> io::Result<Vec<SocketAddr>> {
        self.hub.io.socket().peer_addrs(assoc)
    }

    /// Lends the socket, for options and statistics.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.hub.io.socket()
    }
}
