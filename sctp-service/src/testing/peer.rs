//! The peer's end of an association in memory.

use std::{future::Future, io, net::SocketAddr, panic::Location, sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_core::{AbortReason, AssocId, Notification, PeerAddrChangeState};
use sctp_tokio::{End, Message, RecvError};
use tokio::time::timeout;

use super::{
    notification,
    wire::{Item, Place, Wire, causes},
};

/// Time limit for an expectation. Under a paused clock this is no time, and longer than every
/// default timeout of a server.
const PATIENCE: Duration = Duration::from_secs(600);

/// The peer's end of an association in memory: does what a client could do to a server, or a
/// server to a client, and sees what that would see.
///
/// Dropped before the end, it does as the kernel does for a process that ends: it shuts down in
/// order, or aborts without a reason if there are messages that it has not read.
#[derive(Debug)]
pub struct Peer {
    wire: Arc<Wire>,
    at: Place,
    /// Number of streams that it can send on.
    streams: u16,
}

/// Doing what a peer does.
impl Peer {
    pub(super) fn new(wire: Arc<Wire>, at: Place, streams: u16) -> Self {
        Self { wire, at, streams }
    }

    /// Sends a message, and waits for room in the other end's receive queue. After the end it does
    /// nothing.
    ///
    /// # Panics
    ///
    /// When SCTP could not carry it: it is empty, or its stream does not exist.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before it completes, nothing was sent.
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

    /// Sends a message if there is room, and tells whether there was.
    ///
    /// # Panics
    ///
    /// When SCTP could not carry it: it is empty, or its stream does not exist.
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

    /// Panics for what no peer can send: a server would be shown what none will ever see.
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

    /// Begins the orderly end.
    pub fn shutdown(&self) {
        self.wire.act(|state| state.shut_down(self.at));
    }

    /// Ends at once, with a reason.
    ///
    /// # Panics
    ///
    /// When the reason is longer than [`AbortReason::MAX_LEN`].
    #[track_caller]
    pub fn abort(&self, reason: impl Into<Bytes>) {
        // Not by a closure: that would hide who called.
        let reason = match AbortReason::new(reason) {
            Ok(reason) => reason,
            Err(error) => panic!("{error}"),
        };
        self.wire.act(|state| state.abort(self.at, causes(&reason)));
    }

    /// Starts again under the same addresses, as after a crash: what was under way is forgotten.
    pub fn restart(&self) {
        self.wire.act(|state| state.forget(self.at));
        self.notify(notification::restart);
    }

    /// Is not reached any more: the kernel gives the association up.
    pub fn lose(&self) {
        let lost = || End::Lost {
            error: io::ErrorKind::TimedOut,
        };
        self.wire.act(|state| state.finish(self.at, lost(), lost()));
    }

    /// Has the other end hear that a path changed its state.
    pub fn change_path(&self, addr: SocketAddr, state: PeerAddrChangeState) {
        self.notify(|assoc| notification::path_change(assoc, addr, state));
    }

    /// Has the other end's next read fail, and the association end with it.
    pub fn fail_receive(&self, error: RecvError) {
        let other = self.at.other();
        self.wire.act(|state| {
            state.push(other, Item::Failure(error));
            state.abort(other, causes(&AbortReason::default()));
        });
    }

    /// Acknowledges nothing from now on: an orderly end does not complete.
    pub fn hold_acks(&self) {
        self.wire.look().at(self.at).holds_acks = true;
    }

    /// Acknowledges everything again.
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

/// Seeing what a peer sees.
impl Peer {
    /// Receives the next message; `None` once the association has ended and all is read.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before it completes, no message is lost.
    pub async fn recv(&self) -> Option<Message> {
        self.wire
            .wait(|state| match state.pop_message(self.at) {
                Some(message) => Some(Some(message)),
                None => state.at(self.at).end.is_some().then_some(None),
            })
            .await
    }

    /// Receives the next message if it is there already.
    #[must_use]
    pub fn try_recv(&self) -> Option<Message> {
        self.wire.act(|state| state.pop_message(self.at))
    }

    /// Waits for the end, whether or not all messages are read.
    pub async fn closed(&self) -> End {
        self.wire.wait(|state| state.at(self.at).end.clone()).await
    }

    /// Returns how many of its messages the server, or the client, has not read.
    #[must_use]
    pub fn unread_by_server(&self) -> usize {
        self.wire.look().at(self.at.other()).unread_messages()
    }
}

/// Asserting what a peer should see. Each waits, and fails the test after ten minutes: no time
/// at all under tokio's paused clock.
impl Peer {
    /// Asserts that this payload comes next, and returns its message.
    ///
    /// # Panics
    ///
    /// When something else comes.
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
    /// For messages with an identifier or a time in them, or by stream or PPID.
    ///
    /// # Panics
    ///
    /// Panics if another message comes, or the association ends.
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

    /// Asserts that the association ends in order, with nothing left to read.
    ///
    /// # Panics
    ///
    /// When a message comes, or another end.
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

    /// Asserts that the other end aborts the association with this reason, with nothing left to
    /// read.
    ///
    /// # Panics
    ///
    /// When a message comes, or another end.
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
