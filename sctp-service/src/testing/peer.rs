//! Peer of an in-memory association.

use std::{future::Future, io, net::SocketAddr, panic::Location, sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_core::{AbortReason, AssocId, Notification, PeerAddrChangeState};
use sctp_tokio::{End, Message, RecvError};
use tokio::time::timeout;

use super::{
    notification,
    wire::{Item, Wire, WireEnd, causes},
};

/// Time limit of an expectation, longer than every default timeout of a server. Under a paused
/// clock it takes no real time.
const PATIENCE: Duration = Duration::from_secs(600);

/// Peer of an in-memory association, controlled by a test. Acts as a client of a server, or as a
/// server of a client.
///
/// Dropping an open peer closes the association as the kernel does when a process exits: with a
/// SHUTDOWN, or with an ABORT without a reason if messages are unread.
#[derive(Debug)]
pub struct Peer {
    wire: Arc<Wire>,
    at: WireEnd,
    /// Number of streams on which the peer can send.
    streams: u16,
}

/// Actions of a peer.
impl Peer {
    pub(super) fn new(wire: Arc<Wire>, at: WireEnd, streams: u16) -> Self {
        Self { wire, at, streams }
    }

    /// Sends a message, and waits for room in the other end's receive queue. Has no effect if the
    /// association has closed.
    ///
    /// # Panics
    ///
    /// Panics if SCTP could not carry the message: it is empty, or its stream does not exist.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: if the future is dropped before it completes, the message is not sent.
    #[track_caller]
    pub fn send<M: Into<Message>>(&self, message: M) -> impl Future<Output = ()> + use<'_, M> {
        let mut message = Some(self.checked(message.into()));
        let to = self.at.other();
        self.wire.wait(move |state| {
            let may = state.has_room(to) || state.at(to).end.is_some();
            may.then(|| {
                if let Some(message) = message.take() {
                    state.push(to, Item::Message(message));
                }
            })
        })
    }

    /// Sends a message if there is room. Returns `true` if it was sent.
    ///
    /// # Panics
    ///
    /// Panics if SCTP could not carry the message: it is empty, or its stream does not exist.
    #[track_caller]
    pub fn try_send(&self, message: impl Into<Message>) -> bool {
        let message = self.checked(message.into());
        let to = self.at.other();
        self.wire.act(|state| {
            let room = state.at(to).end.is_none() && state.has_room(to);
            if room {
                state.push(to, Item::Message(message));
            }
            room
        })
    }

    /// Panics for messages that no peer can send, since no server can ever receive them.
    #[track_caller]
    fn checked(&self, message: Message) -> Message {
        assert!(
            !message.payload.is_empty(),
            "SCTP cannot carry an empty message"
        );
        let (stream, streams) = (message.info.stream, self.streams);
        assert!(
            stream.get() < streams,
            "the peer cannot send on stream {stream}: it has {streams}, from 0"
        );
        message
    }

    /// Begins an orderly shutdown.
    pub fn shutdown(&self) {
        self.wire.act(|state| state.shut_down(self.at));
    }

    /// Aborts the association with a reason.
    ///
    /// # Panics
    ///
    /// Panics if the reason is longer than [`AbortReason::MAX_LEN`].
    #[track_caller]
    pub fn abort(&self, reason: impl Into<Bytes>) {
        // A closure would hide the caller's location from panics.
        let reason = match AbortReason::new(reason) {
            Ok(reason) => reason,
            Err(error) => panic!("{error}"),
        };
        self.wire.act(|state| state.abort(self.at, causes(&reason)));
    }

    /// Restarts with the same addresses, as after a crash: all state is lost.
    pub fn restart(&self) {
        self.wire.act(|state| state.forget(self.at));
        self.notify(notification::restart);
    }

    /// Becomes unreachable: the association is lost.
    pub fn lose(&self) {
        let lost = || End::Lost {
            error: io::ErrorKind::TimedOut,
        };
        self.wire.act(|state| state.finish(self.at, lost(), lost()));
    }

    /// Notifies the other end that the state of a path has changed.
    pub fn change_path(&self, addr: SocketAddr, state: PeerAddrChangeState) {
        self.notify(|assoc| notification::path_change(assoc, addr, state));
    }

    /// Makes the other end's next read fail, which closes the association.
    pub fn fail_receive(&self, error: RecvError) {
        let other = self.at.other();
        self.wire.act(|state| {
            state.push(other, Item::Failure(error));
            state.abort(other, causes(&AbortReason::default()));
        });
    }

    /// Withholds acknowledgements from now on, so that an orderly shutdown does not complete.
    pub fn hold_acks(&self) {
        self.wire.look().at(self.at).holds_acks = true;
    }

    /// Acknowledges withheld and all later messages.
    pub fn release_acks(&self) {
        self.wire.act(|state| {
            state.at(self.at).holds_acks = false;
            state.at(self.at.other()).stirred = true;
            state.settle();
        });
    }

    fn notify(&self, what: impl FnOnce(AssocId) -> Notification) {
        let to = self.at.other();
        self.wire.act(|state| {
            let notification = what(state.at(to).assoc);
            state.push(to, Item::Notification(notification));
        });
    }
}

