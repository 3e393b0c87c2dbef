//! Functions of up to 16 arguments, and their arguments as tuples.

use crate::{
    IntoReply, Reply, Request,
    arity::for_each_arity,
    extract::{AsyncFromRequest, AsyncFromRequestParts, FromRequest, FromRequestParts},
    sealed::Sealed,
};

/// Function or closure whose arguments are the tuple `Args`.
///
/// Implemented for every function that is a [`Handler`](super::Handler). The trait cannot be
/// implemented outside of this crate.
pub trait Function<Args> {
    /// Result of the function. For a handler this is a future.
    type Output;

    /// Calls the function.
    #[doc(hidden)]
    fn call_with(self, args: Args, _: Sealed) -> Self::Output;
}

/// Arguments of a [`Handler`](super::Handler), as a tuple.
///
/// The last argument is extracted from the request, the others from its parts. `Via` identifies the
/// extraction of the last one, and is always inferred. The trait cannot be implemented outside of
/// this crate.
pub trait Arguments<S, Via>: Sized {
    /// Extracts the arguments, from the first to the last.
    #[doc(hidden)]
    fn extract(request: Request, state: &S, _: Sealed) -> Result<Self, Box<Reply>>;
}

/// Arguments of an [`awaiting`](super::awaiting) handler, as a tuple.
///
/// The trait cannot be implemented outside of this crate.
pub trait AsyncArguments<S, Via>: Sized {
    /// Extracts the arguments, from the first to the last.
    #[doc(hidden)]
    fn extract_async(
        request: Request,
        state: &S,
        _: Sealed,
    ) -> impl Future<Output = Result<Self, Box<Reply>>> + Send;
}

/// Converts the rejection of an argument into a reply.
#[cold]
pub(crate) fn rejection(rejection: impl IntoReply) -> Box<Reply> {
    Box::new(rejection.into_reply())
}

impl<F, Output> Function<()> for F
where
    F: FnOnce() -> Output,
{
    type Output = Output;

    #[inline]
    fn call_with(self, (): (), _: Sealed) -> Output {
        self()
    }
}

impl<S> Arguments<S, ()> for () {
    #[inline]
    fn extract(_: Request, _: &S, _: Sealed) -> Result<Self, Box<Reply>> {
        Ok(())
    }
}

macro_rules! arguments {
    ($($part:ident $via:ident),*; $last:ident $last_via:ident) => {
        #[expect(non_snake_case, reason = "the arguments are named after their types")]
        impl<F, Output, $($part,)* $last> Function<($($part,)* $last,)> for F
        where
            F: FnOnce($($part,)* $last) -> Output,
        {
            type Output = Output;

            #[inline]
            fn call_with(self, ($($part,)* $last,): ($($part,)* $last,), _: Sealed) -> Output {
                self($($part,)* $last)
            }
        }

        #[expect(non_snake_case, reason = "the arguments are named after their types")]
        impl<S, Via, $($part,)* $last> Arguments<S, Via> for ($($part,)* $last,)
        where
            $($part: FromRequestParts<S>,)*
            $last: FromRequest<S, Via>,
        {
            #[inline]
            fn extract(request: Request, state: &S, _: Sealed) -> Result<Self, Box<Reply>> {
                arguments!(@parts request state $($part)*);
                let $last = $last::from_request(request, state).map_err(rejection)?;
                Ok(($($part,)* $last,))
            }
        }

        #[expect(non_snake_case, reason = "the arguments are named after their types")]
        #[allow(unused_mut, reason = "a single argument takes no parts")]
        impl<S, $($via, $part,)* $last_via, $last> AsyncArguments<S, ($($via,)* $last_via,)>
            for ($($part,)* $last,)
        where
            S: Sync,
            $($part: AsyncFromRequestParts<S, $via> + Send,)*
            $last: AsyncFromRequest<S, $last_via>,
        {
            async fn extract_async(request: Request, state: &S, _: Sealed) -> Result<Self, Box<Reply>> {
                let (mut parts, payload) = request.into_parts();
                $(
                    let $part = $part::from_request_parts_async(&mut parts, state)
                        .await
                        .map_err(rejection)?;
                )*
                let $last = $last::from_request_async(Request::from_parts(parts, payload), state)
                    .await
                    .map_err(rejection)?;
                Ok(($($part,)* $last,))
            }
        }
    };
    (@parts $request:ident $state:ident) => {};
    (@parts $request:ident $state:ident $($part:ident)+) => {
        let (mut parts, payload) = $request.into_parts();
        $(
            let $part = $part::from_request_parts(&mut parts, $state)
                .map_err(rejection)?;
        )+
        let $request = Request::from_parts(parts, payload);
    };
}

for_each_arity!(arguments);
