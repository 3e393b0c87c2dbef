//! The client's handle.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_tokio::{ConnectError, End, Message, Received, SendError};
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::{
    ClientBuilder, Remote,
    current::{Admission, Handle, Phase},
};
use crate::{AssociationHandle, Call, CallError, Cause, ConnectInfo, Transport, timer::later};

type Admitting = Pin<Box<dyn Future<Output = Result<Admission, CallError>> + Send + Sync>>;

/// A client of one server: calls, one-way messages, and the service of what the server asks, over
/// one association at a time. See the [module](super).
///
/// It is a handle, cheap to clone. All clones share the association and the limit of calls in
/// flight. When the last one is dropped, the calls in flight are finished, and the association is
/// shut down in order.
///
/// As a tower [`Service`], `poll_ready` waits for an association and reserves a place for the
/// call; a clone has no reservation. Where the reserved association has begun to end by the time of the
/// call, the call fails as not sent. A client that is [shut down](Self::graceful_shutdown), or does not
/// connect again, fails `poll_ready`.
pub struct Client {
    handle: Arc<Handle>,
    reserved: Option<Admission>,
    admitting: Option<Admitting>,
}

impl Client {
    /// Connects to a server with the default settings; [`builder`](Self::builder) has others. When
    /// the association ends, another one is set up.
    ///
    /// # Errors
    ///
    /// The error of the first attempt. Later ones fail calls, with
    /// [`Cause::NotConnected`](crate::Cause::NotConnected).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the call ends the attempt.
    pub async fn connect(remote: impl Into<Remote>) -> Result<Self, ConnectError> {
        Self::builder().connect(remote.into()).await
    }

    /// Makes a client of one association, which ends with it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn over(transport: impl Transport) -> Self {
        Self::builder().over(transport)
    }

    /// Begins with the default settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(super) fn new(handle: Arc<Handle>) -> Self {
        Self {
            handle,
            reserved: None,
            admitting: None,
        }
    }

    /// Calls the server: waits for a place, sends the message, and waits for the reply.
    ///
    /// With [`ByStream`](crate::ByStream), the default, the message's stream and ordering are the
    /// client's to choose, whatever the message says; with a correlator of your own they are kept.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// As of [`Call`]: dropping it gives the call up.
    pub async fn request(&self, message: impl Into<Message>) -> Result<Received, CallError> {
        let admission = self.admit().await?;
        start(admission, message.into(), None).await
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
        message: impl Into<Message>,
    ) -> Result<Received, CallError> {
        let deadline = later(Instant::now(), time);
        let admission = timeout_at(deadline, self.admit())
            .await
            .map_err(|_| CallError::not_sent(Cause::TimedOut))??;
        start(admission, message.into(), Some(deadline)).await
    }

    /// Sends a message that is not answered, and returns once the kernel has it.
    ///
    /// With the default correlation it must go on a stream that is not used for calls: stream 0,
    /// where a message goes unless it says otherwise. See [`ByStream`](crate::ByStream).
    ///
    /// # Errors
    ///
    /// See [`CallError`]. What the kernel has may get lost all the same when the association
    /// ends, which is not reported.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the kernel has the message, it is not sent. Dropped at the very moment,
    /// there is no telling.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), CallError> {
        match self.admit().await? {
            Admission::Place(place) => {
                let association = place.association;
                association
                    .send_of_client(message.into(), place.permit)
                    .await
            }
            Admission::Failing(error) => Err(error),
        }
    }

    /// Queues a message that is not answered, without waiting: on the association that there is
    /// now, as [`AssociationHandle::try_send`].
    ///
    /// # Errors
    ///
    /// Those of [`AssociationHandle::try_send`]; [`NoAssociation`](SendError::NoAssociation) while
    /// there is no association.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.association().try_send(message)
    }

    /// Waits until the kernel has what [`try_send`](Self::try_send) queued on the association that
    /// there is now, as [`AssociationHandle::flush`].
    ///
    /// # Errors
    ///
    /// Those of [`AssociationHandle::flush`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the messages are sent all the same.
    pub async fn flush(&self) -> Result<(), SendError> {
        let association = self.association();
        association.flush().await
    }

    /// Returns a handle of the association that there is now, or of none.
    ///
    /// The handle is of this association alone: after its end, or a restart of the server, it is
    /// closed, while the client goes on.
    #[must_use]
    pub fn association(&self) -> AssociationHandle {
        let status = self.handle.status.borrow();
        let association = status.association.clone();
        association.map_or_else(AssociationHandle::default, AssociationHandle::new)
    }

    /// Takes no further call, finishes those in flight, shuts the association down in order, and
    /// waits for its end, which it returns: `None` if there was no association. For all handles
    /// alike.
    ///
    /// Calls in flight are bounded by
    /// [`ClientConfig::call_timeout`](super::ClientConfig::call_timeout), the SHUTDOWN handshake by
    /// [`ClientConfig::shutdown_timeout`](super::ClientConfig::shutdown_timeout), and all of it by
    /// [`ClientConfig::drain_timeout`](super::ClientConfig::drain_timeout), after which the peer is
    /// aborted.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the shutdown is under way; dropping the call does not take it back. It can
    /// be called again.
    pub async fn graceful_shutdown(&self) -> Option<End> {
        let mut ending = self.handle.ending();
        ending.begin();
        ending.ended().await
    }

    /// Waits for the end of the client, and returns how its last association ended: `None` if there
    /// was none. A client that connects again ends when it is shut down, or when
    /// [`with_reconnect`](super::ClientBuilder::with_reconnect) decides not to. Any other ends with its
    /// association.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: it can be called again.
    pub async fn closed(&self) -> Option<End> {
        self.handle.ending().ended().await
    }

    /// Waits until the association is open, or returns the reason that it is not.
    pub(super) async fn opened(&self) -> Result<(), Cause> {
        let mut status = self.handle.status.clone();
        loop {
            match &status.borrow_and_update().phase {
                Phase::Open(_) => return Ok(()),
                Phase::BackingOff(cause) | Phase::Closed(cause) => return Err(cause.clone()),
                Phase::Idle | Phase::Opening | Phase::Ending | Phase::Stopping => {}
            }
            if status.changed().await.is_err() {
                return Err(Cause::Closed);
            }
        }
    }

    /// Returns control over its end.
    #[cfg(feature = "pool")]
    pub(super) fn ending(&self) -> super::current::Ending {
        self.handle.ending()
    }

    /// Returns the end of the newest association that has ended.
    #[must_use]
    pub fn last_end(&self) -> Option<End> {
        self.handle.status.borrow().last_end()
    }

    /// Describes the association, if there is one and it takes calls.
    #[must_use]
    pub fn connect_info(&self) -> Option<ConnectInfo> {
        let status = self.handle.status.borrow();
        status.open().map(|association| association.info().clone())
    }

    /// Returns how many places are taken: calls and one-way sends under way, and reservations. It
    /// is the load that a pool goes by.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.handle.in_flight()
    }

    async fn admit(&self) -> Result<Admission, CallError> {
        match self.handle.try_admit() {
            Some(admitted) => Ok(admitted),
            None => Arc::clone(&self.handle).admit().await,
        }
    }

    /// Returns `true` if its reservation still holds. A permit is of no use while there is no
    /// association, and who has one must not hold a place among those that could make calls.
    fn is_reserved(&self) -> bool {
        match &self.reserved {
            Some(Admission::Place(place)) => self.handle.is_current(&place.association),
            Some(Admission::Failing(_)) => !self.handle.is_open(),
            None => false,
        }
    }
}

