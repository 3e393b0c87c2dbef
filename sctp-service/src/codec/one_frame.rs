use std::{fmt, marker::PhantomData};

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::{BadFrame, DecodePayload, EncodePayload};

/// Adapter for the codecs of tokio-util: each payload is exactly one frame.
///
/// A new codec is created with `Default` for each payload.
///
/// ```
/// use bytes::BytesMut;
/// use sctp_service::codec::{OneFrame, Typed};
/// use tokio_util::codec::BytesCodec;
///
/// async fn echo(
///     frame: Typed<BytesMut, OneFrame<BytesCodec>>,
/// ) -> Typed<BytesMut, OneFrame<BytesCodec>> {
///     frame
/// }
/// # let _ = sctp_service::handler::handler_fn(echo);
/// ```
pub struct OneFrame<C>(PhantomData<fn() -> C>);

impl<C> DecodePayload<C::Item> for OneFrame<C>
where
    C: Decoder<Error: fmt::Display> + Default,
{
    type Error = BadFrame<C::Error>;

    fn decode(payload: Bytes) -> Result<C::Item, Self::Error> {
        let mut payload = BytesMut::from(payload);
        match C::default().decode_eof(&mut payload) {
            Ok(Some(item)) if payload.is_empty() => Ok(item),
            Ok(Some(_)) => Err(BadFrame::Leftover(payload.len())),
            Ok(None) => Err(BadFrame::Incomplete),
            Err(error) => Err(BadFrame::Codec(error)),
        }
    }
}

impl<M, C> EncodePayload<M> for OneFrame<C>
where
    C: Encoder<M, Error: fmt::Display> + Default,
{
    type Error = C::Error;

    fn encode(message: M) -> Result<Bytes, C::Error> {
        let mut payload = BytesMut::new();
        C::default().encode(message, &mut payload)?;
        Ok(payload.freeze())
    }
}

impl<C> fmt::Debug for OneFrame<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneFrame")
    }
}
