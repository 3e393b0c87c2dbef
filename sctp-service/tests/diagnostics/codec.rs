//! A codec that does not know the message.
//!
//! says: Typed<Order, Codec>` cannot be the last argument of a handler
//! says: a `Typed` can if its codec implements `DecodePayload` for its message
use sctp_service::{Ppid, Router, Typed};

pub struct Order;
pub struct Codec;

async fn handler(_: Typed<Order, Codec>) {}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler)
}
