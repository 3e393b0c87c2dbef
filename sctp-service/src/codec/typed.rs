use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use bytes::Bytes;

use super::{BadPayload, DecodePayload, EncodePayload};
use crate::{
    IntoReply, Reply, Request, abort_reasons, extract::FromRequest, log_limit::LogLimiter,
};

/// A message of a protocol, with the codec of its payload.
///
/// The last argument of a handler can be one: the payload is decoded, or the request is rejected
/// with [`BadPayload`]. So can the result of a handler: the message is encoded and sent on the
/// request's stream with its PPID. A message that cannot be encoded is an error of the service: the
/// error is logged, and the association is aborted with the reason `internal error`.
///
/// A protocol usually defines an alias, `type Json<M> = Typed<M, JsonCodec>`. A pattern takes the
/// message out: `async fn handler(Typed(order): Json<Order>)`.
///
/// The field is the message, an `M`: `<M as Coded<C>>::Message` is another name for that type.
pub struct Typed<M, C>(pub <M as Coded<C>>::Message);

/// Names the codec of a [`Typed`] without a field of that type.
///
/// Implemented for every type and every codec. A second field would prevent the pattern
/// `Typed(message)`.
pub trait Coded<C> {
    /// The type itself.
    type Message;
}

impl<M, C> Coded<C> for M {
    type Message = M;
}

impl<M, C> Typed<M, C> {
    /// Wraps a message.
    #[must_use]
    pub const fn new(message: M) -> Self {
        Self(message)
    }

    /// Returns the message.
    #[must_use]
    pub fn into_inner(self) -> M {
        self.0
    }

    /// Encodes the message, for a [`Message`](crate::Message) with its own destination or for a
    /// reply stream.
    ///
    /// # Errors
    ///
    /// Returns the error of the codec.
    pub fn encode(self) -> Result<Bytes, C::Error>
    where
        C: EncodePayload<M>,
    {
        C::encode(self.0)
    }
}

impl<S, M, C> FromRequest<S> for Typed<M, C>
where
    C: DecodePayload<M>,
{
    type Rejection = BadPayload<C::Error>;

    #[inline]
    fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        C::decode(request.into_payload())
            .map(Self::new)
            .map_err(BadPayload)
    }
}

impl<M, C: EncodePayload<M>> IntoReply for Typed<M, C> {
    fn into_reply(self) -> Reply {
        match self.encode() {
            Ok(payload) => Reply::new(payload),
            Err(error) => {
                static FAILURES: LogLimiter = LogLimiter::new();
                if let Some(occurrences) = FAILURES.record() {
                    tracing::error!(
                        %error,
                        occurrences,
                        "cannot encode reply, aborting"
                    );
                }
                abort_reasons::INTERNAL_ERROR.clone().into_reply()
            }
        }
    }
}

impl<M, C> Deref for Typed<M, C> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M, C> DerefMut for Typed<M, C> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.0
    }
}

impl<M, C> From<M> for Typed<M, C> {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}

impl<M: Clone, C> Clone for Typed<M, C> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<M: fmt::Debug, C> fmt::Debug for Typed<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn codec_leaves_size_and_auto_traits_of_the_message() {
        fn shared<T: Send + Sync + Unpin + 'static>(_: &T) {}
        fn generic<M: Send + Sync + Unpin + 'static>(message: M) -> M {
            let typed = Typed::<M, Rc<str>>(message);
            shared(&typed);
            let Typed(message) = typed;
            message
        }
        assert_eq!(generic(7), 7);
        assert_eq!(size_of::<Typed<u64, Rc<str>>>(), size_of::<u64>());
    }
}
