//! Extractors of the message itself.

use std::{convert::Infallible, fmt};

use bytes::Bytes;
use sctp_core::AbortReason;
use sctp_tokio::Received;

use super::FromRequest;
use crate::{IntoReply, Reply, ReplyMessage, Request};

/// The user data of a message.
///
/// The payload of the request if it is an argument of a handler, and of the reply if it is the result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Payload(pub Bytes);

impl<S> FromRequest<S> for Payload {
    type Rejection = Infallible;

    #[inline]
    fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request.into_payload()))
    }
}

impl From<Payload> for ReplyMessage {
    fn from(payload: Payload) -> Self {
        payload.0.into()
    }
}

impl IntoReply for Payload {
    fn into_reply(self) -> Reply {
        Reply::new(self)
    }
}

impl<S> FromRequest<S> for Bytes {
    type Rejection = Infallible;

    #[inline]
    fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(request.into_payload())
    }
}

impl<S> FromRequest<S> for Received {
    type Rejection = Infallible;

    #[inline]
    fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(request.into())
    }
}

impl<S> FromRequest<S> for Request {
    type Rejection = Infallible;

    #[inline]
    fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(request)
    }
}

impl<S> FromRequest<S> for String {
    type Rejection = NotUtf8;

    #[inline]
    fn from_request(request: Request, _: &S) -> Result<Self, NotUtf8> {
        Self::from_utf8(request.into_payload().into()).map_err(|_| NotUtf8(()))
    }
}

/// Rejection of a `String` whose payload is not UTF-8.
///
/// Converting it into a reply aborts the association with the reason `payload is not UTF-8`, since a
/// peer that uses another protocol will continue to do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8(());

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("payload is not UTF-8")
    }
}

impl std::error::Error for NotUtf8 {}

impl IntoReply for NotUtf8 {
    fn into_reply(self) -> Reply {
        AbortReason::truncated(self.to_string()).into_reply()
    }
}
