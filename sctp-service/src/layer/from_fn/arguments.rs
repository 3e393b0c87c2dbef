use std::future::Future;

use super::Next;
use crate::{
    IntoReply, Reply, Request,
    arity::for_each_arity,
    extract::{FromRequest, FromRequestParts},
    handler::{Function, HandlerFuture, rejection},
    sealed::Sealed,
};

/// Async function that is middleware; see [`from_fn`](super::from_fn).
///
/// Implemented for functions that take up to 15 [`FromRequestParts`], then a [`FromRequest`], and
/// then [`Next`]. `T` stands for the arguments, and is always inferred. The trait cannot be
/// implemented outside of this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a middleware function",
    label = "not a middleware function",
    note = "middleware is an async function whose last two arguments are the `Request` and `Next`, and whose result is `IntoReply`",
    note = "the arguments before these are extractors of parts; the types of a closure's arguments are written out: `|request: Request, next: Next|`"
)]
pub trait Middleware<T, S>: Clone {
    /// Future of the reply.
    type Future: Future<Output = Reply>;

    /// Handles one request.
    #[doc(hidden)]
    fn call_middleware(self, request: Request, next: Next, state: S, _: Sealed) -> Self::Future;
}

/// Arguments of a [`Middleware`] function, as a tuple.
///
/// `Via` identifies the extraction of the argument before [`Next`], and is always inferred. The
/// trait cannot be implemented outside of this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are not the arguments of a middleware function",
    label = "the last argument is not `Next`, or there are more than 17",
    note = "the last two arguments are the `Request` and `Next`, and those before them extractors of parts"
)]
pub trait MiddlewareArguments<S, Via>: Sized {
    /// Extracts the arguments, from the first to the last.
    #[doc(hidden)]
    fn extract(request: Request, next: Next, state: &S, _: Sealed) -> Result<Self, Box<Reply>>;
}

impl<F, Args, S, Via> Middleware<(Via, Args), S> for F
where
    F: Function<Args> + Clone,
    F::Output: Future<Output: IntoReply>,
    Args: MiddlewareArguments<S, Via>,
{
    type Future = HandlerFuture<F::Output>;

    fn call_middleware(self, request: Request, next: Next, state: S, _: Sealed) -> Self::Future {
        match Args::extract(request, next, &state, Sealed(())) {
            Ok(args) => HandlerFuture::running(self.call_with(args, Sealed(()))),
            Err(rejection) => HandlerFuture::rejected(rejection),
        }
    }
}

macro_rules! middleware {
    ($($part:ident $via:ident),*; $last:ident $last_via:ident) => {
        #[expect(non_snake_case, reason = "the arguments are named after their types")]
        #[allow(unused_mut, reason = "the request alone takes no parts")]
        impl<S, Via, $($part,)* $last> MiddlewareArguments<S, Via> for ($($part,)* $last, Next)
        where
            $($part: FromRequestParts<S>,)*
            $last: FromRequest<S, Via>,
        {
            fn extract(
                request: Request,
                next: Next,
                state: &S,
                _: Sealed,
            ) -> Result<Self, Box<Reply>> {
                let (mut parts, payload) = request.into_parts();
                $(
                    let $part = $part::from_request_parts(&mut parts, state)
                        .map_err(rejection)?;
                )*
                let $last = $last::from_request(Request::from_parts(parts, payload), state)
                    .map_err(rejection)?;
                Ok(($($part,)* $last, next))
            }
        }
    };
}

for_each_arity!(middleware);
