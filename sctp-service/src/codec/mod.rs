//! Handlers that take and return the messages of a protocol.
//!
//! A codec says how messages become payloads and payloads messages; [`Typed`] has a handler take
//! and return what they mean:
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
//! A payload that cannot be decoded aborts its association with the reason `malformed payload`,
//! and nothing else: what was wrong is in the log, and may say more about a server than a peer
//! should know. A handler that takes `Result<Typed<M, C>, BadPayload<_>>` decides itself.
//!
//! A codec has no state: SCTP keeps messages apart, so each payload is decoded alone.
//! [`OneFrame`] makes such a codec of one of tokio-util's.

mod error;
mod one_frame;
mod typed;

use std::fmt;

use bytes::Bytes;
pub use error::{BadFrame, BadPayload};
pub use one_frame::OneFrame;
pub use typed::{Coded, Typed};

/// Makes a message of a payload.
#[diagnostic::on_unimplemented(
    message = "the codec `{Self}` cannot decode `{M}`",
    label = "no codec for this message",
    note = "implement `DecodePayload<{M}>` for `{Self}`"
)]
pub trait DecodePayload<M> {
    /// What can be wrong with a payload; it goes to the log.
    type Error: fmt::Display;

    /// Decodes a payload.
    ///
    /// # Errors
    ///
    /// The payload is no such message.
    fn decode(payload: Bytes) -> Result<M, Self::Error>;
}

/// Makes a payload of a message.
#[diagnostic::on_unimplemented(
    message = "the codec `{Self}` cannot encode `{M}`",
    label = "no codec for this message",
    note = "implement `EncodePayload<{M}>` for `{Self}`"
)]
pub trait EncodePayload<M> {
    /// What can be wrong with a message; it goes to the log.
    type Error: fmt::Display;

    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// There is no payload for such a message.
    fn encode(message: M) -> Result<Bytes, Self::Error>;
}
