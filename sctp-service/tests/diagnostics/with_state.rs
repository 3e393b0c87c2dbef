//! A handler with its state, and an argument that is no extractor.
//!
//! says: `Order` cannot be an argument of a handler, or not in this place
use sctp_service::{Handler, Listener, State, serve};

#[derive(Clone)]
pub struct App;

pub struct Order;

async fn handler(_: State<App>, _: Order) {}

pub async fn run(listener: impl Listener) {
    serve(listener, Handler::with_state(handler, App)).await;
}
