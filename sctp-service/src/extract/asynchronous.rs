//! Asynchronous extractors.

use std::future::Future;

use super::{FromRequest, FromRequestParts, ViaParts};
use crate::{IntoReply, Parts, Request};

/// Extracts an argument asynchronously from the parts of a request other than the payload.
///
/// For arguments of a handler that is wrapped by [`awaiting`](crate::handler::awaiting).
/// Implemented for every [`FromRequestParts`]. `Via` distinguishes the implementations, and is
/// always inferred.
///
/// # Cancel safety
///
/// The future is dropped with the request when its association closes. Side effects up to then are
/// not undone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of an awaiting handler, or not in this place",
    label = "not made of a request's parts",
    note = "implement `FromRequestParts`, or `AsyncFromRequestParts` if extraction waits"
)]
pub trait AsyncFromRequestParts<S, Via = ViaAsync>: Sized {
    /// Reply to a request from which the argument cannot be extracted.
    type Rejection: IntoReply;

    /// Extracts the argument.
    ///
    /// # Errors
    ///
    /// The reply to send instead of calling the handler.
    fn from_request_parts_async(
        parts: &mut Parts,
        state: &S,
    ) -> impl Future<Output = Result<Self, Self::Rejection>> + Send;
}

/// Extracts the last argument asynchronously, which may consume the payload.
///
/// For the last argument of a handler that is wrapped by [`awaiting`](crate::handler::awaiting).
/// Implemented for every [`FromRequest`] and every [`AsyncFromRequestParts`]. `Via` distinguishes
/// the implementations, and is always inferred.
///
/// # Cancel safety
///
/// Same as for [`AsyncFromRequestParts`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the last argument of an awaiting handler",
    label = "not made of a request",
    note = "implement `FromRequest`, or `AsyncFromRequest` if extraction waits"
)]
pub trait AsyncFromRequest<S, Via = ViaAsync>: Sized {
    /// Reply to a request from which the argument cannot be extracted.
    type Rejection: IntoReply;

    /// Extracts the argument.
    ///
    /// # Errors
    ///
    /// The reply to send instead of calling the handler.
    fn from_request_async(
        request: Request,
        state: &S,
    ) -> impl Future<Output = Result<Self, Self::Rejection>> + Send;
}

/// Marks an asynchronous extractor.
#[derive(Debug)]
pub enum ViaAsync {}

/// Marks an asynchronous extractor that takes the parts of a request, as the last argument.
#[derive(Debug)]
pub enum ViaAsyncParts {}

/// Marks a synchronous extractor.
#[derive(Debug)]
pub struct ViaReady<Via>(std::marker::PhantomData<Via>);

impl<S: Sync, T: FromRequestParts<S> + Send> AsyncFromRequestParts<S, ViaParts> for T {
    type Rejection = T::Rejection;

    async fn from_request_parts_async(parts: &mut Parts, state: &S) -> Result<Self, T::Rejection> {
        Self::from_request_parts(parts, state)
    }
}

impl<S: Sync, Via, T: FromRequest<S, Via>> AsyncFromRequest<S, ViaReady<Via>> for T {
    type Rejection = T::Rejection;

    async fn from_request_async(request: Request, state: &S) -> Result<Self, T::Rejection> {
        Self::from_request(request, state)
    }
}

impl<S: Sync, T: AsyncFromRequestParts<S> + Send> AsyncFromRequest<S, ViaAsyncParts> for T {
    type Rejection = T::Rejection;

    async fn from_request_async(request: Request, state: &S) -> Result<Self, T::Rejection> {
        let (mut parts, _) = request.into_parts();
        Self::from_request_parts_async(&mut parts, state).await
    }
}
