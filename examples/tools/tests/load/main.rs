//! The load generator against servers that behave, and servers that do not.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

mod figures;
mod open_loop;
#[path = "../support/mod.rs"]
mod support;
mod trouble;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use sctp_tokio::{AbortReason, Association, Event, options::InitMsg};
use serde_json::Value;
use support::{File, Load, PATIENCE, Server, in_process, nobody, sctp, serve, serve_with};
use tokio::sync::watch;

/// Runs the load generator to its end, and returns its result.
#[track_caller]
fn result(server: &str, args: &[&str], status: i32) -> Value {
    Load::start(server, args).ends_with(status)
}

/// The causes and their counts in a part of a result.
fn causes(value: &Value) -> BTreeMap<String, u64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Echoes so many messages. Returns `true` if they came.
async fn echo(association: &mut Association, messages: usize) -> bool {
    for _ in 0..messages {
        let Ok(Some(message)) = association.recv().await else {
            return false;
        };
        let echo = message.reply(message.payload.clone());
        if association.send(echo).await.is_err() {
            return false;
        }
    }
    true
}

/// A server in this process, with all associations on one socket.
fn serve_on_one_socket() -> String {
    let addr = in_process::start(async |addr| {
        let mut endpoint = in_process::loopback().endpoint().unwrap();
        addr.send(endpoint.local_addrs().unwrap()[0]).unwrap();
        loop {
            let event = endpoint.next_event().await.unwrap();
            if let Event::Message(message) = event.event {
                let echo = message.reply(message.payload.clone());
                endpoint.send(event.assoc, echo).await.unwrap();
            }
        }
    });
    addr.to_string()
}
