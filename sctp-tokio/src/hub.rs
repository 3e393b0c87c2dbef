//! What an endpoint and its senders share.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    io::{self, IoSlice},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use sctp_core::{AbortReason, AssocId, Socket, options::AssociationState};
use tokio::sync::Notify;

use crate::{
    Message, SendError, Side,
    end::Marks,
    io::Io,
    run::{Room, charge_one, send_run},
    send::{check, send_error},
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
    /// Whether each association has a send buffer of its own (`net.sctp.sndbuf_policy`).
    pub(crate) has_own_buffers: bool,
    account: Mutex<Room>,
    peers: Mutex<HashMap<AssocId, Peer>>,
}

/// What the kernel settles when a socket is made. No call tells it of a socket afterwards, so for one
/// that came from elsewhere it is a guess: a wrong one costs calls, or has a full peer hold up others.
fn has_own_buffers() -> bool {
    let policy = std::fs::read("/proc/sys/net/sctp/sndbuf_policy");
    policy.is_ok_and(|policy| policy.trim_ascii() != b"0")
}

impl Hub {
    pub(crate) fn new(io: Io) -> Self {
        Self {
            io,
            room: Notify::new(),
            has_own_buffers: has_own_buffers(),
            account: Mutex::default(),
            peers: Mutex::default(),
        }
    }

    // Neither lock is held across a call that could panic half-way through a change.
    pub(crate) fn peers(&self) -> MutexGuard<'_, HashMap<AssocId, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serialises the sends, which the kernel does anyway, and keeps everything else that concerns
    /// what a run holds back out of its middle. Taken before [`Hub::peers`].
    pub(crate) fn account(&self) -> MutexGuard<'_, Room> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, assoc: AssocId, peer: Peer) {
        self.peers().insert(assoc, peer);
    }

    pub(crate) fn remove(&self, assoc: AssocId) -> Peer {
        self.peers().remove(&assoc).unwrap_or_default()
    }

    pub(crate) fn note_shutdown(&self, assoc: AssocId, by: Side) {
        if let Some(peer) = self.peers().get(&assoc) {
            peer.marks.note_shutdown(by);
        }
    }

    /// Moves an association to a socket of its own.
    ///
    /// Not between the sends of a run: the last one would not reach what the others have held back
    /// (`MSG_MORE`).
    pub(crate) fn peel_off(&self, assoc: AssocId) -> io::Result<(Socket, Peer)> {
        let _between_runs = self.account();
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
        let mut account = self.account();
        charge_one(&mut account, len);
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
        send_error(error, Some(socket), &message.info, len, streams, None)
    }

    /// Sends from the front of a queue as many messages as one run holds.
    pub(crate) fn try_send_run(
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
        match send_run(assoc, streams, &mut self.account(), self.io.socket(), queue) {
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
        let mut account = self.account();
        for _ in 0..self.peers().len() {
            charge_one(&mut account, len);
        }
        let payload = [IoSlice::new(&message.payload)];
        let result = self.io.socket().send_msg_to_all(&message.info, &payload);
        result.map_err(|error| self.refused(error, message, u16::MAX))
    }

    /// See [`EndpointSender::wait_for_room`](crate::EndpointSender::wait_for_room).
    pub(crate) async fn wait_for_room(&self) -> io::Result<()> {
        // By hand: `select!` would cost everyone who uses this crate five more to build.
        let mut writable = pin!(self.io.forget_writable());
        let mut room = pin!(self.room.notified());
        let mut retry = pin!(tokio::time::sleep(RETRY));
        poll_fn(|cx| {
            if let Poll::Ready(result) = writable.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            if room.as_mut().poll(cx).is_ready() || retry.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        })
        .await
    }

    pub(crate) fn start_shutdown(&self, assoc: AssocId) -> io::Result<()> {
        self.note_shutdown(assoc, Side::Local);
        // The last message of a run would be refused, and the others wait for it.
        let _between_runs = self.account();
        if self.is_connecting(assoc) {
            return self.abort(assoc, &AbortReason::default());
        }
        gone_is_fine(self.io.socket().send_eof(assoc))
    }

    /// Returns `true` if an association is still being set up. On `SCTP_EOF` the kernel drops it without
    /// a notification (`sctp_sf_cookie_wait_prm_shutdown`); on `SCTP_ABORT` there is one.
    fn is_connecting(&self, assoc: AssocId) -> bool {
        use AssociationState::{CookieEchoed, CookieWait};
        let status = self.io.socket().status(assoc);
        status.is_ok_and(|status| matches!(status.state, CookieWait | CookieEchoed))
    }

    pub(crate) fn abort(&self, assoc: AssocId, reason: &AbortReason) -> io::Result<()> {
        if let Some(peer) = self.peers().get(&assoc) {
            peer.marks.note_abort();
        }
        gone_is_fine(self.io.socket().send_abort(assoc, reason))
    }
}
