//! Extractors of everything except the payload.

use std::convert::Infallible;

use sctp_core::{AssocId, Ppid, RecvInfo, StreamId};

use super::FromRequestParts;
use crate::{AssociationHandle, ConnectInfo, Drain, Parts};

macro_rules! from_parts {
    ($($part:ty => |$parts:ident| $value:expr;)*) => {$(
        impl<S> FromRequestParts<S> for $part {
            type Rejection = Infallible;

            #[inline]
            fn from_request_parts($parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
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

/// Ignores the rejection.
impl<S, T: FromRequestParts<S>> FromRequestParts<S> for Option<T> {
    type Rejection = Infallible;

    #[inline]
    fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request_parts(parts, state).ok())
    }
}

/// Leaves the rejection to the handler.
impl<S, T: FromRequestParts<S>> FromRequestParts<S> for Result<T, T::Rejection> {
    type Rejection = Infallible;

    #[inline]
    fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request_parts(parts, state))
    }
}
