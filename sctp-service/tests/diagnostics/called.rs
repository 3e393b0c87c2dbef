//! A handler that is called instead of handed over.
//!
//! says: is not a handler
//! says: handed over and not called: `handler`, not `handler()`
use sctp_service::{Ppid, Router};

async fn handler() {}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler())
}
