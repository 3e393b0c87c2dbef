//! The client's handle.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sctp_tokio::{ConnectError, End, Message, Received};
use tokio::sync::oneshot;
use tower_service::Service;

use super::{
    ClientBuilder, Pushes, Remote,
    handle::{Admission, Command, Handle, Kind, Phase},
};
use crate::{
    Call, CallError, ConnectInfo, Transport,
    handle::call::{Ticket, task_gone},
};

type Admitting = Pin<Box<dyn Future<Output = Result<Admission, CallError>> + Send + Sync>>;

/// A client of one server: calls, one-way messages, and what the server pushes, over one
/// association at a time. See the [module](super) for how it works.
///
/// It is a handle, cheap to clone. All clones share the association and the limit of calls in
/// flight. When the last one is dropped, the calls in flight are finished, and the association is
/// shut down in order.
///
/// As a tower [`Service`], `poll_ready` waits for an association and reserves a place for the
/// call; a clone has no reservation. A client that is [shut down](Self::shutdown), or whose
/// association ended when it has none to [connect](super::Connect) with, fails `poll_ready`.
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
    /// That of the first attempt. Later ones fail calls, with
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
        self.start(admission, message.into()).await
    }

    /// Sends a message that is not answered, and returns once the kernel has it.
    ///
    /// With the default correlation it must go on a stream that is not used for calls: stream 0,
    /// where a message goes unless it says otherwise. See [`ByStream`](crate::ByStream).
    ///
    /// # Errors
    ///
    /// See [`CallError`]. What the kernel has may get lost all the same when the association
    /// ends, and nobody is told.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the kernel has the message, it is not sent. Dropped at the very moment,
    /// there is no telling.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), CallError> {
        let permit = match self.admit().await? {
            Admission::Permit(permit) => permit,
            Admission::Failing(error) => return Err(error),
        };
        let (done, result) = oneshot::channel();
        self.handle.submit(Command {
            message: message.into(),
            kind: Kind::OneWay(done),
            permit,
        });
        result.await.unwrap_or_else(|_| Err(task_gone()))
    }

    /// Takes the receiver of what the server sends of its own accord. There is one: `None` when
    /// it was taken before, and for a client that a pool has made: there it is the pool's.
    #[must_use]
    pub fn pushes(&self) -> Option<Pushes> {
        let queue = self.handle.take_pushes()?;
        Some(Pushes::new(queue, Arc::clone(&self.handle)))
    }

    /// Takes no further call, finishes those in flight, shuts the association down in order, and
    /// waits for its end, which it returns: `None` if there was no association. For all handles
    /// alike.
    ///
    /// Calls in flight are bounded by
    /// [`ClientConfig::call_timeout`](super::ClientConfig::call_timeout), and the handshake by
    /// [`ClientConfig::shutdown_timeout`](super::ClientConfig::shutdown_timeout), after which the
    /// peer is aborted.
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

    /// How to end it, and to hear of its end.
    #[cfg(feature = "pool")]
    pub(super) fn ending(&self) -> super::handle::Ending {
        self.handle.ending()
    }

    /// Returns how the last association that ended did so.
    #[must_use]
    pub fn last_end(&self) -> Option<End> {
        self.handle.status.borrow().last_end.clone()
    }

    /// Describes the association, if there is one and it takes calls.
    #[must_use]
    pub fn connect_info(&self) -> Option<ConnectInfo> {
        match &self.handle.status.borrow().phase {
            Phase::Open(info) => Some(info.clone()),
            _ => None,
        }
    }

    /// Returns how many places are taken: calls and one-way sends under way, and reservations. It
    /// is the load that a pool goes by.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.handle.in_flight()
    }

    async fn admit(&self) -> Result<Admission, CallError> {
        match self.handle.try_admit() {
            Some(admitted) => admitted,
            None => Arc::clone(&self.handle).admit().await,
        }
    }

    fn start(&self, admission: Admission, message: Message) -> Call {
        let permit = match admission {
            Admission::Permit(permit) => permit,
            Admission::Failing(error) => return Call::failed(error),
        };
        let (reply, result) = oneshot::channel();
        let abandoned = Arc::clone(&self.handle.abandoned);
        let ticket = Ticket::new(abandoned);
        self.handle.submit(Command {
            message,
            kind: Kind::Call(reply),
            permit,
        });
        Call::waiting(result, ticket)
    }

    /// Whether a reservation still is one: a permit is of no use while there is no association,
    /// and who has one must not hold a place among those that could make calls.
    fn is_reserved(&self) -> bool {
        match &self.reserved {
            Some(Admission::Permit(_)) => self.handle.is_open(),
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
                self.reserved = Some(admitted?);
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
        self.start(admission, message)
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
            .field("last_end", &status.last_end)
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
