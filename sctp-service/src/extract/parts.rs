//! What came beside the payload.

use std::convert::Infallible;

use sctp_core::{AssocId, Ppid, RecvInfo, StreamId};

use super::FromRequestParts;
use crate::{AssociationHandle, ConnectInfo, Drain, Parts};

macro_rules! from_parts {
    ($($part:ty => |$parts:ident| $value:expr;)*) => {$(
        impl<S: Sync> FromRequestParts<S> for $part {
            type Rejection = Infallible;

            async fn from_request_parts($parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
                Ok($value)
            }
        }
    )*};
}

from_parts! {
    StreamId => |parts| parts.info.stream;
    Ppid => |parts| parts.info.ppid;
    RecvInfo => |parts| parts.info.clone();
    AssocId => |parts| parts.connect_info.assoc();
    ConnectInfo => |parts| parts.connect_info.clone();
    AssociationHandle => |parts| parts.association.clone();
    Drain => |parts| parts.association.drain().clone();
}

/// Takes what can be made, and `None` for what cannot.
impl<S: Sync, T: FromRequestParts<S>> FromRequestParts<S> for Option<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request_parts(parts, state).await.ok())
    }
}

/// Leaves the rejection to the handler.
impl<S: Sync, T: FromRequestParts<S>> FromRequestParts<S> for Result<T, T::Rejection> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request_parts(parts, state).await)
    }
}
