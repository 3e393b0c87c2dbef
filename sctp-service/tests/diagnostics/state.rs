//! A handler that takes state, and is not given it.
//!
//! says: `App` is not the state `()`, nor a part of it
//! says: is given it with `.with_state(state)`
//! not: cannot serve associations
use sctp_service::{Listener, State, handler::handler_fn, serve};

#[derive(Clone)]
pub struct App;

async fn handler(_: State<App>) {}

pub async fn run(listener: impl Listener) {
    serve(listener, handler_fn(handler)).await;
}
