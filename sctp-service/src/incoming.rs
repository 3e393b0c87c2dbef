//! Associations whose application-level handshake is under way.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use sctp_tokio::{Message, Received, SendError, Side};
use tokio::sync::oneshot;

use crate::{AssociationHandle, CallError, ConnectInfo, session::request_cost};

/// Association without a service, after it was established or its peer restarted.
///
/// Argument of a make-service, which may exchange messages with the peer before it returns the
/// service: a capabilities exchange, a login, the activation of an application server. Until then
/// no request is served, and every other [`AssociationHandle`] waits. [`Config::handshake_timeout`]
/// bounds the handshake, and a graceful shutdown of this end cancels it. If the make-service
/// refuses the peer with [`Shutdown::AfterAck`](crate::Shutdown::AfterAck), messages that it has
/// sent are delivered before the SHUTDOWN.
///
/// [`Config::handshake_timeout`]: crate::Config::handshake_timeout
///
/// ```
/// use sctp_service::{IncomingAssociation, Shutdown, handler::handler_fn, serve};
/// # use sctp_service::testing::ScriptedListener;
/// use tower::service_fn;
///
/// /// The peer must say its name first.
/// async fn shake_hands(incoming: &mut IncomingAssociation) -> Result<String, Shutdown> {
///     let hello = incoming.recv().await.ok_or(Shutdown::AfterAck)?;
///     let name = hello.payload.strip_prefix(b"hello, I am ").ok_or(Shutdown::AfterAck)?;
///     let name = String::from_utf8_lossy(name).into_owned();
///     // An error means that the association is gone, and so is this future.
///     let _ = incoming.send(format!("welcome, {name}")).await;
///     Ok(name)
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// # let (listener, network) = ScriptedListener::new();
/// let make_service = service_fn(async |mut incoming: IncomingAssociation| {
///     let name = shake_hands(&mut incoming).await?;
///     let handler = async move |question: String| format!("{question} {name}");
///     Ok::<_, Shutdown>(handler_fn(handler))
/// });
/// tokio::spawn(serve(listener, make_service).into_future());
/// # let peer = network.connect().await.unwrap();
/// # peer.send("hello, I am ann").await;
/// # peer.send("who is it?").await;
/// # peer.expect_message("welcome, ann").await;
/// # peer.expect_message("who is it? ann").await;
/// # }
/// # use std::future::IntoFuture;
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct IncomingAssociation {
    /// The association.
    pub connect_info: ConnectInfo,
    handle: AssociationHandle,
    handshake: Arc<Handshake>,
}

impl IncomingAssociation {
    /// Creates a value without an association, for tests of a make-service. It receives nothing,
    /// and has the default handle.
    #[must_use]
    pub fn new(connect_info: ConnectInfo) -> Self {
        let handshake = Arc::new(Handshake::default());
        drop(handshake.finish());
        Self {
            connect_info,
            handle: AssociationHandle::default(),
            handshake,
        }
    }

    pub(crate) fn of(
        connect_info: ConnectInfo,
        handle: AssociationHandle,
        handshake: Arc<Handshake>,
    ) -> Self {
        Self {
            connect_info,
            handle,
            handshake,
        }
    }

    /// Returns the end that initiated the association. After a restart this is the peer.
    #[must_use]
    pub fn initiated_by(&self) -> Side {
        self.connect_info.initiated_by()
    }

    /// Receives the next message that is not a reply to a call of this end. Returns `None` when the
    /// peer has shut down and all messages were received, or when the handshake has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe. Messages that were not received become the first requests of the service, in
    /// order of arrival.
    pub async fn recv(&mut self) -> Option<Received> {
        poll_fn(|cx| {
            self.handshake
                .poll_recv(cx, || self.handle.notify_session())
        })
        .await
    }

    /// Sends a message, as [`AssociationHandle::send`] does once the association is open.
    ///
    /// # Errors
    ///
    /// The same as for [`AssociationHandle::send`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: if the future is dropped before it completes, the message is not sent.
    pub async fn send(&self, message: impl Into<Message> + Send) -> Result<(), SendError> {
        self.handle.send_in_handshake(message.into()).await
    }

    /// Sends a request and waits for the reply, as [`AssociationHandle::request`] does once the
    /// association is open.
    ///
    /// # Errors
    ///
    /// The same as for [`AssociationHandle::request`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call, as with [`Call`](crate::Call).
    pub async fn request(&self, message: impl Into<Message> + Send) -> Result<Received, CallError> {
        self.handle.request_in_handshake(message.into(), None).await
    }

    /// Like [`request`](Self::request), with a timeout for the whole call.
    ///
    /// # Errors
    ///
    /// The same as for [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// The same as for [`request`](Self::request).
    pub async fn request_within(
        &self,
        time: Duration,
        message: impl Into<Message> + Send,
    ) -> Result<Received, CallError> {
        self.handle
            .request_in_handshake(message.into(), Some(time))
            .await
    }

