//! A function that is not async.
//!
//! says: `String` is not a future
use sctp_service::{Ppid, Router};

fn handler(text: String) -> String {
    text
}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler)
}
