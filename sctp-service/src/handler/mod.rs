//! Async functions as services.
//!
//! A handler is an async function of up to eight arguments, each of which is made of the
//! request: see [`extract`](crate::extract). What it returns is anything that is
//! [`IntoReply`]. Handlers answer; they do not fail: an error is a reply too, and the type that
//! it has decides what the peer is told.
//!
//! A handler without state can be served as it is, and where the compiler will not have it, put it
//! into [`handler_fn`]: then it says which argument is no extractor, which result no reply, or what
//! in the future is not `Send`. [`handler_fn`] makes a tower service of it,
//! to put layers around; [`Handler::with_state`] gives it its state; and a
//! [`Router`](crate::Router) chooses among several.

mod service;
mod tuples;

use std::{future::Future, pin::Pin};

pub use service::{HandlerService, ReplyFuture};
pub use tuples::{Arguments, Function};

#[cfg(doc)]
use crate::IntoReply;
use crate::{IncomingAssociation, MakeService, Reply, Request, Shutdown};

/// What answers one request in the end.
pub(crate) type BoxReply = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// An async function that answers requests.
///
/// Implemented for functions of up to eight arguments: the last is
/// [`FromRequest`](crate::extract::FromRequest), the others are
/// [`FromRequestParts`](crate::extract::FromRequestParts), the result is
/// [`IntoReply`], and the future is `Send`. `T` stands for the arguments, and is always
/// inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler is an async function of up to eight arguments, handed over and not called: `handler`, not `handler()`",
    note = "its arguments are extractors, its result is `IntoReply`, and its future is `Send`",
    note = "to have a service on a route, use `route_service`"
)]
pub trait Handler<T, S>: Clone + Send + Sync + Sized + 'static {
    /// Answers one request.
    fn call(self, request: Request, state: S) -> Pin<Box<dyn Future<Output = Reply> + Send>>;

    /// Makes a service of it, with a state that its arguments can be made of.
    ///
    /// Where the compiler says no more than that "its trait bounds were not satisfied", write
    /// `Handler::with_state(handler, state)`: then it says which.
    fn with_state(self, state: S) -> HandlerService<Self, S> {
        HandlerService::new(self, state)
    }
}

/// Makes a service of a handler that needs no state.
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
pub fn handler_fn<H, T>(handler: H) -> HandlerService<H>
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
    type Service = HandlerService<H>;
    type Future = std::future::Ready<Result<Self::Service, Shutdown>>;

    fn make_service(self, _: IncomingAssociation) -> Self::Future {
        std::future::ready(Ok(handler_fn(self)))
    }
}
