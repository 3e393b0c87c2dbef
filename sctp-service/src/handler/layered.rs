//! Handlers with middleware of their own.

use std::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    marker::PhantomData,
    sync::{Arc, OnceLock},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{BoxReply, Handler, HandlerService};
use crate::{IntoReply, Request, ready::poll_ready, sealed::Sealed};

/// Handler with a layer around it, created by [`Handler::layer`].
pub struct Layered<L, H, T, S>
where
    H: Handler<T, S>,
    L: Layer<HandlerService<H, S, H::Future>>,
{
    layer: L,
    handler: H,
    /// The layer's service, made at the first request and shared by all clones: a layer is applied
    /// once, so that its limits hold for all requests of the handler. A handler that is given a state
    /// is [detached](Handler::detach) first, so there is one state for each service.
    service: Arc<OnceLock<L::Service>>,
    arguments: PhantomData<fn(T, S)>,
}

/// Marks a [`Handler`] that has a layer around it.
#[derive(Debug)]
pub struct ViaLayer<T>(PhantomData<T>);

impl<L, H, T, S> Layered<L, H, T, S>
where
    H: Handler<T, S>,
    L: Layer<HandlerService<H, S, H::Future>>,
{
    pub(super) fn new(layer: L, handler: H) -> Self {
        Self {
            layer,
            handler,
            service: Arc::default(),
            arguments: PhantomData,
        }
    }
}

impl<L, H, T, S> Handler<ViaLayer<T>, S> for Layered<L, H, T, S>
where
    L: Layer<HandlerService<H, S, H::Future>> + Clone + Send + Sync + 'static,
    L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoReply,
    <L::Service as Service<Request>>::Future: Send,
    H: Handler<T, S>,
    T: 'static,
    S: Send + Sync + 'static,
{
    type Future = BoxReply;

    fn call(self, request: Request, state: S) -> BoxReply {
        let make = || {
            self.layer
                .layer(HandlerService::new(self.handler.clone(), state))
        };
        let mut service = self.service.get_or_init(make).clone();
        Box::pin(async move {
            let Ok(()) = poll_fn(|cx| poll_ready(&mut service, cx)).await;
            let Ok(reply) = service.call(request).await;
            reply.into_reply()
        })
    }

    fn detach(self, _: Sealed) -> Self {
        Self::new(self.layer, self.handler)
    }
}

impl<L, H, T, S> Clone for Layered<L, H, T, S>
where
    L: Layer<HandlerService<H, S, H::Future>> + Clone,
    H: Handler<T, S>,
{
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            handler: self.handler.clone(),
            service: Arc::clone(&self.service),
            arguments: PhantomData,
        }
    }
}

impl<L, H, T, S> fmt::Debug for Layered<L, H, T, S>
where
    L: Layer<HandlerService<H, S, H::Future>>,
    H: Handler<T, S>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered")
            .field("handler", &std::any::type_name::<H>())
            .finish_non_exhaustive()
    }
}
