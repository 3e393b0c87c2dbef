//! Extractors: the types that a handler may take as arguments.
//!
//! Each argument of a handler is made from the request:
//!
//! ```
//! use sctp_service::{ConnectInfo, Payload, StreamId};
//!
//! async fn handler(stream: StreamId, peer: ConnectInfo, Payload(payload): Payload) -> String {
//!     format!("{} bytes on stream {stream} of {peer}", payload.len())
//! }
//! # let _ = sctp_service::handler::handler_fn(handler);
//! ```
//!
//! | argument | value |
//! |---|---|
//! | [`Payload`], `Bytes` | the user data |
//! | `String` | the user data as text; aborts with `payload is not UTF-8` if it is not UTF-8 |
//! | [`Received`], [`Request`] | the whole message, the whole request |
//! | [`Typed`](crate::Typed) | the user data, decoded by a [codec](crate::codec) |
//! | [`StreamId`], [`Ppid`], [`RecvInfo`] | metadata of the message |
//! | [`ConnectInfo`], [`AssocId`] | the association |
//! | [`AssociationHandle`] | a handle to send on the association and to close it, also after the request |
//! | [`Turn`] | the request's turn in the order of its stream, which can be released before the reply |
//! | [`Drain`] | the signal that the server or the association shuts down gracefully |
//! | [`State<T>`](State) | the state of the router or handler |
//! | [`Extension<T>`](Extension) | a value that middleware attached |
//! | `Option<T>`, `Result<T, T::Rejection>` | `T`, or `None` or the rejection |
//! | `(A, B, ..)` | several at once, up to 16 |
//!
//! The extractors of the first four rows take the payload, and can only be the last argument.
//!
//! # Your own extractors
//!
//! Implement [`FromRequestParts`], or [`FromRequest`] for an extractor that takes the payload.
//! Extraction is synchronous, so a handler's future is the future of the function itself, and
//! extraction needs no allocation.
//!
//! An extractor that has to wait, for example for a database, implements [`AsyncFromRequestParts`]
//! or [`AsyncFromRequest`]. A handler that takes such arguments is wrapped by
//! [`awaiting`](crate::handler::awaiting), and its future is boxed. Middleware made by
//! [`from_fn`](crate::layer::from_fn) can wait as well, and attach the result as an [`Extension`].

mod asynchronous;
mod extension;
mod message;
mod parts;
mod state;
mod tuples;
mod turn;

use std::convert::Infallible;

pub use asynchronous::{
    AsyncFromRequest, AsyncFromRequestParts, ViaAsync, ViaAsyncParts, ViaReady,
};
pub use extension::{Extension, MissingExtension};
pub use message::{NotUtf8, Payload};
#[cfg(doc)]
use sctp_core::{AssocId, Ppid, RecvInfo, StreamId};
#[cfg(doc)]
use sctp_tokio::Received;
pub use state::{FromRef, State};
pub use turn::Turn;

#[cfg(doc)]
use crate::{AssociationHandle, ConnectInfo, Drain};
use crate::{IntoReply, Parts, Request};

/// Extracts an argument of a handler from the parts of a request other than the payload.
///
/// ```
/// use sctp_service::{Parts, Shutdown, extract::FromRequestParts};
///
/// /// The subscriber that an outer layer recognised.
/// #[derive(Clone)]
/// struct Subscriber(u64);
///
/// impl<S: Sync> FromRequestParts<S> for Subscriber {
///     type Rejection = Shutdown;
///
///     fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Shutdown> {
///         parts.extensions.get().cloned().ok_or(Shutdown::abort("who are you?"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler, or not in this place",
    label = "not made of a request's parts",
    note = "only the last argument can take the payload (`Payload`, `Typed`, `Bytes`, `String`, `Received`, `Request`)",
    note = "implement `FromRequestParts` for a type of your own, or `FromRequest` if it takes the payload",
    note = "a handler with an argument that implements `AsyncFromRequestParts` is wrapped: `awaiting(handler)`"
)]
pub trait FromRequestParts<S>: Sized {
    /// Reply to a request from which the argument cannot be extracted.
    type Rejection: IntoReply;

    /// Extracts the argument.
    ///
    /// # Errors
    ///
    /// The reply to send instead of calling the handler.
    fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection>;
}

/// Extracts the last argument of a handler, which may consume the payload.
///
/// `Via` distinguishes this trait from [`FromRequestParts`] in the same position, and is always
/// inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the last argument of a handler",
    label = "not made of a request",
    note = "a `Typed` can if its codec implements `DecodePayload` for its message",
    note = "implement `FromRequest` or `FromRequestParts` for a type of your own"
)]
pub trait FromRequest<S, Via = ViaRequest>: Sized {
    /// Reply to a request from which the argument cannot be extracted.
    type Rejection: IntoReply;

    /// Extracts the argument.
    ///
    /// # Errors
    ///
    /// The reply to send instead of calling the handler.
    fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection>;
}

/// Marks an extractor that takes the whole request.
#[derive(Debug)]
pub enum ViaRequest {}

/// Marks an extractor that takes the parts of a request.
#[derive(Debug)]
pub enum ViaParts {}

impl<S, T: FromRequestParts<S>> FromRequest<S, ViaParts> for T {
    type Rejection = T::Rejection;

    #[inline]
    fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (mut parts, _) = request.into_parts();
        Self::from_request_parts(&mut parts, state)
    }
}

/// Leaves the rejection to the handler.
impl<S, T: FromRequest<S>> FromRequest<S> for Result<T, T::Rejection> {
    type Rejection = Infallible;

    fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request(request, state))
    }
}

/// Ignores the rejection. To reply or log it, take a `Result`.
impl<S, T: FromRequest<S>> FromRequest<S> for Option<T> {
    type Rejection = Infallible;

    fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request(request, state).ok())
    }
}
