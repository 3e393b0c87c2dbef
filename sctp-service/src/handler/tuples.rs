//! `Handler` for functions of up to eight arguments.

use std::future::Future;

use super::{BoxReply, Handler};
use crate::{
    IntoReply, Request,
    extract::{FromRequest, FromRequestParts},
};

impl<F, Fut, S> Handler<((),), S> for F
where
    F: FnOnce() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoReply> + Send,
{
    fn call(self, _: Request, _: S) -> BoxReply {
        Box::pin(async move { self().await.into_reply() })
    }
}

macro_rules! handler {
    ($($part:ident)*; $last:ident) => {
        #[expect(non_snake_case, reason = "the arguments are named after their types")]
        impl<F, Fut, S, Via, $($part,)* $last> Handler<(Via, $($part,)* $last,), S> for F
        where
            F: FnOnce($($part,)* $last) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output: IntoReply> + Send,
            S: Send + Sync + 'static,
            $($part: FromRequestParts<S> + Send,)*
            $last: FromRequest<S, Via> + Send,
        {
            fn call(self, request: Request, state: S) -> BoxReply {
                Box::pin(async move {
                    handler!(@parts request state $($part)*);
                    let $last = match $last::from_request(request, &state).await {
                        Ok(value) => value,
                        Err(rejection) => return rejection.into_reply(),
                    };
                    self($($part,)* $last).await.into_reply()
                })
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

handler!(; T1);
handler!(T1; T2);
handler!(T1 T2; T3);
handler!(T1 T2 T3; T4);
handler!(T1 T2 T3 T4; T5);
handler!(T1 T2 T3 T4 T5; T6);
handler!(T1 T2 T3 T4 T5 T6; T7);
handler!(T1 T2 T3 T4 T5 T6 T7; T8);
