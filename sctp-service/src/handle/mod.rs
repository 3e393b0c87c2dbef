//! Handle for using an association outside of a request.

pub(crate) mod call;
mod caller;
pub(crate) mod error;
mod observer;
mod room;
mod state;

use std::{fmt, sync::Arc, time::Duration};

#[cfg(feature = "testing")]
pub(crate) use call::Waiter;
pub use caller::Caller;
use error::{CallError, Cause};
pub(crate) use observer::Observer;
pub(crate) use room::CallRoom;
use sctp_core::AbortReason;
use sctp_tokio::{End, Message, Received, SendError};
pub(crate) use state::{HandleState, Released, StateOwner, Submission, Untaken};
use state::{SilenceWatch, Speaker};
use tokio::time::{Instant, sleep_until};

use crate::{ConnectInfo, Drain, Shutdown};

/// Handle of an association that is being served, for what this end begins: an unsolicited message
/// (paging, a notice, a watchdog's request), a call, or the end of the association.
///
/// It is an argument of a handler, part of every [`Request`](crate::Request::association), of what
/// a make-service [gets](crate::IncomingAssociation::handle), and of the events
/// [`Up`](crate::ServerEvent::Up), [`Open`](crate::ServerEvent::Open), `Restarted` and `Closed`. It
/// is cheap to clone, works from any task and thread, and for [`serve`](crate::serve()),
/// [`serve_endpoint`](crate::serve_endpoint) and [`serve_association`](crate::serve_association)
/// alike. It keeps nothing open: neither the association, nor its descriptor, nor a server that
/// shuts down waits for one.
///
/// ```
/// use std::{collections::HashMap, sync::{Arc, Mutex, PoisonError}};
///
/// use sctp_service::{AssociationHandle, SendError, State};
/// use sctp_tokio::Message;
///
/// /// Who can be paged.
/// type Registry = Arc<Mutex<HashMap<String, AssociationHandle>>>;
///
/// /// A handler: a subscriber says its name.
/// async fn attach(State(registry): State<Registry>, peer: AssociationHandle, name: String) -> &'static str {
///     // From here on it can be paged, and may be before it has this handler's answer. Where it must not
///     // be, `send` the answer first, and return nothing.
///     lock(&registry).insert(name.clone(), peer.clone());
///     // Gone when its association is, unless it has attached anew on another one in the meantime. To
///     // wait for anything between the two lines would be a leak: the call is dropped if its association ends.
///     tokio::spawn(async move {
///         peer.closed().await;
///         let mut registry = lock(&registry);
///         if registry.get(&name).is_some_and(|held| held.same_association(&peer)) {
///             registry.remove(&name);
///         }
///     });
///     "attached"
/// }
///
/// /// From anywhere else: a network has a call for it.
/// async fn page(registry: &Registry, name: &str) -> Result<(), SendError> {
///     let peer = lock(registry).get(name).cloned().unwrap_or_default();
///     peer.send(Message::new("a call for you").on_stream(1)).await
/// }
/// # fn lock(registry: &Registry) -> std::sync::MutexGuard<'_, HashMap<String, AssociationHandle>> {
/// #     registry.lock().unwrap_or_else(PoisonError::into_inner)
/// # }
/// # use sctp_service::Handler;
/// # let _ = (attach.with_state(Registry::default()), page);
/// ```
///
/// [`request`](Self::request) makes a call, and waits for its reply; see the guide
/// [`between_equals`](crate::guide::between_equals).
///
/// # Before the association is open
///
/// While a make-service [exchanges messages](crate::IncomingAssociation) with the peer, `send` and
/// `request` of a handle wait, and [`try_send`](Self::try_send) would block. They go on with the event
/// [`Open`](crate::ServerEvent::Open).
///
/// # Order
///
/// Messages go out in the order in which they were accepted. One that was accepted before a handler
/// answers goes out before that answer; SCTP keeps that order within a stream. What the peer answers to
/// a message of a handle comes to the service, like any message.
///
/// # Limits
///
/// Up to [`Config::outbound_queue`](crate::Config::outbound_queue) messages, with up to
/// [`outbound_queue_bytes`](crate::Config::outbound_queue_bytes), are accepted and not yet taken by
/// the transport: a peer that does not read makes [`send`](Self::send) wait, and never the server's
/// memory grow. They do not count in [`reply_queue`](crate::Config::reply_queue), and sent or
/// waiting they keep no association from being [idle](crate::Config::idle_timeout).
///
/// # What becomes of accepted messages
///
/// | what happens | accepted and not yet sent | a later [`send`](Self::send) |
/// |---|---|---|
/// | the server drains, or [`graceful_shutdown`](Self::graceful_shutdown) | as after `AfterAck` | accepted while calls are in flight, then `ShuttingDown` |
/// | [`Shutdown::AfterAck`], of a reply or a [`shutdown`](Self::shutdown) | sent, then SHUTDOWN; a peer that has not read it all after [`shutdown_timeout`](crate::Config::shutdown_timeout) is aborted | `ShuttingDown`, then `Closed` |
/// | [`Shutdown::Abort`], a panic, a reply that cannot be sent | discarded, counted | `ShuttingDown`, then `Closed` |
/// | the peer shuts down, aborts, is lost | discarded, counted | `ShuttingDown`, `Closed` |
/// | the peer restarts | discarded, counted | `NoAssociation`: after the restart there are other handles |
///
/// Accepted does not mean received: only a protocol's own answer does. They are counted in
/// [`Counts::sends`](crate::Counts::sends) and
/// [`discarded_sends`](crate::Counts::discarded_sends). One that the kernel refuses although all was
/// well when it was accepted is logged and reported as
/// [`ServerEvent::SendRefused`](crate::ServerEvent::SendRefused), and ends nothing.
///
/// A restart is noticed where messages are read. While none are (the service is being made, requests
/// wait for calls in flight, the server drains), a peer that has restarted still gets what is sent
/// through a handle from before, and replies to its earlier requests.
///
/// The default is of no association: nothing can be sent, and it is closed.
#[derive(Clone, Default)]
pub struct AssociationHandle {
    /// One pointer serves both, so that each request carries no more.
    drain: Drain,
}

