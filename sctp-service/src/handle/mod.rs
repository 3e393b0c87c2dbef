//! Handle for using an association outside of a request.

pub(crate) mod call;
mod caller;
pub(crate) mod error;
mod limits;
mod observer;
mod state;

use std::{fmt, io, sync::Arc, time::Duration};

#[cfg(feature = "testing")]
pub(crate) use call::Waiter;
pub use caller::Caller;
use error::{CallError, Cause, TrySendError};
pub(crate) use limits::OwnedQueuePermit;
pub(crate) use observer::Observer;
use sctp_core::AbortReason;
use sctp_tokio::{End, Message, Received, SendError};
use state::Origin;
pub(crate) use state::{Discarded, HandleState, Released, SilenceWatch, StateOwner, Submission};
use tokio::time::{Instant, sleep_until};

use crate::{ConnectInfo, Drain, Shutdown, TransportStats};

/// Handle for sending messages, making calls, and closing an association outside of a request.
///
/// The handle is available as an argument of a handler, from every
/// [`Request`](crate::Request::association), from the argument of a
/// [make-service](crate::IncomingAssociation::handle), and from the events
/// [`Up`](crate::ServerEvent::Up), [`Open`](crate::ServerEvent::Open), `Restarted` and `Closed`. It
/// is cheap to clone and can be used from any task and thread. It works with
/// [`serve`](crate::serve()), [`serve_endpoint`](crate::serve_endpoint) and
/// [`serve_association`](crate::serve_association) alike. A handle does not keep the association or
/// its descriptor open, and does not delay the shutdown of a server.
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
/// [`request`](Self::request) makes a call and waits for its reply: see the guide
/// [`between_equals`](crate::guide::between_equals).
///
/// # Before the association is open
///
/// While a make-service [exchanges messages](crate::IncomingAssociation) with the peer, `send` and
/// `request` of a handle wait, and [`try_send`](Self::try_send) returns [`Full`](SendError::Full).
/// They proceed when the event [`Open`](crate::ServerEvent::Open) is reported.
///
/// # Order
///
/// Messages are sent in the order in which they were accepted. A message that is accepted before a
/// handler replies is sent before that reply; SCTP preserves that order within a stream. The peer's
/// answer to a one-way message is a request for the service, like any message.
///
/// # Limits
///
/// Up to [`Config::outbound_queue`](crate::Config::outbound_queue) messages, with up to
/// [`outbound_queue_bytes`](crate::Config::outbound_queue_bytes), are queued. If the peer does not
/// read, [`send`](Self::send) waits. These messages do not count towards
/// [`reply_queue`](crate::Config::reply_queue), and do not keep an association from being
/// [idle](crate::Config::idle_timeout).
///
/// # Accepted messages
///
/// | event | accepted but not yet sent | a later [`send`](Self::send) |
/// |---|---|---|
/// | the server drains, or [`graceful_shutdown`](Self::graceful_shutdown) | as after `AfterAck` | accepted while calls are in flight, then `ShuttingDown` |
/// | [`Shutdown::AfterAck`], of a reply or a [`shutdown`](Self::shutdown) | sent, then SHUTDOWN; a peer that has not acknowledged everything after [`shutdown_timeout`](crate::Config::shutdown_timeout) is aborted | `ShuttingDown`, then `Closed` |
/// | [`Shutdown::Abort`], a panic, a reply that cannot be sent | discarded, counted | `ShuttingDown`, then `Closed` |
/// | the peer shuts down, aborts, is lost | discarded, counted | `ShuttingDown`, `Closed` |
/// | the peer restarts | discarded, counted | `NoAssociation`: the association has new handles after the restart |
///
/// An accepted message may not be received: only an answer of the peer confirms that. Accepted
/// messages are counted in [`Counts::sends`](crate::Counts::sends), and discarded ones in
/// [`discarded_sends`](crate::Counts::discarded_sends). An accepted message that the kernel refuses
/// is logged and reported as [`ServerEvent::SendRefused`](crate::ServerEvent::SendRefused). The
/// association remains established.
///
/// A restart is detected when the association is read. While it is not read (the service is being
/// made, requests wait for requests in flight, or the server drains), a restarted peer can still
/// receive messages of earlier handles, and replies to its earlier requests.
///
/// The default handle belongs to no association, and is closed.
#[derive(Clone, Default)]
pub struct AssociationHandle {
    /// Holds the pointer for both, to keep requests small.
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

    /// Returns information about the association from when it was established or last restarted, or
    /// `None` for the default handle.
    #[must_use]
    pub fn connect_info(&self) -> Option<&ConnectInfo> {
        self.state().map(|state| state.info())
    }

