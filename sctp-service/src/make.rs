//! Make-services.

use std::{
    convert::Infallible,
    future::{Future, Ready, poll_fn, ready},
    pin::Pin,
};

use tower_service::Service;

use crate::{IncomingAssociation, IntoReply, Request, Shutdown, ready::poll_ready, sealed::Sealed};

/// A service, make-service or handler that [`serve`](crate::serve()) accepts.
///
/// Implemented only for:
///
/// - **a service**: any `Service<Request>` that is `Clone`, whose response is [`IntoReply`], and
///   that has `Error = Infallible`; each association gets a clone;
/// - **a make-service**: any `Service<IncomingAssociation>` whose response is such a service, to
///   give each peer its own state. An error refuses the peer; it is anything that is
///   `Into<Shutdown>`, such as an [`AbortReason`](crate::AbortReason). The make-service runs in the
///   association's task, so a slow one does not delay other peers;
/// - **a handler**: an async function, see [`Handler`](crate::handler::Handler).
///
/// A make-service may exchange messages with the peer before it returns the service: see
/// [`IncomingAssociation`].
///
/// A restarted peer is given a new service: the make-service is called again, and may refuse the
/// peer. SCTP keeps the association, but the peer has lost its state, and earlier agreements such as
/// a login must not apply to it.
///
/// `Kind` distinguishes these implementations, and is always inferred. The trait cannot be
/// implemented outside of this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot serve associations",
    label = "neither a service, nor a make-service, nor a handler",
    note = "a service is `Service<Request, Error = Infallible> + Clone`, and its response is `IntoReply`",
    note = "a service with another error type becomes one with `AbortOnErrorLayer` as its outermost layer",
    note = "if it should be a handler, `handler_fn(handler)` says which argument is no extractor, or what else is wrong",
    note = "a handler that takes `State`, and a `Router` with state, become one with `.with_state(..)`",
    note = "a make-service is `Service<IncomingAssociation>`, and answers `Result<service, impl Into<Shutdown>>`: a service, such as `handler_fn(handler)`, and no bare handler",
    note = "to put layers around a handler, make it a service first: `.service(handler_fn(handler))`"
)]
pub trait MakeService<Kind>: Clone + Send + 'static {
    /// The service of one association.
    type Service: Service<Request, Response: IntoReply, Error = Infallible, Future: Send + 'static>
        + Send
        + 'static;
    /// Future of the service.
    type Future: Future<Output = Result<Self::Service, Shutdown>> + Send + 'static;

    /// Makes the service of one association, or refuses the peer.
    #[doc(hidden)]
    fn make_service(self, incoming: IncomingAssociation, _: Sealed) -> Self::Future;
}

/// Marks a [`MakeService`] that is a service itself.
#[derive(Debug)]
pub enum ViaService {}

/// Marks a [`MakeService`] that makes services.
#[derive(Debug)]
pub enum ViaMakeService {}

impl<S> MakeService<ViaService> for S
where
    S: Service<Request, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoReply,
    S::Future: Send + 'static,
{
    type Service = S;
    type Future = Ready<Result<S, Shutdown>>;

    fn make_service(self, _: IncomingAssociation, _: Sealed) -> Self::Future {
        ready(Ok(self))
    }
}

impl<M, S> MakeService<ViaMakeService> for M
where
    M: Service<IncomingAssociation, Response = S> + Clone + Send + 'static,
    M::Error: Into<Shutdown>,
    M::Future: Send,
    S: Service<Request, Error = Infallible> + Send + 'static,
    S::Response: IntoReply,
    S::Future: Send + 'static,
{
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = Result<S, Shutdown>> + Send>>;

    fn make_service(mut self, incoming: IncomingAssociation, _: Sealed) -> Self::Future {
        Box::pin(async move {
            poll_fn(|cx| poll_ready(&mut self, cx))
                .await
                .map_err(Into::into)?;
            self.call(incoming).await.map_err(Into::into)
        })
    }
}
