//! An address instead of a listener.
//!
//! says: `&str` is not a listener
//! says: bind one with `SctpListener::bind(addr).await?`
//! not: is not a future
use sctp_service::serve;

async fn handler() {}

pub async fn run() {
    serve("127.0.0.1:9877", handler).await;
}
