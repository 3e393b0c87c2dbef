//! Events of associations.

use sctp_core::{AssocId, Notification};

use crate::{association::end::End, message::Received};

/// Event of an association.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message arrived.
    Message(Received),
    /// The kernel reported a change, such as a path failure, an undelivered message or a peer
    /// restart.
    Notification(Notification),
    /// The association is closed. No event follows, and further calls return this one again.
    Closed(End),
}

/// Event of an association of an [`Endpoint`](crate::Endpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointEvent {
    /// The association.
    pub assoc: AssocId,
    /// The event. Establishment of an association is an [`Event::Notification`].
    pub event: Event,
}
