//! Tuples of extractors.

use std::convert::Infallible;

use super::{FromRequest, FromRequestParts};
use crate::{IntoReply, Parts, Reply, Request, arity::for_each_arity};

impl<S> FromRequestParts<S> for () {
    type Rejection = Infallible;

    fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(())
    }
}

macro_rules! tuple {
    ($($part:ident $via:ident),*; $last:ident $last_via:ident) => {
        /// Extracts each in turn; the first rejection is that of the tuple.
        #[expect(non_snake_case, reason = "the values are named after their types")]
        impl<S, $($part,)* $last> FromRequestParts<S> for ($($part,)* $last,)
        where
            $($part: FromRequestParts<S>,)*
            $last: FromRequestParts<S>,
        {
            type Rejection = Reply;

            fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Reply> {
                $(
                    let $part = $part::from_request_parts(parts, state)
                        .map_err(IntoReply::into_reply)?;
                )*
                let $last = $last::from_request_parts(parts, state)
                    .map_err(IntoReply::into_reply)?;
                Ok(($($part,)* $last,))
            }
        }

        /// Extracts each in turn, the last from the payload; the first rejection is that of the
        /// tuple.
        #[expect(non_snake_case, reason = "the values are named after their types")]
        #[allow(unused_mut, unused_variables, reason = "a tuple of one has no parts")]
        impl<S, $($part,)* $last> FromRequest<S> for ($($part,)* $last,)
        where
            $($part: FromRequestParts<S>,)*
            $last: FromRequest<S>,
        {
            type Rejection = Reply;

            fn from_request(request: Request, state: &S) -> Result<Self, Reply> {
                let (mut parts, payload) = request.into_parts();
                $(
                    let $part = $part::from_request_parts(&mut parts, state)
                        .map_err(IntoReply::into_reply)?;
                )*
                let $last = $last::from_request(Request::from_parts(parts, payload), state)
                    .map_err(IntoReply::into_reply)?;
                Ok(($($part,)* $last,))
            }
        }
    };
}

for_each_arity!(tuple);
