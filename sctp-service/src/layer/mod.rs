//! Middleware for SCTP services.
//!
//! The layers of tower work unchanged: a [`Request`](crate::Request) goes in, a
//! [`Reply`](crate::Reply) comes out. The layers here depend on SCTP.
//!
//! | layer | effect on the association |
//! |---|---|
//! | [`AbortOnErrorLayer`] | an error aborts it, with a reason that gives nothing away |
//! | [`CatchPanicLayer`] | a panic becomes a reply of your choice, an abort at first |
//! | [`from_fn`] | the async function that it is made of decides |
//! | [`map_request`], [`map_reply`] | an async function changes each request or reply |
//! | [`MessageLimitLayer`] | it is drained after a number of requests |
//! | [`MetricsLayer`] | nothing; requests and replies are counted and measured |
//! | [`PeerRateLimitLayer`] | a peer that sends too fast is slowed down, or aborted |
//! | [`TraceLayer`] | nothing; each request has a span |
//!
//! The usual order, outermost first: trace, metrics, abort on error, the rate limit of peers, then
//! layers that can fail.
//!
//! ```
//! use std::time::Duration;
//!
//! use sctp_service::{
//!     handler::handler_fn,
//!     layer::{AbortOnErrorLayer, TraceLayer},
//! };
//! use tower::ServiceBuilder;
//!
//! let service = ServiceBuilder::new()
//!     .layer(TraceLayer::new())
//!     .layer(AbortOnErrorLayer::new())
//!     .load_shed()
//!     .concurrency_limit(1000)
//!     .timeout(Duration::from_secs(2))
//!     .service(handler_fn(async || "hello"));
//! # let _ = service;
//! ```
//!
//! Beware of `load_shed` over `concurrency_limit` other than here, inside an [`AbortOnErrorLayer`]:
//! an association that is shed keeps its place in the limit's queue. One that is aborted gives it
//! up. One that is *answered* "busy", by a layer of your own in between, is given the next permit
//! that is free, and holds it from all others until its next request;
//! [errors](crate::guide::errors) shows how to answer all the same.
//!
//! An idle timeout is not a layer, since a layer that is not called cannot act: see
//! [`Config::idle_timeout`](crate::Config::idle_timeout).

mod abort_on_error;
mod catch_panic;
mod from_fn;
mod map_reply;
mod map_request;
mod message_limit;
mod metrics;
mod peer_rate_limit;
mod trace;

pub use abort_on_error::{AbortOnError, AbortOnErrorFuture, AbortOnErrorLayer};
pub use catch_panic::{CatchPanic, CatchPanicFuture, CatchPanicLayer};
pub use from_fn::{
    FromFn, FromFnLayer, Middleware, MiddlewareArguments, Next, from_fn, from_fn_with_state,
};
pub use map_reply::{MapReply, MapReplyFuture, MapReplyLayer, map_reply};
pub use map_request::{
    IntoMappedRequest, MapRequest, MapRequestFuture, MapRequestLayer, RequestMapper, map_request,
    map_request_with_state,
};
pub use message_limit::{MessageLimit, MessageLimitLayer};
pub use metrics::{AssociationMetrics, Metrics, MetricsFuture, MetricsLayer};
pub(crate) use metrics::{end_label, path_label};
pub use peer_rate_limit::{PeerRateLimit, PeerRateLimitFuture, PeerRateLimitLayer};
pub use trace::{Trace, TraceFuture, TraceLayer};
