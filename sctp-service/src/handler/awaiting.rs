//! Handlers with asynchronous extractors.

use std::{fmt, future::Future};

use super::{AsyncArguments, BoxReply, Function, Handler};
use crate::{IntoReply, Request, extract::ViaAsync, sealed::Sealed};

/// Handler with asynchronous extractors, created by [`awaiting`].
#[derive(Clone, Copy)]
pub struct Awaiting<F>(F);

/// Creates a handler from an async function with asynchronous extractors.
///
/// Each argument is an [`AsyncFromRequestParts`](crate::extract::AsyncFromRequestParts), the last
/// one an [`AsyncFromRequest`](crate::extract::AsyncFromRequest); every other extractor implements
/// these as well. The future is boxed, and includes the extraction: a request whose extraction
/// waits is in flight, counts towards [`max_in_flight`](crate::Config::max_in_flight), and delays
/// the next request of its stream.
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
