use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use bytes::Bytes;

use super::{BadPayload, DecodePayload, EncodePayload};
use crate::{IntoReply, Reply, Request, driver::reasons, extract::FromRequest};

/// A message of a protocol, and the codec of its payload: as the last argument of a handler what
/// the request says, returned the reply.
///
/// As an argument it decodes the payload, and rejects the request with [`BadPayload`] if it
/// cannot. Returned it is encoded, and goes where a payload goes: on the request's stream, with
/// its PPID. A message that cannot be encoded is an error of the service: it is logged, and
/// aborts the association with the reason `internal error`.
///
/// A protocol usually names its own: `type Json<M> = Typed<M, JsonCodec>`.
pub struct Typed<M, C> {
    message: M,
    codec: PhantomData<fn() -> C>,
}

impl<M, C> Typed<M, C> {
    /// Wraps a message.
    #[must_use]
    pub const fn new(message: M) -> Self {
        Self {
            message,
            codec: PhantomData,
        }
    }

    /// Takes the message.
    #[must_use]
    pub fn into_inner(self) -> M {
        self.message
    }

    /// Encodes it, for a [`Message`](crate::Message) that says itself where it goes, or for a
    /// stream.
    ///
    /// # Errors
    ///
    /// What the codec says.
    pub fn encode(self) -> Result<Bytes, C::Error>
    where
        C: EncodePayload<M>,
    {
        C::encode(self.message)
    }
}

impl<S: Sync, M, C> FromRequest<S> for Typed<M, C>
where
    C: DecodePayload<M>,
{
    type Rejection = BadPayload<C::Error>;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
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
                tracing::error!(%error, "the service's reply cannot be encoded, aborting");
                reasons::INTERNAL_ERROR.clone().into_reply()
            }
        }
    }
}

impl<M, C> Deref for Typed<M, C> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.message
    }
}

impl<M, C> DerefMut for Typed<M, C> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.message
    }
}

impl<M, C> From<M> for Typed<M, C> {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}

impl<M: Clone, C> Clone for Typed<M, C> {
    fn clone(&self) -> Self {
        Self::new(self.message.clone())
    }
}

impl<M: fmt::Debug, C> fmt::Debug for Typed<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&self.message).finish()
    }
}
