use std::{fmt, future::Future};

use tower_layer::Layer;

use super::{FromFn, Next};
use crate::{IntoReply, Request};

/// Makes a layer of an async function, which gets each request and the [`Next`] service. What
/// becomes of the association is the function's choice, as it is a handler's.
///
/// It passes the request on with [`Next::run`], changed or not, and replies with what comes back,
/// changed or not. Or it replies at once, and what is behind it never sees the request.
///
/// ```
/// use sctp_service::{
///     IntoReply, Reply, Request, Shutdown,
///     handler::handler_fn,
///     layer::{Next, from_fn},
/// };
/// use tower::ServiceBuilder;
///
/// /// Ends an association whose peer does not begin with the version that is spoken here.
/// async fn check_version(request: Request, next: Next) -> Reply {
///     let (parts, mut payload) = request.into_parts();
///     if payload.first() != Some(&1) {
///         return Shutdown::abort("unknown version").into_reply();
///     }
///     let rest = payload.split_off(1);
///     next.run(Request::from_parts(parts, rest)).await
/// }
///
/// let service = ServiceBuilder::new()
///     .layer(from_fn(check_version))
///     .service(handler_fn(async |text: String| text.to_uppercase()));
/// # use sctp_service::testing::request;
/// # use tower::ServiceExt;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let reply = service.clone().oneshot(request("\u{1}hello")).await.unwrap();
/// # assert_eq!(reply.messages().next().unwrap().payload, "HELLO");
/// # let reply = service.oneshot(request("hello")).await.unwrap();
/// # assert!(matches!(reply.shutdown(), Some(Shutdown::Abort(_))));
/// # });
/// ```
///
/// State that the function needs is captured by a closure: `from_fn(move |request, next|
/// audit(log.clone(), request, next))`.
///
/// Readiness is passed on: while the service behind it is not ready, the function is not called,
/// and the association is not read. What is behind it cannot fail; what can, such as tower's
/// timeout, goes inside an [`AbortOnErrorLayer`](crate::layer::AbortOnErrorLayer) of its own, whose
/// aborts the function sees as replies. Each request costs a clone of the service behind it and
/// two allocations; [a layer of your own](crate::guide::middleware) has neither.
pub fn from_fn<F, Fut>(function: F) -> FromFnLayer<F>
where
    F: Fn(Request, Next) -> Fut + Clone,
    Fut: Future<Output: IntoReply>,
{
    FromFnLayer { function }
}

/// The layer that [`from_fn`] makes.
#[derive(Clone, Copy)]
pub struct FromFnLayer<F> {
    function: F,
}

impl<F: Clone, S> Layer<S> for FromFnLayer<F> {
    type Service = FromFn<F, S>;

    fn layer(&self, inner: S) -> FromFn<F, S> {
        FromFn {
            inner,
            function: self.function.clone(),
        }
    }
}

impl<F> fmt::Debug for FromFnLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFnLayer")
            .field("function", &std::any::type_name::<F>())
            .finish_non_exhaustive()
    }
}