impl AssociationHandle {
    pub(crate) fn new(state: Arc<HandleState>) -> Self {
        Self {
            drain: Drain::new(state),
        }
    }

    pub(crate) fn state(&self) -> Option<&Arc<HandleState>> {
        self.drain.state()
    }

    /// Returns the association, as it was when it came up or last restarted; `None` if it is the
    /// default, of none.
    #[must_use]
    pub fn connect_info(&self) -> Option<&ConnectInfo> {
        self.state().map(|state| state.info())
    }

    /// Returns a number that is unique in this process, such as for the key of a map. It changes when
    /// the peer restarts, unlike the [`AssocId`](crate::AssocId), which is unique on one socket
    /// only. 0 if it is the default, of none.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.state().map_or(0, |state| state.id())
    }

    /// Sends an unsolicited message. Resolves when the message is accepted, and waits while the peer
    /// has too much to read first.
    ///
    /// There is no request to take a stream and an identifier from: a message that names none goes
    /// out on stream 0, with PPID 0, ordered.
    ///
    /// # Errors
    ///
    /// At once, and nothing is sent: [`Empty`](SendError::Empty),
    /// [`InvalidStream`](SendError::InvalidStream), and [`TooLarge`](SendError::TooLarge) for more than
    /// the transport can send, where it [says so](crate::Transport::max_message).
    /// [`ShuttingDown`](SendError::ShuttingDown), [`Closed`](SendError::Closed) and
    /// [`NoAssociation`](SendError::NoAssociation) as the table above says, also while waiting.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a message whose `send` was dropped before it resolved is not sent.
    pub async fn send(&self, message: impl Into<Message> + Send) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.send(message.into(), Speaker::Handle).await,
            None => Err(SendError::NoAssociation),
        }
    }

    /// Like [`send`](Self::send), but does not wait.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and [`Io`](SendError::Io) of kind
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock), for which
    /// [`is_would_block`](SendError::is_would_block) asks: too much was accepted that the peer has
    /// not read, or the association is not open yet.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.try_send(message.into()),
            None => Err(SendError::NoAssociation),
        }
    }

    /// Waits until the kernel has every message that [`send`](Self::send) and
    /// [`try_send`](Self::try_send) of any handle of this association accepted before.
    ///
    /// The peer may not have received them yet. A message that the kernel refuses is reported as
    /// [`ServerEvent::SendRefused`](crate::ServerEvent::SendRefused), and is not waited for. Calls are
    /// not waited for either.
    ///
    /// # Errors
    ///
    /// [`ShuttingDown`](SendError::ShuttingDown), [`Closed`](SendError::Closed) or
    /// [`NoAssociation`](SendError::NoAssociation): the association ended first, and some of these
    /// messages were discarded.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the messages are sent all the same.
    pub async fn flush(&self) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.flush().await,
            None => Err(SendError::NoAssociation),
        }
    }

    /// Sends a request to the peer, and waits for the reply.
    ///
    /// The server, client or association needs a
    /// [correlation](crate::Serve::with_correlation), which tells replies from requests. A handler
    /// may make calls on any stream while it serves a request of the peer: replies are recognized
    /// before requests wait for their turn. At most [`Config::max_calls`](crate::Config::max_calls)
    /// calls wait for their reply at once, and further ones wait for a place.
    ///
    /// Waiting for room and waiting for the reply may each take
    /// [`Config::call_timeout`](crate::Config::call_timeout).
    ///
    /// # Errors
    ///
    /// See [`CallError`]. Without a correlation the call is refused and nothing is sent:
    /// [`Refusal::NoCorrelation`](crate::Refusal::NoCorrelation).
    ///
    /// # Cancel safety
    ///
    /// As for [`Call`](crate::Call): dropping the future gives the call up.
    pub async fn request(&self, message: impl Into<Message> + Send) -> Result<Received, CallError> {
        match self.state() {
            Some(state) => {
                let call = Arc::clone(state).request(message.into(), None, Speaker::Handle);
                call.await
            }
            None => Err(CallError::not_sent(Cause::Closed)),
        }
    }

    /// Like [`request`](Self::request), with a time limit of this call for everything.
    ///
    /// # Errors
    ///
    /// As for [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// As for [`request`](Self::request).
    pub async fn request_within(
        &self,
        time: Duration,
        message: impl Into<Message> + Send,
    ) -> Result<Received, CallError> {
        match self.state() {
            Some(state) => {
                let call = Arc::clone(state).request(message.into(), Some(time), Speaker::Handle);
                call.await
            }
            None => Err(CallError::not_sent(Cause::Closed)),
        }
    }

    /// Sends a message of the handshake.
    pub(crate) async fn send_in_handshake(&self, message: Message) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.send(message, Speaker::Handshake).await,
            None => Err(SendError::NoAssociation),
        }
    }

    /// Makes a call of the handshake.
    pub(crate) async fn request_in_handshake(
        &self,
        message: Message,
        within: Option<Duration>,
    ) -> Result<Received, CallError> {
        match self.state() {
            Some(state) => {
                let call = Arc::clone(state).request(message, within, Speaker::Handshake);
                call.await
            }
            None => Err(CallError::not_sent(Cause::Closed)),
        }
    }

    /// Has the session look at what it shares with others.
    pub(crate) fn notify_session(&self) {
        if let Some(state) = self.state() {
            state.notify();
        }
    }

    /// Returns a tower service that makes calls on this association.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::new(self.clone())
    }

    /// Ends the association, as a reply with this [`Shutdown`] does: `AfterAck` once all that was
    /// answered and accepted before is acknowledged, `Abort` at once with its reason. **Calls in
    /// flight are dropped**, that of a handler which does this itself too, unless it answers
    /// without waiting for anything: so a handler ends its association through its reply. To let
    /// calls finish is [`graceful_shutdown`](Self::graceful_shutdown). An abort overrides an
    /// orderly end that is under way; otherwise the first one holds. Where the peer has shut down
    /// already, nothing is left to end: calls of its last requests go on. It resolves nothing: see
    /// [`closed`](Self::closed).
    ///
    /// # Errors
    ///
    /// [`Closed`](SendError::Closed) or [`NoAssociation`](SendError::NoAssociation): there is
    /// nothing left to end.
    pub fn shutdown(&self, shutdown: Shutdown) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.shutdown(shutdown),
            None => Err(SendError::NoAssociation),
        }
    }

    /// Returns what tells when the server shuts down, or this association is
    /// [to](Self::graceful_shutdown). A goodbye is sent by
    /// [`Serve::on_drain`](crate::Serve::on_drain).
    #[must_use]
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// See [`Turn::release`](crate::Turn::release).
    pub(crate) fn release_turn(&self, number: u64) {
        if let Some(state) = self.state() {
            state.release_turn(number);
        }
    }

    /// Begins a graceful shutdown of this association alone, as that of the server is for all: the
    /// requests that have arrived are answered, and the association is shut down in order; after
    /// [`Config::drain_timeout`](crate::Config::drain_timeout) it is aborted, with the reason
    /// `drain timed out`. Its handlers learn of it by their [`Drain`]. Nothing happens if the
    /// association has ended or the peer has restarted since.
    pub fn graceful_shutdown(&self) {
        if let Some(state) = self.state() {
            state.begin_drain();
        }
    }

    /// Leaves SHUTDOWN to the peer, which has announced it. For the handler of a protocol's own
    /// disconnect request, such as Diameter's DPR (RFC 6733, section 5.4).
    ///
    /// No further call is accepted. Requests are read and answered, replies are awaited, and
    /// messages are sent, until the SHUTDOWN of the peer. If none comes within
    /// [`Config::shutdown_timeout`](crate::Config::shutdown_timeout), this end shuts the
    /// association down.
    pub fn expect_shutdown(&self) {
        if let Some(state) = self.state() {
            state.expect_shutdown();
        }
    }

    /// Waits until no message was received for this long while this end was reading: for a watchdog
    /// (RFC 3539, section 3.4.1). The time runs from the call at the earliest.
    ///
    /// An association that is not read, since too many requests wait to be served, is not silent. One
    /// that is closed is. A message that arrived is noted when it was read, so the wait may end late
    /// by the time of one poll.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use sctp_service::{AssociationHandle, Shutdown};
    ///
    /// /// Asks after each half minute of silence, and aborts a peer that does not answer.
    /// async fn watch(peer: AssociationHandle) {
    ///     let interval = Duration::from_secs(30);
    ///     while !peer.is_closed() {
    ///         peer.silent_for(interval).await;
    ///         if peer.request_within(interval, "are you there?").await.is_err() {
    ///             let _ = peer.shutdown(Shutdown::abort("no reply to watchdog"));
    ///         }
    ///     }
    /// }
    /// # let _ = watch;
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropped and called again, it begins anew.
    pub async fn silent_for(&self, time: Duration) {
        let Some(state) = self.state() else {
            return tokio::time::sleep(time).await;
        };
        let silence = SilenceWatch::new(state);
        loop {
            let due = silence.due(time);
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    /// Returns `true` if calls and messages are accepted, and no end has begun.
    pub(crate) fn is_open(&self) -> bool {
        self.state().is_some_and(|state| state.is_open())
    }

    /// Returns `true` if the handshake had ended at some time.
    pub(crate) fn has_opened(&self) -> bool {
        self.state().is_some_and(|state| state.is_opened())
    }

    /// Returns `true` if nothing more is accepted: the association is shutting down or closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state().is_none_or(|state| state.is_closed())
    }

    /// Waits for the end of the association, and returns it. The hook gets
    /// [`ServerEvent::Closed`](crate::ServerEvent::Closed) after the end, but tasks that wait here may
    /// not have run by then. `None` if the peer restarted, which is the end of this handle
    /// and not of the association, or if its task was dropped, as when the runtime stops.
    ///
    /// # Cancel safety
    ///
    /// It can be cancelled and called again.
    pub async fn closed(&self) -> Option<End> {
        match self.state() {
            Some(state) => state.closed().await,
            None => None,
        }
    }

    /// Returns the reason that this end gave in an ABORT: that of a [`Shutdown::Abort`], or one of the
    /// framework's own, such as `shutdown timed out`. `None` if this end did not abort the association.
    /// [`End::reason`] is the reason of the peer.
    #[must_use]
    pub fn abort_reason(&self) -> Option<AbortReason> {
        self.state().and_then(|state| state.abort_reason())
    }

    /// Returns `true` if both are of the same association and no restart lies between them: after a
    /// restart the identifier is the same, and the peer has forgotten everything. Two of none are
    /// not.
    #[must_use]
    pub fn same_association(&self, other: &Self) -> bool {
        self.id() == other.id() && self.id() != 0
    }
}

impl fmt::Debug for AssociationHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.connect_info() {
            Some(info) => write!(f, "AssociationHandle({info})"),
            None => f.write_str("AssociationHandle(none)"),
        }
    }
}
