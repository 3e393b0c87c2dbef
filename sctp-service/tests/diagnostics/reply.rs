//! An error that is no reply.
//!
//! says: `std::io::Error` cannot be sent as a reply
//! says: or implement `IntoReply` for `std::io::Error`
use sctp_service::{Ppid, Router};

async fn handler() -> Result<String, std::io::Error> {
    Err(std::io::ErrorKind::Other.into())
}

pub fn router() -> Router {
    Router::new().route(Ppid::NGAP, handler)
}
