//! States of the session, and their exits.

use std::{future::Future, pin::Pin};

use sctp_core::AbortReason;
use sctp_tokio::End;
use tower_service::Service;

use super::requests::Requests;
use crate::{IncomingAssociation, MakeService, Request, Shutdown, sealed::Sealed};

/// Future of a service, or of the refusal of the peer.
pub(crate) type MakeFuture<S> = Pin<Box<dyn Future<Output = Result<S, Shutdown>> + Send>>;

/// Makes the service of an association, and again each time that its peer restarts.
pub(crate) type Maker<S> = Box<dyn FnMut(IncomingAssociation) -> MakeFuture<S> + Send>;

/// Has a make-service make the service. Called in the session's poll and nowhere else: the
/// make-service, or its `Clone`, may panic.
pub(super) fn maker<M: MakeService<K>, K>(make: M) -> Maker<M::Service> {
    Box::new(move |incoming| {
        let make = make.clone();
        Box::pin(async move { make.make_service(incoming, Sealed(())).await })
    })
}

/// State of an association, with what belongs to it.
pub(super) enum State<S: Service<Request>> {
    /// The service is being made, from the first poll on; nothing is read.
    Handshaking(Option<MakeFuture<S>>),
    /// Requests are served.
    Open(Box<Requests<S>>),
    /// Replies that were queued before an orderly end are sent.
    Flushing,
    /// SHUTDOWN is sent when everything is acknowledged.
    AwaitingAck,
    /// An ABORT was sent.
    Aborting,
    /// The association has closed.
    Closed(Box<End>),
}

/// The cause for leaving a state.
#[derive(Debug)]
pub(super) enum Exit {
    Shutdown(Shutdown),
    /// The peer restarted; the connection already has its new state.
    Restarted,
    Ended(End),
}

impl Exit {
    pub(super) fn abort(reason: &AbortReason) -> Self {
        Self::Shutdown(Shutdown::Abort(reason.clone()))
    }

    /// Returns `true` if what is queued is to be sent first.
    pub(super) fn is_orderly(&self) -> bool {
        matches!(self, Self::Shutdown(Shutdown::AfterAck))
    }
}

/// Outcome of polling a state.
pub(super) enum Transition {
    /// The service is made, and the state is entered.
    Opened,
    Flushed,
    Exit(Exit),
}
