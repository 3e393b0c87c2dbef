//! Handlers whose arguments are waited for.

use std::{fmt, future::Future};

use super::{AsyncArguments, BoxReply, Function, Handler};
use crate::{IntoReply, Request, extract::ViaAsync, sealed::Sealed};

/// Handler with arguments whose extraction waits; made by [`awaiting`].
#[derive(Clone, Copy)]
pub struct Awaiting<F>(F);

/// Makes a handler of an async function with arguments whose extraction waits.
///
/// Each argument is an [`AsyncFromRequestParts`](crate::extract::AsyncFromRequestParts), the last
/// one an [`AsyncFromRequest`](crate::extract::AsyncFromRequest); every other extractor is one too.
/// The future is boxed, and extraction is a part of it: it takes one of the places that
/// [`max_in_flight`](crate::Config::max_in_flight) limits, and the next request of the stream waits.
///
/// ```
/// use sctp_service::{
///     ConnectInfo, Parts, Payload, Shutdown,
///     extract::AsyncFromRequestParts,
///     handler::{awaiting, handler_fn},
/// };
///
/// /// The subscriber at the peer's address, as the database has it.
/// struct Subscriber(u64);
///
/// impl<S: Sync> AsyncFromRequestParts<S> for Subscriber {
///     type Rejection = Shutdown;
///
///     async fn from_request_parts_async(parts: &mut Parts, _: &S) -> Result<Self, Shutdown> {
///         match find(&parts.connect_info).await {
///             Some(id) => Ok(Self(id)),
///             None => Err(Shutdown::abort("unknown subscriber")),
///         }
///     }
/// }
///
/// async fn call(Subscriber(id): Subscriber, Payload(number): Payload) -> String {
///     format!("{id} calls {} digits", number.len())
/// }
///
/// let service = handler_fn(awaiting(call));
/// # async fn find(_: &ConnectInfo) -> Option<u64> { Some(7) }
/// # let _ = service;
/// ```
pub fn awaiting<F>(handler: F) -> Awaiting<F> {
    Awaiting(handler)
}

impl<F, Args, S, Via> Handler<(ViaAsync, Via, Args), S> for Awaiting<F>
where
    F: Function<Args> + Clone + Send + Sync + 'static,
    F::Output: Future<Output: IntoReply> + Send + 'static,
    Args: AsyncArguments<S, Via> + Send,
    S: Send + Sync + 'static,
    (ViaAsync, Via, Args): 'static,
{
    type Future = BoxReply;

    fn call(self, request: Request, state: S) -> BoxReply {
        Box::pin(async move {
            match Args::extract_async(request, &state, Sealed(())).await {
                Ok(args) => self.0.call_with(args, Sealed(())).await.into_reply(),
                Err(rejection) => *rejection,
            }
        })
    }
}

impl<F> fmt::Debug for Awaiting<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Awaiting")
            .field(&std::any::type_name::<F>())
            .finish()
    }
}
