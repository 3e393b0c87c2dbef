//! A function that maps requests to something else.
//!
//! says: `String` is not a changed request
//! says: return `Request` or `Result<Request, impl IntoReply>`
use sctp_service::{Ppid, Request, Router, layer::map_request};

async fn changed(_: Request) -> String {
    String::new()
}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, async || ()).layer(map_request(changed))
}
