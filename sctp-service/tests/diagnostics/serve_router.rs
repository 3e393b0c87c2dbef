//! A router that is not given its state.
//!
//! says: Router<App>` cannot serve associations
//! says: a `Router` with state, become one with `.with_state(..)`
//! not: is not a future
use sctp_service::{Listener, Ppid, Router, State, serve};

#[derive(Clone)]
pub struct App;

async fn handler(_: State<App>) {}

pub async fn run(listener: impl Listener) {
    serve(listener, Router::new().route(Ppid::NGAP, handler)).await;
}
