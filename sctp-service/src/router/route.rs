//! Routes, independent of their destination.

use std::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use tower_service::Service;

use crate::{
    IntoReply, Reply, Request,
    handler::{BoxReply, Handler, ReplyFuture},
    ready::poll_ready,
    sealed::Sealed,
};

/// Route of a [`Router`](crate::Router), as the layers around it see it: a service that is always
/// ready.
#[derive(Clone)]
pub struct Route(Arc<dyn Answer>);

/// Replies to requests, as a trait object.
trait Answer: Send + Sync {
    fn answer(&self, request: Request) -> BoxReply;
}

impl Route {
    pub(super) fn from_handler<H, T, S>(handler: H, state: S) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        let handler = handler.detach(Sealed(()));
        Self::from_fn(move |request| -> BoxReply {
            Box::pin(handler.clone().call(request, state.clone()))
        })
    }

    pub(super) fn from_service<Svc>(service: Svc) -> Self
    where
        Svc: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        Svc::Response: IntoReply,
        Svc::Future: Send,
    {
        Self::from_fn(move |request| -> BoxReply {
            let mut service = service.clone();
            Box::pin(async move {
                let Ok(()) = poll_fn(|cx| poll_ready(&mut service, cx)).await;
                let Ok(reply) = service.call(request).await;
                reply.into_reply()
            })
        })
    }

    pub(super) fn from_fn(answer: impl Fn(Request) -> BoxReply + Send + Sync + 'static) -> Self {
        Self(Arc::new(AnswerWith(answer)))
    }

    pub(super) fn answer(&self, request: Request) -> BoxReply {
        self.0.answer(request)
    }
}

/// Closure that replies. `Fn` itself would do, but its trait object reads worse.
struct AnswerWith<F>(F);

impl<F: Fn(Request) -> BoxReply + Send + Sync> Answer for AnswerWith<F> {
    fn answer(&self, request: Request) -> BoxReply {
        (self.0)(request)
    }
}

impl Service<Request> for Route {
    type Response = Reply;
    type Error = Infallible;
    type Future = ReplyFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> ReplyFuture {
        ReplyFuture::new(self.answer(request))
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").finish_non_exhaustive()
    }
}
