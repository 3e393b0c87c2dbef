//! Async functions as services.
//!
//! A handler is an async function of up to 16 arguments, each of which is extracted from the
//! request: see [`extract`](crate::extract). Its result is anything that implements [`IntoReply`].
//! A handler does not fail: an error is a reply as well, and its type decides what the peer
//! receives.
//!
//! A handler without state can be passed to [`serve`](crate::serve()) directly. If the compiler
//! rejects a handler, wrap it in [`handler_fn`]: the error then names the argument that is not an
//! extractor, the result that is not a reply, or the value in the future that is not `Send`.
//! [`handler_fn`] also converts a handler into a tower service for layers. [`Handler::with_state`]
//! provides state, [`Handler::layer`] adds middleware to one handler, and a
//! [`Router`](crate::Router) chooses among several.

mod arguments;
mod awaiting;
mod future;
mod layered;
mod service;

use std::{future::Future, pin::Pin};

pub(crate) use arguments::rejection;
pub use arguments::{Arguments, AsyncArguments, Function};
pub use awaiting::{Awaiting, awaiting};
pub use future::{HandlerFuture, ReplyFuture};
pub use layered::{Layered, ViaLayer};
pub use service::HandlerService;
use tower_layer::Layer;

use crate::{
    IncomingAssociation, IntoReply, MakeService, Reply, Request, Shutdown, sealed::Sealed,
};

/// Boxed future of a reply.
pub(crate) type BoxReply = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Async function that replies to requests.
///
/// Implemented for functions of up to 16 arguments: the last is
/// [`FromRequest`](crate::extract::FromRequest), the others are
/// [`FromRequestParts`](crate::extract::FromRequestParts), the result is [`IntoReply`], and the
/// future is `Send`. `T` stands for the arguments, and is always inferred.
///
/// The future of a handler is that of the function, and needs no allocation. For asynchronous
/// extractors see [`awaiting`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler is an async function of up to 16 arguments, handed over and not called: `handler`, not `handler()`",
    note = "its arguments are extractors, its result is `IntoReply`, and its future is `Send`",
    note = "each argument of an `awaiting` handler implements `FromRequestParts` or `AsyncFromRequestParts`, and only the last can take the payload",
    note = "to have a service on a route, use `route_service`"
)]
pub trait Handler<T, S>: Clone + Send + Sync + Sized + 'static {
    /// Future of the reply.
    type Future: Future<Output = Reply> + Send + 'static;

    /// Replies to one request.
    fn call(self, request: Request, state: S) -> Self::Future;

    /// Converts the handler into a service with this state.
    ///
    /// If the compiler reports only that "its trait bounds were not satisfied", write
    /// `Handler::with_state(handler, state)`: the error then names the bound.
    fn with_state(self, state: S) -> HandlerService<Self, S, Self::Future> {
        HandlerService::new(self, state)
    }

    /// Puts a layer around this handler only.
    ///
    /// The layer wraps a service that is always ready. Waiting for a limit of the layer is part of
    /// the call, as with [`Router::layer`](crate::Router::layer). All associations share the limit.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use sctp_service::{Handler, Ppid, Router, layer::AbortOnErrorLayer};
    /// use tower::ServiceBuilder;
    ///
    /// async fn lookup(name: String) -> String {
    ///     name
    /// }
    ///
    /// let in_time = ServiceBuilder::new()
    ///     .layer(AbortOnErrorLayer::new())
    ///     .timeout(Duration::from_secs(1));
    /// let router: Router = Router::new()
    ///     .route(Ppid::DIAMETER, lookup.layer(in_time))
    ///     .fallback(async || "unknown protocol");
    /// # let _ = router;
    /// ```
    fn layer<L>(self, layer: L) -> Layered<L, Self, T, S>
    where
        L: Layer<HandlerService<Self, S, Self::Future>>,
    {
        Layered::new(layer, self)
    }

    /// Separates the handler from its other uses, before it is given a state for good.
    #[doc(hidden)]
    fn detach(self, _: Sealed) -> Self {
        self
    }
}

// One implementation and no more, whatever the number of arguments: with only one that comes into
// question, the compiler goes on to say which of its conditions is not met. With several it says
// that there is none.
impl<F, Args, S, Via> Handler<(Via, Args), S> for F
where
    F: Function<Args> + Clone + Send + Sync + 'static,
    F::Output: Future<Output: IntoReply> + Send + 'static,
    Args: Arguments<S, Via>,
    S: Send + Sync + 'static,
    (Via, Args): 'static,
{
    type Future = HandlerFuture<F::Output>;

    #[inline]
    fn call(self, request: Request, state: S) -> Self::Future {
        match Args::extract(request, &state, Sealed(())) {
            Ok(args) => HandlerFuture::running(self.call_with(args, Sealed(()))),
            Err(rejection) => HandlerFuture::rejected(rejection),
        }
    }
}

/// Converts a handler without state into a service.
///
/// ```
/// use std::time::Duration;
///
/// use sctp_service::{handler::handler_fn, layer::AbortOnErrorLayer};
/// use tower::ServiceBuilder;
///
/// let service = ServiceBuilder::new()
///     .layer(AbortOnErrorLayer::new())
///     .timeout(Duration::from_secs(1))
///     .service(handler_fn(async |text: String| text.to_uppercase()));
/// # let _ = service;
/// ```
pub fn handler_fn<H, T>(handler: H) -> HandlerService<H, (), H::Future>
where
    H: Handler<T, ()>,
{
    handler.with_state(())
}

/// Marks a [`MakeService`] that is a handler.
#[derive(Debug)]
pub struct ViaHandler<T>(std::marker::PhantomData<T>);

impl<H, T> MakeService<ViaHandler<T>> for H
where
    H: Handler<T, ()>,
    T: 'static,
{
    type Service = HandlerService<H, (), H::Future>;
    type Future = std::future::Ready<Result<Self::Service, Shutdown>>;

    fn make_service(self, _: IncomingAssociation, _: Sealed) -> Self::Future {
        // Each association gets a clone: what the handler limits, it limits for all of them.
        std::future::ready(Ok(HandlerService::sharing(self, ())))
    }
}
