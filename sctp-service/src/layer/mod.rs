//! Middleware for SCTP services.
//!
//! The layers of tower work unchanged with [`Request`](crate::Request) and [`Reply`](crate::Reply).
//! The layers of this module are specific to SCTP.
//!
//! | layer | effect on the association |
//! |---|---|
//! | [`AbortOnErrorLayer`] | an error aborts it, with a reason that discloses no details |
//! | [`CatchPanicLayer`] | a panic becomes a reply of your choice, by default an abort |
//! | [`from_fn`] | decided by the async function |
//! | [`map_request`], [`map_reply`] | an async function changes each request or reply |
//! | [`MessageLimitLayer`] | it is drained after a number of requests |
//! | [`MetricsLayer`] | nothing; requests and replies are counted and measured |
//! | [`PeerRateLimitLayer`] | a peer that sends too fast is slowed down, or aborted |
//! | [`TraceLayer`] | nothing; each request has a span |
//!
//! The recommended order, outermost first: trace, metrics, abort on error, the rate limit of peers,
//! then layers that can fail.
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
//! Use `load_shed` over `concurrency_limit` only inside an [`AbortOnErrorLayer`], as above. An
//! association whose request was shed keeps its place in the queue of the limit. If it is aborted,
//! the place is released. If a layer in between replies "busy" instead, the association receives
//! the next free permit, and keeps it from all others until its next request. The guide to
//! [errors](crate::guide::errors) shows how to reply without this problem.
//!
//! An idle timeout is not a layer, since a layer acts only when it is called: see
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
pub use metrics::{AssociationMetrics, Metrics, MetricsFuture, MetricsLayer, TransportMetrics};
pub(crate) use metrics::{end_label, path_label};
pub use peer_rate_limit::{PeerRateLimit, PeerRateLimitFuture, PeerRateLimitLayer};
pub use trace::{Trace, TraceFuture, TraceLayer};
