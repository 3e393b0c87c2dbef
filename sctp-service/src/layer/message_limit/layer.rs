use tower_layer::Layer;

use super::MessageLimit;

/// Shuts the association down, in order, after so many requests: the answer to the last one is
/// sent and acknowledged first.
///
/// A peer that is balanced over several servers comes back to another one; long associations
/// would stay where they are. As with every orderly end, calls that are still in flight on other
/// streams are dropped; where that matters, serve with
/// [`Ordering::PerAssociation`](crate::Ordering::PerAssociation).
///
/// It keeps no count of its own, since clones of a service would each have one: requests are
/// [numbered](crate::Request::number) by the driver.
#[derive(Clone, Copy, Debug)]
pub struct MessageLimitLayer {
    limit: u64,
}

impl MessageLimitLayer {
    /// Shuts down after `limit` requests; 0 is the same as 1, since only a reply can end an
    /// association.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for MessageLimitLayer {
    type Service = MessageLimit<S>;

    fn layer(&self, inner: S) -> MessageLimit<S> {
        MessageLimit {
            inner,
            limit: self.limit,
        }
    }
}
