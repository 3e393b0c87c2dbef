//! The peer's end of an association in memory.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use sctp_core::{AbortReason, AssocId, Notification, PathState, RecvInfo};
use sctp_tokio::{End, Event, Message, Received, RecvError, Side};
use tokio::time::timeout;

use super::{notification, wire::Wire};

/// How long an expectation waits. Under a paused clock this is no time, and longer than every
/// default timeout of a server.
const PATIENCE: Duration = Duration::from_secs(600);

/// The peer's end of an association in memory: does what a client could do, sees what a client
/// would see.
///
/// Dropped before the end, it shuts down in order, as the kernel does for a process that ends.
#[derive(Debug)]
pub struct Peer {
    wire: Arc<Wire>,
    assoc: AssocId,
}

/// Doing what a client does.
impl Peer {
    pub(super) fn new(wire: Arc<Wire>, assoc: AssocId) -> Self {
        Self { wire, assoc }
    }

    /// Sends a message, and waits for room in the server's receive queue. After the end it does
    /// nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before it completes, nothing was sent.
    pub async fn send(&self, message: impl Into<Message>) {
        let message = message.into();
        let has_room = |full: usize, capacity| full < capacity;
        self.wire
            .wait(|state| {
                let room = has_room(state.unread_messages(), state.capacity);
                (room || state.end.is_some()).then_some(())
            })
            .await;
        self.deliver(message);
    }

    /// Sends a message if there is room, and tells whether there was.
    pub fn try_send(&self, message: impl Into<Message>) -> bool {
        let room = {
            let state = self.wire.look();
            state.end.is_none() && state.unread_messages() < state.capacity
        };
        if room {
            self.deliver(message.into());
        }
        room
    }

    fn deliver(&self, message: Message) {
        let info = RecvInfo::default()
            .with_assoc(self.assoc)
            .with_stream(message.info.stream)
            .with_ppid(message.info.ppid)
            .with_unordered(message.info.unordered);
        let received = Received::new(message.payload, info);
        self.push(Ok(Event::Message(received)));
    }

    /// Begins the orderly end.
    pub fn shutdown(&self) {
        self.notify(Notification::Shutdown { assoc: self.assoc });
        self.wire.act(|state| state.shut_down(Side::Peer));
    }

    /// Ends at once, with a reason.
    ///
    /// # Panics
    ///
    /// When the reason is longer than [`AbortReason::MAX_LEN`].
    pub fn abort(&self, reason: impl Into<Bytes>) {
        let reason = AbortReason::new(reason).unwrap_or_else(|error| panic!("{error}"));
        self.wire.act(|state| state.abort(Side::Peer, &reason));
    }

    /// Starts again under the same addresses, as after a crash: what was under way is forgotten.
    pub fn restart(&self) {
        self.wire.act(|state| {
            state.outbound.clear();
            state.shutting_down = None;
        });
        self.notify(notification::restart(self.assoc));
    }

    /// Is not reached any more: the kernel gives the association up.
    pub fn lose(&self) {
        let lost = || End::Lost {
            error: io::ErrorKind::TimedOut,
        };
        self.wire.act(|state| state.finish(lost(), lost()));
    }

    /// Has the server hear that a path changed its state.
    pub fn change_path(&self, addr: SocketAddr, state: PathState) {
        self.notify(notification::path_change(self.assoc, addr, state));
    }

    /// Has the server's next read fail, and the association end with it.
    pub fn fail_receive(&self, error: RecvError) {
        self.push(Err(error));
        self.wire
            .act(|state| state.abort(Side::Local, &AbortReason::default()));
    }

    /// Acknowledges nothing from now on: an orderly end does not complete.
    pub fn hold_acks(&self) {
        self.wire.look().holds_acks = true;
    }

    /// Acknowledges everything again.
    pub fn release_acks(&self) {
        self.wire.act(|state| {
            state.holds_acks = false;
            state.settle();
        });
    }

    fn notify(&self, notification: Notification) {
        self.push(Ok(Event::Notification(notification)));
    }

    fn push(&self, event: Result<Event, RecvError>) {
        self.wire.act(|state| {
            if state.end.is_none() {
                state.inbound.push_back(event);
            }
        });
    }
}

/// Seeing what a client sees.
impl Peer {
    /// Receives the next message; `None` once the association has ended and all is read.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before it completes, no message is lost.
    pub async fn recv(&self) -> Option<Message> {
        let read = self.wire.wait(|state| match state.outbound.front() {
            Some(_) => Some(true),
            None => state.peer_end.is_some().then_some(false),
        });
        if read.await {
            self.wire.act(|state| state.outbound.pop_front())
        } else {
            None
        }
    }

    /// Receives the next message if it is there already.
    #[must_use]
    pub fn try_recv(&self) -> Option<Message> {
        self.wire.act(|state| state.outbound.pop_front())
    }

    /// Waits for the end, whether or not all messages are read.
    pub async fn closed(&self) -> End {
        self.wire.wait(|state| state.peer_end.clone()).await
    }

    /// Returns how many of its messages the server has not read.
    #[must_use]
    pub fn unread_by_server(&self) -> usize {
        self.wire.look().unread_messages()
    }
}

/// Asserting what a client should see. Each waits, and fails the test after ten minutes: no time
/// at all under tokio's paused clock.
impl Peer {
    /// Asserts that this payload comes next, and returns its message.
    ///
    /// # Panics
    ///
    /// When something else comes.
    #[track_caller]
    pub fn expect_message(&self, payload: impl AsRef<[u8]>) -> impl Future<Output = Message> {
        let caller = std::panic::Location::caller();
        async move {
            let payload = payload.as_ref().escape_ascii().to_string();
            let Ok(next) = timeout(PATIENCE, self.recv()).await else {
                panic!("at {caller}: expected \"{payload}\", and nothing came");
            };
            let Some(message) = next else {
                let end = self.closed().await;
                panic!("at {caller}: expected \"{payload}\", and the association ended: {end}");
            };
            let came = message.payload.escape_ascii().to_string();
            assert!(
                came == payload,
                "at {caller}: expected \"{payload}\", and \"{came}\" came"
            );
            message
        }
    }

    /// Asserts that the association ends in order, with nothing left to read.
    ///
    /// # Panics
    ///
    /// When a message comes, or another end.
    #[track_caller]
    pub fn expect_shutdown(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let end = self.expect_end(caller).await;
            assert!(
                end.is_orderly(),
                "at {caller}: expected an orderly end, but: {end}"
            );
        }
    }

    /// Asserts that the server aborts the association with this reason, with nothing left to
    /// read.
    ///
    /// # Panics
    ///
    /// When a message comes, or another end.
    #[track_caller]
    pub fn expect_abort(&self, reason: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
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

    async fn expect_end(&self, caller: &std::panic::Location<'_>) -> End {
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
        self.shutdown();
    }
}
