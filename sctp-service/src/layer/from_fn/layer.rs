use std::{fmt, marker::PhantomData};

use tower_layer::Layer;

use super::{FromFn, Middleware};

/// Creates a layer from an async function.
///
/// The last two arguments of the function are the [`Request`](crate::Request) and the
/// [`Next`](super::Next) service. Arguments before these are [extractors](crate::extract) of parts,
/// as in a handler. A rejection is sent as the reply, and the inner service is not called.
///
/// The function passes the request on with [`Next::run`](super::Next::run), and returns the reply,
/// or changes either. Or it replies at once, and the inner service never sees the request. Like a
/// handler, it may close the association.
///
/// ```
/// use sctp_service::{
///     IntoReply, Reply, Request, Shutdown, StreamId,
///     handler::handler_fn,
///     layer::{Next, from_fn},
/// };
/// use tower::ServiceBuilder;
///
/// /// Aborts the association of a peer that speaks an unknown version.
/// async fn check_version(stream: StreamId, request: Request, next: Next) -> Reply {
///     let (parts, mut payload) = request.into_parts();
///     if payload.first() != Some(&1) {
///         return Shutdown::abort(format!("unknown version on stream {stream}")).into_reply();
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
/// Readiness is forwarded: while the inner service is not ready, the function is not called, and
/// the association is not read. The inner service must be infallible. Put an
/// [`AbortOnErrorLayer`](crate::layer::AbortOnErrorLayer) around a service that can fail, such as
/// tower's timeout; the function then receives its aborts as replies. Each request costs a clone of
/// the inner service and two allocations; [a custom layer](crate::guide::middleware) needs neither.
///
/// The types of a closure's arguments must be written out. To take [`State`](crate::State) as an
/// argument, use [`from_fn_with_state`].
pub fn from_fn<F, T>(function: F) -> FromFnLayer<F, (), T>
where
    F: Middleware<T, ()>,
{
    from_fn_with_state((), function)
}

/// Creates a layer from an async function that takes [`State`](crate::State).
///
/// Otherwise like [`from_fn`].
///
/// ```
/// use sctp_service::{
///     Ppid, Reply, Request, Router, State, StreamId,
///     layer::{Next, from_fn_with_state},
/// };
///
/// #[derive(Clone)]
/// struct App {
///     name: &'static str,
/// }
///
/// async fn log(State(app): State<App>, stream: StreamId, request: Request, next: Next) -> Reply {
///     println!("{}: {} bytes on stream {stream}", app.name, request.payload().len());
///     next.run(request).await
/// }
///
/// let app = App { name: "amf" };
/// let router: Router = Router::new()
///     .route(Ppid::NGAP, async |State(app): State<App>| app.name)
///     .layer(from_fn_with_state(app.clone(), log))
///     .with_state(app);
/// # let _ = router;
/// ```
pub fn from_fn_with_state<F, S, T>(state: S, function: F) -> FromFnLayer<F, S, T>
where
    F: Middleware<T, S>,
{
    FromFnLayer {
        function,
        state,
        arguments: PhantomData,
    }
}

/// Layer created by [`from_fn`].
pub struct FromFnLayer<F, S, T> {
    function: F,
    state: S,
    arguments: PhantomData<fn(T)>,
}

impl<F: Clone, Svc, S: Clone, T> Layer<Svc> for FromFnLayer<F, S, T> {
    type Service = FromFn<F, Svc, S, T>;

    fn layer(&self, inner: Svc) -> Self::Service {
        FromFn {
            inner,
            function: self.function.clone(),
            state: self.state.clone(),
            arguments: PhantomData,
        }
    }
}

impl<F: Clone, S: Clone, T> Clone for FromFnLayer<F, S, T> {
    fn clone(&self) -> Self {
        Self {
            function: self.function.clone(),
            state: self.state.clone(),
            arguments: PhantomData,
        }
    }
}

impl<F, S, T> fmt::Debug for FromFnLayer<F, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFnLayer")
            .field("function", &std::any::type_name::<F>())
            .finish_non_exhaustive()
    }
}