    /// Returns a process-unique identifier, usable as a map key. Unlike an
    /// [`AssocId`](crate::AssocId), which is unique per socket only, it changes when the peer
    /// restarts. The default handle has 0.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.state().map_or(0, |state| state.id())
    }

    /// Queues a one-way message. Completes when the message is accepted, and waits while the
    /// outbound queue is full.
    ///
    /// By default a message is sent ordered on stream 0 with PPID 0, since there is no request to
    /// take these values from.
    ///
    /// # Errors
    ///
    /// An invalid message fails at once with [`Empty`](SendError::Empty),
    /// [`InvalidStream`](SendError::InvalidStream), or [`TooLarge`](SendError::TooLarge) if it
    /// exceeds the [limit of the transport](crate::Transport::max_message).
    ///
    /// [`ShuttingDown`](SendError::ShuttingDown), [`Closed`](SendError::Closed) and
    /// [`NoAssociation`](SendError::NoAssociation) are returned as listed in the
    /// [table](Self#accepted-messages), also while waiting.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: if the future is dropped before it completes, the message is not sent.
    pub async fn send(&self, message: impl Into<Message> + Send) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.send(message.into(), Origin::Handle).await,
            None => Err(SendError::NoAssociation),
        }
    }

    /// Like [`send`](Self::send), but does not wait.
    ///
    /// # Errors
    ///
    /// Returns the message with the error: one of those of [`send`](Self::send), or
    /// [`Full`](SendError::Full) if the outbound queue is full or the association is not open yet.
    ///
    /// ```
    /// use sctp_service::{AssociationHandle, Message, SendError, TrySendError};
    ///
    /// /// Sends a notice, and returns it if it can be sent later.
    /// fn notify(peer: &AssociationHandle, notice: Message) -> Result<Option<Message>, SendError> {
    ///     match peer.try_send(notice) {
    ///         Ok(()) => Ok(None),
    ///         Err(TrySendError { message, error: SendError::Full }) => Ok(Some(message)),
    ///         Err(TrySendError { error, .. }) => Err(error),
    ///     }
    /// }
    /// # assert!(notify(&AssociationHandle::default(), Message::new("x")).is_err());
    /// ```
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let message = message.into();
        match self.state() {
            Some(state) => state.try_send(message),
            None => Err(TrySendError {
                message,
                error: SendError::NoAssociation,
            }),
        }
    }

    /// Waits until the kernel has accepted every message that was queued before by
    /// [`send`](Self::send) and [`try_send`](Self::try_send) of any handle of this association.
    ///
    /// The peer may not have received them yet. A message that the kernel refuses is reported as
    /// [`ServerEvent::SendRefused`](crate::ServerEvent::SendRefused), and is not waited for. Calls are
    /// not waited for either.
    ///
    /// # Errors
    ///
    /// [`ShuttingDown`](SendError::ShuttingDown), [`Closed`](SendError::Closed) or
    /// [`NoAssociation`](SendError::NoAssociation) if the association closed first, and some of
    /// these messages were discarded.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the messages are sent even if the future is dropped.
    pub async fn flush(&self) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.flush().await,
            None => Err(SendError::NoAssociation),
        }
    }

    /// Sends a request to the peer, and waits for the reply.
    ///
    /// The server, client or association needs a [correlation](crate::Serve::with_correlation),
    /// which distinguishes replies from requests. A handler may make calls on any stream while it
    /// serves a request of the peer, since replies are recognized before requests are ordered. At
    /// most [`Config::max_calls`](crate::Config::max_calls) calls are in flight; further calls
    /// wait.
    ///
    /// [`Config::call_timeout`](crate::Config::call_timeout) applies separately to the wait for
    /// acceptance and to the wait for the reply.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. Without a correlation the call is refused and nothing is sent:
    /// [`Refusal::NoCorrelation`](crate::Refusal::NoCorrelation).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call, as with [`Call`](crate::Call).
    pub async fn request(&self, message: impl Into<Message> + Send) -> Result<Received, CallError> {
        match self.state() {
            Some(state) => {
                let call = Arc::clone(state).request(message.into(), None, Origin::Handle);
                call.await
            }
            None => Err(CallError::not_sent(Cause::Closed)),
        }
    }

    /// Like [`request`](Self::request), with a timeout for the whole call.
    ///
    /// # Errors
    ///
    /// Same as for [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// Same as for [`request`](Self::request).
    pub async fn request_within(
        &self,
        time: Duration,
        message: impl Into<Message> + Send,
    ) -> Result<Received, CallError> {
        match self.state() {
            Some(state) => {
                let call = Arc::clone(state).request(message.into(), Some(time), Origin::Handle);
                call.await
            }
            None => Err(CallError::not_sent(Cause::Closed)),
        }
    }

    /// Sends a message of the handshake.
    pub(crate) async fn send_in_handshake(&self, message: Message) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.send(message, Origin::Handshake).await,
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
                let call = Arc::clone(state).request(message, within, Origin::Handshake);
                call.await
            }
            None => Err(CallError::not_sent(Cause::Closed)),
        }
    }

    /// Notifies the session of a change.
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

    /// Closes the association, as a reply with this [`Shutdown`] does: with `AfterAck` once all
    /// queued messages are acknowledged, with `Abort` at once.
    ///
    /// **Requests and calls in flight are dropped**, including the request of a handler that calls
    /// this method, unless it completes without waiting. A handler should close its association
    /// through its reply instead. To let requests and calls finish, use
    /// [`graceful_shutdown`](Self::graceful_shutdown).
    ///
    /// An abort overrides an orderly shutdown in progress; otherwise the first shutdown takes
    /// effect. If the peer has already shut down, its last requests continue. This method does not
    /// wait: see [`closed`](Self::closed).
    ///
    /// # Errors
    ///
    /// [`Closed`](SendError::Closed) or [`NoAssociation`](SendError::NoAssociation) if the
    /// association has already closed.
    pub fn shutdown(&self, shutdown: Shutdown) -> Result<(), SendError> {
        match self.state() {
            Some(state) => state.shutdown(shutdown),
            None => Err(SendError::NoAssociation),
        }
    }

    /// Returns the signal that the server or [this association](Self::graceful_shutdown) shuts down
    /// gracefully. To send a last message, use [`Serve::on_drain`](crate::Serve::on_drain).
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

    /// Begins a graceful shutdown of this association, like that of a server for all its
    /// associations.
    ///
    /// Requests that have arrived are answered, and then the association is shut down. After
    /// [`Config::drain_timeout`](crate::Config::drain_timeout) it is aborted with the reason
    /// `drain timed out`. Handlers are notified through their [`Drain`]. Has no effect if the
    /// association has closed or the peer has restarted.
    pub fn graceful_shutdown(&self) {
        if let Some(state) = self.state() {
            state.begin_drain();
        }
    }

    /// Leaves the SHUTDOWN to the peer, which has announced it, as in a handler of Diameter's
    /// Disconnect-Peer-Request (RFC 6733, section 5.4).
    ///
    /// No further call is accepted. Requests are still served, calls in flight complete, and
    /// messages are sent until the peer shuts down. If it does not shut down within
    /// [`Config::shutdown_timeout`](crate::Config::shutdown_timeout), this end shuts the
    /// association down.
    pub fn expect_shutdown(&self) {
        if let Some(state) = self.state() {
            state.expect_shutdown();
        }
    }

    /// Waits until no message was received for this time while this end was reading, for a watchdog
    /// (RFC 3539, section 3.4.1). The time starts with this call at the earliest.
    ///
    /// An association that is not read, because too many requests wait to be served, does not count
    /// as silent. A closed association does. Messages are recorded when they are read, so the wait
    /// may end late by the time of one poll.
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
    /// Cancel-safe. Another call starts the time again.
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

    /// Reads the statistics of the association and its paths: state, counters, round-trip times,
    /// congestion windows.
    ///
    /// The task of the association reads them, with a few system calls.
    /// [`TransportMetrics`](crate::layer::TransportMetrics) makes metrics of them.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the association is closed or the peer has restarted,
    /// [`Unsupported`](io::ErrorKind::Unsupported) if its transport has no statistics, and errors of
    /// the system.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn stats(&self) -> io::Result<TransportStats> {
        let receiver = self.state().and_then(|state| state.request_stats());
        let receiver = receiver.ok_or(io::ErrorKind::NotConnected)?;
        receiver
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::NotConnected.into()))
    }

    /// Returns `true` if calls and messages are accepted, and the association has not begun to
    /// close.
    pub(crate) fn is_open(&self) -> bool {
        self.state().is_some_and(|state| state.is_open())
    }

    /// Returns `true` if the handshake has completed at some time.
    pub(crate) fn has_opened(&self) -> bool {
        self.state().is_some_and(|state| state.is_opened())
    }

    /// Returns `true` if nothing more is accepted: the association is shutting down or closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state().is_none_or(|state| state.is_closed())
    }

    /// Waits until the association has closed, and returns its end.
    ///
    /// Returns `None` if the peer restarted, which closes this handle but not the association, or
    /// if the task of the association was dropped, as when the runtime stops. Hooks may receive
    /// [`ServerEvent::Closed`](crate::ServerEvent::Closed) before tasks that wait here have run.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closed(&self) -> Option<End> {
        match self.state() {
            Some(state) => state.closed().await,
            None => None,
        }
    }

    /// Returns the reason of a local abort: that of a [`Shutdown::Abort`], or one of the framework,
    /// such as `shutdown timed out`. Returns `None` if this end did not abort the association. For
    /// the reason of the peer see [`End::reason`].
    #[must_use]
    pub fn abort_reason(&self) -> Option<AbortReason> {
        self.state().and_then(|state| state.abort_reason())
    }

    /// Returns `true` if both handles belong to the same association without a restart of the peer
    /// in between. Returns `false` for default handles.
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
