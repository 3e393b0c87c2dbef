//! An argument that is no extractor.
//!
//! says: `Order` cannot be an argument of a handler, or not in this place
//! says: implement `FromRequestParts` for a type of your own, or `FromRequest` if it takes the payload
use sctp_service::{Ppid, Router, StreamId};

pub struct Order;

async fn handler(_: StreamId, _: Order) {}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler)
}
