//! `sctp proxy` between the other subcommands.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod accounts;
mod choice;
mod conversations;
mod options;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use support::{Server, sctp};

/// Starts a proxy for these servers.
#[track_caller]
fn proxy(servers: &[&str], args: &[&str]) -> Server {
    let mut command = vec!["proxy", "--listen", "127.0.0.1:0"];
    for server in servers {
        command.extend(["--to", server]);
    }
    Server::of(sctp(&[&command[..], args].concat()))
}

/// Stops a proxy, and returns what it has counted.
#[track_caller]
fn figures(mut proxy: Server) -> Value {
    proxy.program.terminate();
    proxy.program.exits_with(0);
    serde_json::from_str(&proxy.program.stdout.text()).unwrap()
}
