//! What a handler's arguments are made of.
//!
//! A handler names what it needs, and gets it:
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
//! | argument | is |
//! |---|---|
//! | [`Payload`], `Bytes` | the user data |
//! | `String` | the user data as text; other than UTF-8 aborts with `payload is not UTF-8` |
//! | [`Received`], [`Request`] | the whole message, the whole request |
//! | [`Typed`](crate::Typed) | what the user data says, by a [codec](crate::codec) |
//! | [`StreamId`], [`Ppid`], [`RecvInfo`] | what came beside it |
//! | [`ConnectInfo`], [`AssocId`] | the association |
//! | [`AssociationHandle`] | the association, to push to it and to end it, now and later |
//! | [`Drain`] | when the server shuts down |
//! | [`State<T>`](State) | the state that the router or handler was given |
//! | [`Extension<T>`](Extension) | what middleware attached |
//!
//! Those of the first four rows take the payload, and can only be the last argument. `Result` of
//! all works too, to see a rejection, and `Option` of the others. Implement [`FromRequestParts`]
//! or [`FromRequest`] for your own.

mod extension;
mod message;
mod parts;
mod state;

use std::{convert::Infallible, future::Future};

pub use extension::{Extension, MissingExtension};
pub use message::{NotUtf8, Payload};
#[cfg(doc)]
use sctp_core::{AssocId, Ppid, RecvInfo, StreamId};
#[cfg(doc)]
use sctp_tokio::Received;
pub use state::{FromRef, State};

#[cfg(doc)]
use crate::{AssociationHandle, ConnectInfo, Drain};
use crate::{IntoReply, Parts, Request};

/// What can be made without the payload: any argument of a handler.
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
///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Shutdown> {
///         parts.extensions.get().cloned().ok_or(Shutdown::abort("who are you?"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler, or not in this place",
    label = "not made of a request's parts",
    note = "only the last argument can take the payload (`Payload`, `Typed`, `Bytes`, `String`, `Received`, `Request`)",
    note = "implement `FromRequestParts` for a type of your own, or `FromRequest` if it takes the payload"
)]
pub trait FromRequestParts<S>: Sized {
    /// What is replied when it cannot be made.
    type Rejection: IntoReply;

    /// Makes it.
    fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> impl Future<Output = Result<Self, Self::Rejection>> + Send;
}

/// What takes the payload: the last argument of a handler.
///
/// `Via` tells it apart from a [`FromRequestParts`] in that place, and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the last argument of a handler",
    label = "not made of a request",
    note = "a `Typed` can if its codec implements `DecodePayload` for its message",
    note = "implement `FromRequest` or `FromRequestParts` for a type of your own"
)]
pub trait FromRequest<S, Via = ViaRequest>: Sized {
    /// What is replied when it cannot be made.
    type Rejection: IntoReply;

    /// Makes it.
    fn from_request(
        request: Request,
        state: &S,
    ) -> impl Future<Output = Result<Self, Self::Rejection>> + Send;
}

/// Marks what is made of a whole request.
#[derive(Debug)]
pub enum ViaRequest {}

/// Marks what is made of a request's parts.
#[derive(Debug)]
pub enum ViaParts {}

impl<S: Sync, T: FromRequestParts<S>> FromRequest<S, ViaParts> for T {
    type Rejection = T::Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (mut parts, _) = request.into_parts();
        Self::from_request_parts(&mut parts, state).await
    }
}

/// Leaves the rejection to the handler.
impl<S: Sync, T: FromRequest<S>> FromRequest<S> for Result<T, T::Rejection> {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request(request, state).await)
    }
}