impl Service<Message> for Client {
    type Response = Received;
    type Error = CallError;
    type Future = Call;

    /// Waits for an association and a place for one call.
    ///
    /// # Errors
    ///
    /// The client has ended: every later call fails as well.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        if self.is_reserved() {
            return Poll::Ready(Ok(()));
        }
        self.reserved = None;
        if self.admitting.is_none() {
            if let Some(admitted) = self.handle.try_admit() {
                self.reserved = Some(admitted);
                return Poll::Ready(Ok(()));
            }
            self.admitting = Some(Box::pin(Arc::clone(&self.handle).admit()));
        }
        if let Some(admitting) = &mut self.admitting {
            let admitted = ready!(admitting.as_mut().poll(cx));
            self.admitting = None;
            self.reserved = Some(admitted?);
        }
        Poll::Ready(Ok(()))
    }

    /// Makes the call.
    ///
    /// # Panics
    ///
    /// When `poll_ready` has not reserved a place for it.
    #[track_caller]
    fn call(&mut self, message: Message) -> Call {
        let Some(admission) = self.reserved.take() else {
            panic!("poll_ready must be called first");
        };
        start(admission, message, None)
    }
}

fn start(admission: Admission, message: Message, deadline: Option<Instant>) -> Call {
    match admission {
        Admission::Place(place) => {
            let association = place.association;
            association.call_of_client(message, place.permit, deadline)
        }
        Admission::Failing(error) => Call::failed(error),
    }
}

/// A clone has no reservation: it must become ready by itself.
impl Clone for Client {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.handle))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.handle.status.borrow();
        f.debug_struct("Client")
            .field("phase", &status.phase)
            .field("in_flight", &self.in_flight())
            .field("last_end", &status.last_end())
            .finish()
    }
}

/// The load is the number of calls in flight.
#[cfg(feature = "pool")]
impl tower::load::Load for Client {
    type Metric = usize;

    fn load(&self) -> usize {
        self.in_flight()
    }
}
