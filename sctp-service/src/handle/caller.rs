//! Calls of an association as a tower service.

use std::{
    fmt,
    task::{Context, Poll, ready},
};

use sctp_tokio::{Message, Received};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::PollSemaphore;
use tower_service::Service;

use super::{
    AssociationHandle,
    call::Call,
    error::{CallError, Cause},
};

/// Calls to the peer of an association, as a tower service.
///
/// `poll_ready` reserves one of the [`max_calls`](crate::Config::max_calls) permits, and `call`
/// uses it. Created by [`AssociationHandle::caller`].
pub struct Caller {
    handle: AssociationHandle,
    permits: Option<PollSemaphore>,
    reserved: Option<OwnedSemaphorePermit>,
}

impl Caller {
    pub(super) fn new(handle: AssociationHandle) -> Self {
        Self {
            handle,
            permits: None,
            reserved: None,
        }
    }

    /// Returns the handle of the association.
    #[must_use]
    pub fn handle(&self) -> &AssociationHandle {
        &self.handle
    }
}

impl Service<Message> for Caller {
    type Response = Received;
    type Error = CallError;
    type Future = Call;

    /// Reserves a permit for one call.
    ///
    /// # Errors
    ///
    /// Returns an error if the association accepts no further calls, or has no correlation.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        if self.reserved.is_some() {
            return Poll::Ready(Ok(()));
        }
        let Some(state) = self.handle.state() else {
            return Poll::Ready(Err(CallError::not_sent(Cause::Closed)));
        };
        let permits = match &mut self.permits {
            Some(permits) => permits,
            None => self
                .permits
                .insert(PollSemaphore::new(state.call_permits()?)),
        };
        match ready!(permits.poll_acquire(cx)) {
            Some(permit) => {
                self.reserved = Some(permit);
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(state.call_refused())),
        }
    }

    /// Makes the call.
    ///
    /// # Panics
    ///
    /// If `poll_ready` has not reserved a permit for it.
    #[track_caller]
    fn call(&mut self, message: Message) -> Call {
        let Some(permit) = self.reserved.take() else {
            panic!("poll_ready must be called first");
        };
        match self.handle.state() {
            Some(state) => state.call_with(message, permit),
            None => Call::failed(CallError::not_sent(Cause::Closed)),
        }
    }
}

/// A clone has no reservation: it must become ready by itself.
impl Clone for Caller {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("handle", &self.handle)
            .field("reserved", &self.reserved.is_some())
            .finish_non_exhaustive()
    }
}
