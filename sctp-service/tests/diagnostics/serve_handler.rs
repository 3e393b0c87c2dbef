//! A handler that is none, served as it is.
//!
//! says: cannot serve associations
//! says: `handler_fn(handler)` says which argument is no extractor
//! not: is not a future
//! not: with_graceful_shutdown` exists
use std::future::pending;

use sctp_service::{Listener, serve};

pub struct Order;

async fn handler(_: Order) {}

pub async fn run(listener: impl Listener) {
    serve(listener, handler)
        .with_graceful_shutdown(pending())
        .await;
}
