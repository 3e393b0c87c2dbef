//! The payload, and an argument behind it.
//!
//! says: Payload` cannot be an argument of a handler, or not in this place
//! says: only the last argument can take the payload
use sctp_service::{Payload, Ppid, Router, StreamId};

async fn handler(_: Payload, _: StreamId) {}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler)
}
