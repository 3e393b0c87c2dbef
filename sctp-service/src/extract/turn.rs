//! The turn of a request.

use std::convert::Infallible;

use super::FromRequestParts;
use crate::{AssociationHandle, Parts};

/// The turn of a request in the order of its stream or association, to be given up before the reply.
///
/// A request is served when the one before it in its stream has been answered:
/// [`RequestOrder`](crate::RequestOrder). Where only the first part of a handler depends on that
/// order, it [releases](Self::release) its turn after that part, and the next request is served while
/// it goes on. So does a handler that calls its peer back, if the peer may ask on the same stream before
/// it answers.
///
/// Replies go out as handlers finish: after a release, the reply to a later request can come first.
/// Dropping it changes nothing: the turn ends with the reply.
///
/// ```
/// # use sctp_service::{Payload, State, Turn};
/// # #[derive(Clone)] struct Ledger;
/// # impl Ledger {
/// #     fn book(&self, _: &[u8]) {}
/// #     async fn report(&self) -> &'static str { "booked" }
/// # }
/// async fn book(State(ledger): State<Ledger>, turn: Turn, Payload(entry): Payload) -> &'static str {
///     // In the order in which the peer sent them.
///     ledger.book(&entry);
///     turn.release();
///     // Beside others.
///     ledger.report().await
/// }
/// # let _ = sctp_service::handler::Handler::with_state(book, Ledger);
/// ```
#[derive(Debug)]
pub struct Turn {
    association: AssociationHandle,
    number: u64,
}

impl Turn {
    /// Lets the next request of the stream be served, or with
    /// [`PerAssociation`](crate::RequestOrder::PerAssociation) the next of the association.
    ///
    /// The request keeps its place in [`max_in_flight`](crate::Config::max_in_flight). Does nothing
    /// for an unordered request, with [`Unordered`](crate::RequestOrder::Unordered), and for a request
    /// that was made by hand.
    pub fn release(self) {
        self.association.release_turn(self.number);
    }
}

impl<S> FromRequestParts<S> for Turn {
    type Rejection = Infallible;

    #[inline]
    fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            association: parts.association.clone(),
            number: parts.number,
        })
    }
}
