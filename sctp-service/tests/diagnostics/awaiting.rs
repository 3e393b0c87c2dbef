//! An argument of an awaiting handler that is no extractor.
//!
//! says: is not a handler
//! says: each argument of an `awaiting` handler implements `FromRequestParts` or `AsyncFromRequestParts`
use sctp_service::{Ppid, Router, StreamId, handler::awaiting};

pub struct Order;

async fn handler(_: Order, _: StreamId) {}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, awaiting(handler))
}
