//! Middleware that changes requests with an async function.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    marker::PhantomData,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    IntoReply, Reply, Request,
    handler::{Arguments, Function, rejection},
    sealed::Sealed,
};

/// Creates a layer from an async function that changes each request, or replies to it.
///
/// The arguments are [extractors](crate::extract), as those of a handler; the last is usually the
/// [`Request`]. The result is the request for the inner service, or a `Result` whose error is sent
/// as the reply without calling the inner service. For a synchronous function use tower's
/// `map_request`.
///
/// ```
/// use sctp_service::{
///     ConnectInfo, Request, Shutdown,
///     handler::handler_fn,
///     layer::map_request,
/// };
/// use tower::ServiceBuilder;
///
/// /// Name of the peer, for handlers behind the layer.
/// #[derive(Clone)]
/// struct Name(String);
///
/// async fn look_up(peer: ConnectInfo, mut request: Request) -> Result<Request, Shutdown> {
///     let name = find(&peer).await.ok_or(Shutdown::abort("unknown peer"))?;
///     request.extensions_mut().insert(Name(name));
///     Ok(request)
/// }
///
/// let service = ServiceBuilder::new()
///     .layer(map_request(look_up))
///     .service(handler_fn(async || "hello"));
/// # async fn find(_: &ConnectInfo) -> Option<String> { None }
/// # let _ = service;
/// ```
///
/// Each request costs a clone of the inner service.
pub fn map_request<F, T>(function: F) -> MapRequestLayer<F, (), T>
where
    F: RequestMapper<T, ()>,
{
    map_request_with_state((), function)
}

/// Creates a layer from an async function that changes requests and takes [`State`](crate::State).
///
/// Otherwise like [`map_request`].
pub fn map_request_with_state<F, S, T>(state: S, function: F) -> MapRequestLayer<F, S, T>
where
    F: RequestMapper<T, S>,
{
    MapRequestLayer {
        function,
        state,
        arguments: PhantomData,
    }
}

/// Async function that changes requests; see [`map_request`].
///
/// Implemented for functions with the arguments of a handler. `T` stands for the arguments, and is
/// always inferred. The trait cannot be implemented outside of this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not map requests",
    label = "not a function that maps requests",
    note = "it is an async function whose arguments are extractors, and whose result is `Request` or `Result<Request, impl IntoReply>`"
)]
pub trait RequestMapper<T, S>: Clone {
    /// Future of the changed request.
    type Future: Future<Output: IntoMappedRequest>;

    /// Calls the function, or returns the rejection of an argument.
    #[doc(hidden)]
    fn map(self, request: Request, state: &S, _: Sealed) -> Result<Self::Future, Box<Reply>>;
}

impl<F, Args, S, Via> RequestMapper<(Via, Args), S> for F
where
    F: Function<Args> + Clone,
    F::Output: Future<Output: IntoMappedRequest>,
    Args: Arguments<S, Via>,
{
    type Future = F::Output;

    fn map(self, request: Request, state: &S, _: Sealed) -> Result<Self::Future, Box<Reply>> {
        let args = Args::extract(request, state, Sealed(()))?;
        Ok(self.call_with(args, Sealed(())))
    }
}

/// Result of a function that changes requests: a [`Request`], or a `Result` of it and a reply.
///
/// The trait cannot be implemented outside of this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a changed request",
    label = "neither a `Request` nor a `Result` of it",
    note = "return `Request` or `Result<Request, impl IntoReply>`"
)]
pub trait IntoMappedRequest {
    /// Returns the request for the inner service, or the reply to it.
    #[doc(hidden)]
    fn into_mapped(self, _: Sealed) -> Result<Request, Box<Reply>>;
}

impl IntoMappedRequest for Request {
    fn into_mapped(self, _: Sealed) -> Result<Request, Box<Reply>> {
        Ok(self)
    }
}

impl<E: IntoReply> IntoMappedRequest for Result<Request, E> {
    fn into_mapped(self, _: Sealed) -> Result<Request, Box<Reply>> {
        self.map_err(rejection)
    }
}

/// Layer created by [`map_request`].
pub struct MapRequestLayer<F, S, T> {
    function: F,
    state: S,
    arguments: PhantomData<fn(T)>,
}

impl<F: Clone, Svc, S: Clone, T> Layer<Svc> for MapRequestLayer<F, S, T> {
    type Service = MapRequest<F, Svc, S, T>;

    fn layer(&self, inner: Svc) -> Self::Service {
        MapRequest {
            inner,
            layer: self.clone(),
        }
    }
}

impl<F: Clone, S: Clone, T> Clone for MapRequestLayer<F, S, T> {
    fn clone(&self) -> Self {
        Self {
            function: self.function.clone(),
            state: self.state.clone(),
            arguments: PhantomData,
        }
    }
}

impl<F, S, T> fmt::Debug for MapRequestLayer<F, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapRequestLayer")
            .field("function", &std::any::type_name::<F>())
            .finish_non_exhaustive()
    }
}

/// Changes the requests of a service by an async function; see [`map_request`].
pub struct MapRequest<F, Svc, S, T> {
    inner: Svc,
    layer: MapRequestLayer<F, S, T>,
}

impl<F, Svc, S, T> Service<Request> for MapRequest<F, Svc, S, T>
where
    F: RequestMapper<T, S>,
    Svc: Service<Request, Response: IntoReply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = MapRequestFuture<F::Future, Svc, Svc::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let function = self.layer.function.clone();
        let state = match function.map(request, &self.layer.state, Sealed(())) {
            Ok(mapped) => {
                // The call uses the service that was polled ready, with its reservations.
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                State::Mapping { mapped, inner }
            }
            Err(rejection) => State::Replied {
                reply: Some(rejection),
            },
        };
        MapRequestFuture { state }
    }
}

impl<F: Clone, Svc: Clone, S: Clone, T> Clone for MapRequest<F, Svc, S, T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<F, Svc: fmt::Debug, S, T> fmt::Debug for MapRequest<F, Svc, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapRequest")
            .field("function", &std::any::type_name::<F>())
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Future of [`MapRequest`].
    #[must_use = "futures do nothing unless polled"]
    pub struct MapRequestFuture<Fut, Svc, C> {
        #[pin]
        state: State<Fut, Svc, C>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<Fut, Svc, C> {
        Mapping {
            #[pin]
            mapped: Fut,
            inner: Svc,
        },
        Calling {
            #[pin]
            call: C,
        },
        Replied { reply: Option<Box<Reply>> },
    }
}

impl<Fut, Svc> Future for MapRequestFuture<Fut, Svc, Svc::Future>
where
    Fut: Future<Output: IntoMappedRequest>,
    Svc: Service<Request, Response: IntoReply, Error = Infallible>,
{
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Mapping { mapped, inner } => {
                    let next = match ready!(mapped.poll(cx)).into_mapped(Sealed(())) {
                        Ok(request) => State::Calling {
                            call: inner.call(request),
                        },
                        Err(reply) => State::Replied { reply: Some(reply) },
                    };
                    state.set(next);
                }
                StateProjection::Calling { call } => {
                    let Ok(reply) = ready!(call.poll(cx));
                    return Poll::Ready(Ok(reply.into_reply()));
                }
                StateProjection::Replied { reply } => {
                    return match reply.take() {
                        Some(reply) => Poll::Ready(Ok(*reply)),
                        None => Poll::Pending,
                    };
                }
            }
        }
    }
}

impl<Fut, Svc, C> fmt::Debug for MapRequestFuture<Fut, Svc, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapRequestFuture").finish_non_exhaustive()
    }
}
