//! Tests of a client that run alike on the kernel's SCTP and in memory: what a user tests in
//! memory holds on the kernel. Each of the two test binaries has a `world` of its own.

mod events;
mod pool;
mod pool_inbox;
mod scripted;
mod served;
mod server;
mod transports;

use std::time::Duration;

use sctp_service::{
    CallError, Cause, End, Fate, Side,
    client::{Backoff, Client, ClientBuilder, ClientConfig},
};
use tokio::task::JoinHandle;

use crate::must;

/// A client that waits for its association, and hardly pauses before the next one.
fn builder() -> ClientBuilder {
    Client::builder().with_config(config())
}

fn config() -> ClientConfig {
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(10));
    ClientConfig::new()
        .with_wait_for_connection(true)
        .with_backoff(backoff)
}

type Reply = JoinHandle<Result<sctp_service::Received, CallError>>;

/// Makes a call in the background.
fn call(client: &Client, payload: impl Into<bytes::Bytes>) -> Reply {
    let client = client.clone();
    let payload = payload.into();
    tokio::spawn(async move { must(client.request(payload)).await })
}

async fn answer(client: &Client, payload: impl Into<bytes::Bytes>) -> bytes::Bytes {
    must(client.request(payload.into())).await.unwrap().payload
}

async fn payload(reply: Reply) -> bytes::Bytes {
    must(reply).await.unwrap().unwrap().payload
}

/// Returns the error of a call that must fail.
async fn failure(reply: Reply) -> (Cause, Fate) {
    let error = must(reply).await.unwrap().unwrap_err();
    (error.cause().clone(), error.fate())
}

#[track_caller]
fn assert_aborted_here(end: &End) {
    let here = matches!(
        end,
        End::Aborted {
            by: Side::Local,
            ..
        }
    );
    assert!(here, "{end}");
}
