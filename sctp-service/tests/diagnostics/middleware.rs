//! Middleware without the rest of the stack.
//!
//! says: `(sctp_service::Request,)` are not the arguments of a middleware function
//! says: the last two arguments are the `Request` and `Next`
use sctp_service::{Ppid, Request, Router, layer::from_fn};

async fn middleware(_: Request) {}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, async || ()).layer(from_fn(middleware))
}
