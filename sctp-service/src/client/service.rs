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
use crate::{
    AssociationHandle, Call, CallError, Cause, ConnectInfo, Transport, TrySendError, timer::later,
};

type Admitting = Pin<Box<dyn Future<Output = Result<Admission, CallError>> + Send + Sync>>;

/// A client of one server: calls, one-way messages, and a service for requests of the server, over
/// one association at a time. See the [module](super).
///
/// A client is a handle that is cheap to clone. All clones share the association and the limit of
/// calls in flight. When the last clone is dropped, calls in flight are finished, and the
/// association is shut down.
///
/// The tower [`Service`] waits in `poll_ready` for an association and reserves a permit for the call;
/// a clone has no reservation. If the association has begun to close by the time of the call, the
/// call fails as not sent. `poll_ready` fails once the client is [shut
/// down](Self::graceful_shutdown) or does not reconnect.
pub struct Client {
    handle: Arc<Handle>,
    reserved: Option<Admission>,
    admitting: Option<Admitting>,
}

impl Client {
    /// Connects to a server with the default settings, and reconnects whenever the association
    /// closes. For other settings use [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// Returns the error of the first attempt. When later attempts fail, calls fail with
    /// [`Cause::NotConnected`](crate::Cause::NotConnected).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the attempt.
    pub async fn connect(remote: impl Into<Remote>) -> Result<Self, ConnectError> {
        Self::builder().connect(remote.into()).await
    }

    /// Creates a client of one association. The client ends when the association closes.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn over(transport: impl Transport) -> Self {
        Self::builder().over(transport)
    }

    /// Creates a builder with the default settings.
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

    /// Calls the server: waits for a permit, sends the message, and waits for the reply.
    ///
    /// With [`ByStream`](crate::ByStream), the default, the client chooses the stream and ordering
    /// of the message, regardless of its `SendInfo`. A custom correlator keeps them.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call, as with [`Call`].
    pub async fn request(&self, message: impl Into<Message>) -> Result<Received, CallError> {
        let admission = self.admit().await?;
        start(admission, message.into(), None).await
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
        message: impl Into<Message>,
    ) -> Result<Received, CallError> {
        let deadline = later(Instant::now(), time);
        let admission = timeout_at(deadline, self.admit())
            .await
            .map_err(|_| CallError::not_sent(Cause::TimedOut))??;
        start(admission, message.into(), Some(deadline)).await
    }

    /// Sends a one-way message, and returns once the kernel has accepted it.
    ///
    /// With the default correlation the message must use a stream that is not used for calls, such
    /// as stream 0, the default of a [`Message`]. See [`ByStream`](crate::ByStream).
    ///
    /// # Errors
    ///
    /// See [`CallError`]. A message that the kernel has accepted may still be lost when the
    /// association closes, which is not reported.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the kernel has accepted the message, the message is not
    /// sent. If it is dropped concurrently, the outcome is unknown.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), CallError> {
        match self.admit().await? {
            Admission::Reserved(reservation) => {
                let association = reservation.association;
                association
                    .send_of_client(message.into(), reservation.permit)
                    .await
            }
            Admission::Failing(error) => Err(error),
        }
    }

    /// Queues a one-way message on the current association without waiting. See
    /// [`AssociationHandle::try_send`].
    ///
    /// # Errors
    ///
    /// Same as for [`AssociationHandle::try_send`], and [`NoAssociation`](SendError::NoAssociation)
    /// while there is no association.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.association().try_send(message)
    }

    /// Waits until the kernel has accepted every message that [`try_send`](Self::try_send) queued
    /// on the current association. See [`AssociationHandle::flush`].
    ///
    /// # Errors
    ///
    /// Same as for [`AssociationHandle::flush`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the messages are sent even if the future is dropped.
    pub async fn flush(&self) -> Result<(), SendError> {
        let association = self.association();
        association.flush().await
    }

    /// Returns a handle of the current association, or the default handle if there is none.
    ///
    /// The handle belongs to this association only: it is closed when the association closes or the
    /// server restarts, while the client continues.
    #[must_use]
    pub fn association(&self) -> AssociationHandle {
        let status = self.handle.status.borrow();
        let association = status.association.clone();
        association.map_or_else(AssociationHandle::default, AssociationHandle::new)
    }

    /// Accepts no further calls, finishes those in flight, shuts the association down, and waits
    /// until it has closed. Returns the end of the association, or `None` if there was none.
    /// Affects all clones of the client.
    ///
    /// Calls in flight are bounded by
    /// [`ClientConfig::call_timeout`](super::ClientConfig::call_timeout), the SHUTDOWN handshake by
    /// [`ClientConfig::shutdown_timeout`](super::ClientConfig::shutdown_timeout), and all of it by
    /// [`ClientConfig::drain_timeout`](super::ClientConfig::drain_timeout), after which the peer is
    /// aborted.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the shutdown has begun, and dropping the future does not
    /// cancel it. This method can be called again.
    pub async fn graceful_shutdown(&self) -> Option<End> {
        let mut ending = self.handle.ending();
        ending.begin();
        ending.ended().await
    }

    /// Waits until the client has ended, and returns the end of its last association, or `None` if
    /// there was none. A client that reconnects ends when it is shut down, or when
    /// [`with_reconnect`](super::ClientBuilder::with_reconnect) decides not to reconnect. Any other
    /// client ends with its association.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
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

    /// Returns a control for shutting the client down.
    #[cfg(feature = "pool")]
    pub(super) fn ending(&self) -> super::current::Ending {
        self.handle.ending()
    }

    /// Returns the end of the newest association that has closed.
    #[must_use]
    pub fn last_end(&self) -> Option<End> {
        self.handle.status.borrow().last_end()
    }

    /// Returns information about the association, if there is one and it accepts calls.
    #[must_use]
    pub fn connect_info(&self) -> Option<ConnectInfo> {
        let status = self.handle.status.borrow();
        status.open().map(|association| association.info().clone())
    }

    /// Returns the number of permits in use: calls and one-way sends in flight, and reservations.
    /// A pool uses this number as the load.
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
    /// association, and must not be withheld from clones that could make calls.
    fn is_reserved(&self) -> bool {
        match &self.reserved {
            Some(Admission::Reserved(reservation)) => {
                self.handle.is_current(&reservation.association)
            }
            Some(Admission::Failing(_)) => !self.handle.is_open(),
            None => false,
        }
    }
}

impl Service<Message> for Client {
    type Response = Received;
    type Error = CallError;
    type Future = Call;

    /// Waits for an association and a permit for one call.
    ///
    /// # Errors
    ///
    /// Returns an error if the client has ended. Every later call fails as well.
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
    /// Panics if `poll_ready` has not reserved a permit for the call.
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
        Admission::Reserved(reservation) => {
            let association = reservation.association;
            association.call_of_client(message, reservation.permit, deadline)
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
