//! Functions of up to eight arguments, and their arguments as one.

use std::future::Future;

use super::{BoxReply, Handler};
use crate::{
    IntoReply, Reply, Request,
    extract::{FromRequest, FromRequestParts},
};

/// A function or closure of up to eight arguments, which `Args` has as a tuple. What a
/// [`Handler`] is a case of; there is nothing to implement.
pub trait Function<Args> {
    /// What it returns; a handler's is a future.
    type Output;

    /// Calls it.
    fn call_with(self, args: Args) -> Self::Output;
}

/// The arguments of a [`Handler`], as a tuple: the last is made of the request, or of its parts
/// as the others are. There is nothing to implement.
///
/// `Via` says of what the last one is made, and is always inferred.
pub trait Arguments<S, Via>: Sized {
    /// Makes them, from the first to the last, and calls the handler with them. The rejection of
    /// the first that cannot be made is the reply.
    fn answer<F>(handler: F, request: Request, state: S) -> impl Future<Output = Reply> + Send
    where
        F: Function<Self, Output: Future<Output: IntoReply> + Send> + Send;
}

// One implementation and no more, whatever the number of arguments: with only one that comes into
// question, the compiler goes on to say which of its conditions is not met. With several it says
// that there is none.
impl<F, Args, S, Via> Handler<(Via, Args), S> for F
where
    F: Function<Args> + Clone + Send + Sync + 'static,
    F::Output: Future<Output: IntoReply> + Send,
    Args: Arguments<S, Via>,
    S: Send + Sync + 'static,
    (Via, Args): 'static,
{
    fn call(self, request: Request, state: S) -> BoxReply {
        Box::pin(Args::answer(self, request, state))
    }
}

impl<F, Output> Function<()> for F
where
    F: FnOnce() -> Output,
{
    type Output = Output;

    fn call_with(self, (): ()) -> Output {
        self()
    }
}

impl<S: Send> Arguments<S, ()> for () {
    async fn answer<F>(handler: F, _: Request, _: S) -> Reply
    where
        F: Function<Self, Output: Future<Output: IntoReply> + Send> + Send,
    {
        handler.call_with(()).await.into_reply()
    }
}

macro_rules! arguments {
    ($($part:ident)*; $last:ident) => {
        #[expect(non_snake_case, reason = "the arguments are named after their types")]
        impl<F, Output, $($part,)* $last> Function<($($part,)* $last,)> for F
        where
            F: FnOnce($($part,)* $last) -> Output,
        {
            type Output = Output;

            fn call_with(self, ($($part,)* $last,): ($($part,)* $last,)) -> Output {
                self($($part,)* $last)
            }
        }

        #[expect(non_snake_case, reason = "the arguments are named after their types")]
        impl<S, Via, $($part,)* $last> Arguments<S, Via> for ($($part,)* $last,)
        where
            S: Send + Sync,
            $($part: FromRequestParts<S> + Send,)*
            $last: FromRequest<S, Via>,
        {
            async fn answer<F>(handler: F, request: Request, state: S) -> Reply
            where
                F: Function<Self, Output: Future<Output: IntoReply> + Send> + Send,
            {
                arguments!(@parts request state $($part)*);
                let $last = match $last::from_request(request, &state).await {
                    Ok(value) => value,
                    Err(rejection) => return rejection.into_reply(),
                };
                handler.call_with(($($part,)* $last,)).await.into_reply()
            }
        }
    };
    (@parts $request:ident $state:ident) => {};
    (@parts $request:ident $state:ident $($part:ident)+) => {
        let (mut parts, payload) = $request.into_parts();
        $(
            let $part = match $part::from_request_parts(&mut parts, &$state).await {
                Ok(value) => value,
                Err(rejection) => return rejection.into_reply(),
            };
        )+
        let $request = Request::from_parts(parts, payload);
    };
}

arguments!(; T1);
arguments!(T1; T2);
arguments!(T1 T2; T3);
arguments!(T1 T2 T3; T4);
arguments!(T1 T2 T3 T4; T5);
arguments!(T1 T2 T3 T4 T5; T6);
arguments!(T1 T2 T3 T4 T5 T6; T7);
arguments!(T1 T2 T3 T4 T5 T6 T7; T8);
