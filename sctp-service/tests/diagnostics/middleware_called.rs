//! Middleware that is called, and not handed over.
//!
//! says: is not a middleware function
//! says: whose last two arguments are the `Request` and `Next`
use sctp_service::{Ppid, Request, Router, layer::{Next, from_fn}};

async fn middleware(_: Request, _: Next) {}

pub fn router(request: Request, next: Next) -> Router {
    Router::new().route(Ppid::NGAP, async || ()).layer(from_fn(middleware(request, next)))
}
