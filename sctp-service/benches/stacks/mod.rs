//! The services that are measured.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};

use sctp_service::{
    MakeService, Payload, Request,
    handler::handler_fn,
    layer::{AbortOnErrorLayer, TraceLayer},
};
use tower::{Service, ServiceBuilder};

/// A handler: what most servers are made of.
pub(crate) async fn echo(payload: Payload) -> Payload {
    payload
}

/// A service whose future is its answer: nothing of a user's is cheaper.
#[derive(Clone, Debug)]
pub(crate) struct Inline;

impl Service<Request> for Inline {
    type Response = Payload;
    type Error = Infallible;
    type Future = Ready<Result<Payload, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        ready(Ok(Payload(request.into_payload())))
    }
}

/// The handler under five layers: two of ours, three of tower's.
pub(crate) fn layered() -> impl MakeService<sctp_service::ViaService> {
    ServiceBuilder::new()
        .layer(TraceLayer::new())
        .layer(AbortOnErrorLayer::new())
        .load_shed()
        .concurrency_limit(10_000)
        .timeout(Duration::from_secs(10))
        .service(handler_fn(echo))
}
