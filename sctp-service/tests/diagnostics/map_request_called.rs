//! A function that maps requests, and is called instead of handed over.
//!
//! says: does not map requests
//! says: an async function whose arguments are extractors
use sctp_service::{Ppid, Request, Router, layer::map_request};

async fn changed(request: Request) -> Request {
    request
}

pub fn router(request: Request) -> Router {
    Router::new().route(Ppid::NGAP, async || ()).layer(map_request(changed(request)))
}