/// Observations of a peer.
impl Peer {
    /// Receives the next message, or `None` once the association has closed and all messages are
    /// read.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: no message is lost.
    pub async fn recv(&self) -> Option<Message> {
        self.wire
            .wait(|state| match state.pop_message(self.at) {
                Some(message) => Some(Some(message)),
                None => state.at(self.at).end.is_some().then_some(None),
            })
            .await
    }

    /// Receives the next message if one is available.
    #[must_use]
    pub fn try_recv(&self) -> Option<Message> {
        self.wire.act(|state| state.pop_message(self.at))
    }

    /// Waits until the association has closed, even if messages are unread. Returns its end.
    pub async fn closed(&self) -> End {
        self.wire.wait(|state| state.at(self.at).end.clone()).await
    }

    /// Returns the number of this peer's messages that the other end has not read.
    #[must_use]
    pub fn unread_by_server(&self) -> usize {
        self.wire.look().at(self.at.other()).unread_messages()
    }
}

/// Assertions of a peer. Each waits for up to ten minutes before it fails, which takes no real time
/// under tokio's paused clock.
impl Peer {
    /// Asserts that the next message has this payload, and returns the message.
    ///
    /// # Panics
    ///
    /// Panics if another message arrives, or the association closes.
    #[track_caller]
    pub fn expect_message(&self, payload: impl AsRef<[u8]>) -> impl Future<Output = Message> {
        let caller = Location::caller();
        async move {
            let payload = payload.as_ref().escape_ascii().to_string();
            let message = self.expect_next(caller, &format!("\"{payload}\"")).await;
            let came = message.payload.escape_ascii().to_string();
            assert!(
                came == payload,
                "at {caller}: expected \"{payload}\", and \"{came}\" came"
            );
            message
        }
    }

    /// Asserts that the next message satisfies a predicate, and returns the message.
    ///
    /// For messages that contain an identifier or a time, or to check the stream or PPID.
    ///
    /// # Panics
    ///
    /// Panics if another message arrives, or the association closes.
    #[track_caller]
    pub fn expect_message_where(
        &self,
        predicate: impl FnOnce(&Message) -> bool,
    ) -> impl Future<Output = Message> {
        let caller = Location::caller();
        async move {
            let message = self.expect_next(caller, "a message").await;
            assert!(
                predicate(&message),
                "at {caller}: expected another message than \"{}\" on stream {} with PPID {}",
                message.payload.escape_ascii(),
                message.info.stream,
                message.info.ppid
            );
            message
        }
    }

    async fn expect_next(&self, caller: &Location<'_>, expected: &str) -> Message {
        let Ok(next) = timeout(PATIENCE, self.recv()).await else {
            panic!("at {caller}: expected {expected}, and nothing came");
        };
        let Some(message) = next else {
            let end = self.closed().await;
            panic!("at {caller}: expected {expected}, and the association ended: {end}");
        };
        message
    }

    /// Asserts that the association is shut down without further messages.
    ///
    /// # Panics
    ///
    /// Panics if a message arrives, or the association closes differently.
    #[track_caller]
    pub fn expect_shutdown(&self) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let end = self.expect_end(caller).await;
            assert!(
                end.is_orderly(),
                "at {caller}: expected an orderly end, but: {end}"
            );
        }
    }

    /// Asserts that the other end aborts the association with this reason without further messages.
    ///
    /// # Panics
    ///
    /// Panics if a message arrives, or the association closes differently.
    #[track_caller]
    pub fn expect_abort(&self, reason: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let end = self.expect_end(caller).await;
            let reason = reason.as_ref().escape_ascii().to_string();
            let came = end.reason().map(|reason| reason.escape_ascii().to_string());
            assert!(
                came.as_ref() == Some(&reason),
                "at {caller}: expected an abort with reason \"{reason}\", but: {end}"
            );
        }
    }

    async fn expect_end(&self, caller: &Location<'_>) -> End {
        match timeout(PATIENCE, self.recv()).await {
            Err(_) => panic!("at {caller}: expected the end, and nothing came"),
            Ok(Some(message)) => {
                panic!(
                    "at {caller}: expected the end, and a message came: {:?}",
                    message.payload
                )
            }
            Ok(None) => self.closed().await,
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.wire.act(|state| state.close(self.at));
    }
}
