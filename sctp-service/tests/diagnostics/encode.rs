//! A reply whose codec does not encode it.
//!
//! says: the codec `Codec` cannot encode `Order`
//! says: implement `EncodePayload<Order>` for `Codec`
use sctp_service::{Ppid, Router, Typed};

pub struct Order;
pub struct Codec;

async fn handler() -> Typed<Order, Codec> {
    Typed::new(Order)
}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler)
}