    /// Returns the handle of the association. Messages of the handle wait until the handshake has
    /// completed.
    #[must_use]
    pub fn handle(&self) -> &AssociationHandle {
        &self.handle
    }

    /// Waits until the peer's SCTP has acknowledged everything that was sent.
    ///
    /// SCTP does not order messages across streams: a message that is sent on another stream after
    /// the handshake can overtake the last message of the handshake, and arrive before the peer
    /// expects it. An acknowledged message may not have been read by the peer's application.
    ///
    /// # Errors
    ///
    /// Returns an error if the association or the handshake has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn acknowledged(&self) -> Result<(), SendError> {
        let Some(acknowledged) = self.handshake.wait_for_acknowledgement() else {
            return Err(SendError::NoAssociation);
        };
        self.handle.notify_session();
        acknowledged.await.unwrap_or(Err(SendError::NoAssociation))
    }
}

/// State that an [`IncomingAssociation`] shares with the session.
#[derive(Debug, Default)]
pub(crate) struct Handshake(Mutex<Core>);

#[derive(Debug, Default)]
struct Core {
    /// Messages that were read but not received by the make-service.
    messages: VecDeque<Received>,
    cost: usize,
    /// The peer has shut down.
    is_shut_down: bool,
    /// The handshake has ended.
    is_over: bool,
    /// `recv` waits for a message.
    is_waiting: bool,
    receiver: Option<Waker>,
    acknowledgements: Vec<oneshot::Sender<Result<(), SendError>>>,
}

impl Handshake {
    /// Polls for a message. Calls `ask` if the session does not know yet that the handshake waits
    /// for one.
    fn poll_recv(&self, cx: &mut Context<'_>, ask: impl FnOnce()) -> Poll<Option<Received>> {
        // Cloned and dropped outside of the lock: a waker may run anything.
        let waker = cx.waker().clone();
        let mut core = self.lock();
        if let Some(received) = core.messages.pop_front() {
            core.cost -= request_cost(received.payload.len());
            core.is_waiting = false;
            return Poll::Ready(Some(received));
        }
        if core.is_over || core.is_shut_down {
            return Poll::Ready(None);
        }
        let is_known = std::mem::replace(&mut core.is_waiting, true);
        let earlier = core.receiver.replace(waker);
        drop(core);
        drop(earlier);
        if !is_known {
            ask();
        }
        Poll::Pending
    }

    fn wait_for_acknowledgement(&self) -> Option<oneshot::Receiver<Result<(), SendError>>> {
        let mut core = self.lock();
        if core.is_over {
            return None;
        }
        core.acknowledgements.retain(|waiting| !waiting.is_closed());
        let (done, waiting) = oneshot::channel();
        core.acknowledgements.push(done);
        Some(waiting)
    }

    /// A panic cannot leave anything here half done, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session's side.
impl Handshake {
    /// Returns `true` if `recv` waits for a message.
    pub(crate) fn is_waiting(&self) -> bool {
        let core = self.lock();
        core.is_waiting && core.messages.is_empty()
    }

    /// Returns the cost of the messages that were read but not received.
    pub(crate) fn cost(&self) -> usize {
        self.lock().cost
    }

    pub(crate) fn push(&self, received: Received) {
        let mut core = self.lock();
        core.cost += request_cost(received.payload.len());
        core.messages.push_back(received);
        self.wake(core);
    }

    /// Returns `true` if there is a wait for acknowledgements.
    pub(crate) fn wants_acknowledgement(&self) -> bool {
        !self.lock().acknowledgements.is_empty()
    }

    /// Completes the wait for acknowledgements.
    pub(crate) fn acknowledged(&self, result: &Result<(), SendError>) {
        let waiting = std::mem::take(&mut self.lock().acknowledgements);
        for waiting in waiting {
            let result = match result {
                Ok(()) => Ok(()),
                Err(SendError::Closed(end)) => Err(SendError::Closed(end.clone())),
                Err(SendError::ShuttingDown) => Err(SendError::ShuttingDown),
                Err(_) => Err(SendError::NoAssociation),
            };
            // An error means that the wait was dropped.
            drop(waiting.send(result));
        }
    }

    /// The peer has shut down.
    pub(crate) fn shut_down(&self) {
        let mut core = self.lock();
        core.is_shut_down = true;
        self.wake(core);
    }

    /// Ends the handshake, and returns the messages that were read but not received.
    pub(crate) fn finish(&self) -> VecDeque<Received> {
        let mut core = self.lock();
        core.is_over = true;
        core.cost = 0;
        let messages = std::mem::take(&mut core.messages);
        let acknowledgements = std::mem::take(&mut core.acknowledgements);
        self.wake(core);
        drop(acknowledgements);
        messages
    }

    fn wake(&self, mut core: MutexGuard<'_, Core>) {
        let receiver = core.receiver.take();
        drop(core);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}
