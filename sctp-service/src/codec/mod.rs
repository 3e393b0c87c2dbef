//! Codecs between payloads and the messages of a protocol.
//!
//! A codec converts between messages and payloads. With [`Typed`] a handler takes and returns
//! messages:
//!
//! ```
//! use bytes::Bytes;
//! use sctp_service::codec::{DecodePayload, EncodePayload, Typed};
//!
//! /// Numbers of eight bytes, in network order.
//! struct Numbers;
//!
//! impl DecodePayload<u64> for Numbers {
//!     type Error = std::array::TryFromSliceError;
//!
//!     fn decode(payload: Bytes) -> Result<u64, Self::Error> {
//!         payload[..].try_into().map(u64::from_be_bytes)
//!     }
//! }
//!
//! impl EncodePayload<u64> for Numbers {
//!     type Error = std::convert::Infallible;
//!
//!     fn encode(number: u64) -> Result<Bytes, Self::Error> {
//!         Ok(Bytes::copy_from_slice(&number.to_be_bytes()))
//!     }
//! }
//!
//! async fn double(Typed(number): Typed<u64, Numbers>) -> Typed<u64, Numbers> {
//!     Typed(number.wrapping_mul(2))
//! }
//! # let _ = sctp_service::handler::handler_fn(double);
//! ```
//!
//! A payload that cannot be decoded aborts its association with the reason `malformed payload`. The
//! details are logged but not sent, since they may disclose internals of the server. A handler that
//! takes `Result<Typed<M, C>, BadPayload<_>>` chooses its own reply.
//!
//! A codec has no state: SCTP preserves message boundaries, so each payload is decoded on its own.
//! [`OneFrame`] adapts the codecs of tokio-util.

mod error;
mod one_frame;
mod typed;

use std::fmt;

use bytes::Bytes;
pub use error::{BadFrame, BadPayload};
pub use one_frame::OneFrame;
pub use typed::{Coded, Typed};

/// Decodes payloads into messages.
#[diagnostic::on_unimplemented(
    message = "the codec `{Self}` cannot decode `{M}`",
    label = "no codec for this message",
    note = "implement `DecodePayload<{M}>` for `{Self}`"
)]
pub trait DecodePayload<M> {
    /// Error of a malformed payload, which is logged.
    type Error: fmt::Display;

    /// Decodes a payload.
    ///
    /// # Errors
    ///
    /// Returns an error if the payload is not such a message.
    fn decode(payload: Bytes) -> Result<M, Self::Error>;
}

/// Encodes messages into payloads.
#[diagnostic::on_unimplemented(
    message = "the codec `{Self}` cannot encode `{M}`",
    label = "no codec for this message",
    note = "implement `EncodePayload<{M}>` for `{Self}`"
)]
pub trait EncodePayload<M> {
    /// Error of a message that cannot be encoded, which is logged.
    type Error: fmt::Display;

    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// Returns an error if the message cannot be encoded.
    fn encode(message: M) -> Result<Bytes, Self::Error>;
}
