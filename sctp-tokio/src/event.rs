//! What an association has to say.

use sctp_core::{AssocId, Notification};

use crate::{association::end::End, message::Received};

/// The next thing that happened on an association.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A whole message arrived.
    Message(Received),
    /// The kernel reported something: a path changed, a message failed, the peer restarted.
    Notification(Notification),
    /// The association ended. Nothing comes after it; asking again answers the same.
    Ended(End),
}

/// Something that happened on an association of an [`Endpoint`](crate::Endpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointEvent {
    /// The association.
    pub assoc: AssocId,
    /// What happened. That an association came up is told as [`Event::Notification`].
    pub event: Event,
}
