//! A handler that is none, for one association.
//!
//! says: cannot serve associations
//! not: is not a future
use sctp_service::{Transport, serve_association};

async fn handler() -> u8 {
    0
}

pub async fn run(transport: impl Transport) {
    serve_association(transport, handler).on_event(|_| ()).await;
}
