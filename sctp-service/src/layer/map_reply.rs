//! Middleware that changes replies with an async function.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{IntoReply, Reply, Request};

/// Creates a layer from an async function that changes each reply.
///
/// The function receives the replies of the inner service, including aborts. For a synchronous
/// function use tower's `map_response`. To access the request as well, use
/// [`from_fn`](super::from_fn).
///
/// ```
/// use sctp_service::{Ppid, Reply, handler::handler_fn, layer::map_reply};
/// use tower::ServiceBuilder;
///
/// let service = ServiceBuilder::new()
///     .layer(map_reply(async |reply: Reply| (Ppid::DIAMETER, reply)))
///     .service(handler_fn(async || "hello"));
/// # let _ = service;
/// ```
pub fn map_reply<F, Fut>(function: F) -> MapReplyLayer<F>
where
    F: Fn(Reply) -> Fut + Clone,
    Fut: Future<Output: IntoReply>,
{
    MapReplyLayer { function }
}

/// Layer created by [`map_reply`].
#[derive(Clone, Copy)]
pub struct MapReplyLayer<F> {
    function: F,
}

impl<F: Clone, Svc> Layer<Svc> for MapReplyLayer<F> {
    type Service = MapReply<F, Svc>;

    fn layer(&self, inner: Svc) -> Self::Service {
        MapReply {
            inner,
            function: self.function.clone(),
        }
    }
}

impl<F> fmt::Debug for MapReplyLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapReplyLayer")
            .field("function", &std::any::type_name::<F>())
            .finish()
    }
}

/// Changes the replies of a service with an async function; see [`map_reply`].
#[derive(Clone)]
pub struct MapReply<F, Svc> {
    inner: Svc,
    function: F,
}

impl<F, Fut, Svc> Service<Request> for MapReply<F, Svc>
where
    F: Fn(Reply) -> Fut + Clone,
    Fut: Future<Output: IntoReply>,
    Svc: Service<Request, Response: IntoReply, Error = Infallible>,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = MapReplyFuture<F, Svc::Future, Fut>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        MapReplyFuture {
            state: State::Calling {
                call: self.inner.call(request),
                function: self.function.clone(),
            },
        }
    }
}

impl<F, Svc: fmt::Debug> fmt::Debug for MapReply<F, Svc> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapReply")
            .field("function", &std::any::type_name::<F>())
            .field("inner", &self.inner)
            .finish()
    }
}

pin_project! {
    /// Future of [`MapReply`].
    #[must_use = "futures do nothing unless polled"]
    pub struct MapReplyFuture<F, C, Fut> {
        #[pin]
        state: State<F, C, Fut>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, C, Fut> {
        Calling {
            #[pin]
            call: C,
            function: F,
        },
        Mapping {
            #[pin]
            mapped: Fut,
        },
    }
}

impl<F, C, R, Fut> Future for MapReplyFuture<F, C, Fut>
where
    F: Fn(Reply) -> Fut,
    C: Future<Output = Result<R, Infallible>>,
    R: IntoReply,
    Fut: Future<Output: IntoReply>,
{
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Calling { call, function } => {
                    let Ok(reply) = ready!(call.poll(cx));
                    let mapped = function(reply.into_reply());
                    state.set(State::Mapping { mapped });
                }
                StateProjection::Mapping { mapped } => {
                    return mapped.poll(cx).map(|reply| Ok(reply.into_reply()));
                }
            }
        }
    }
}

impl<F, C, Fut> fmt::Debug for MapReplyFuture<F, C, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapReplyFuture").finish_non_exhaustive()
    }
}
