//! An argument too many.
//!
//! says: is not a handler
//! says: a handler is an async function of up to 16 arguments
use sctp_service::{Ppid, Router, StreamId as Id};

#[rustfmt::skip]
async fn handler(
    _: Id, _: Id, _: Id, _: Id, _: Id, _: Id, _: Id, _: Id,
    _: Id, _: Id, _: Id, _: Id, _: Id, _: Id, _: Id, _: Id,
    _: Id,
) {}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler)
}
