//! The tool with programs that we did not write: as their server and their client, and what they
//! read in its traces.
//!
//! `.ci/foreign-peers` fetches them, and `.ci/test` runs it before these tests. Each test says what
//! it proved, and `docs/foreign-peers.md` must say the same: see `table.rs` of the examples.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../../../tests/support/fetched.rs"]
mod fetched;
#[path = "../../../../sctp-tokio/tests/support/netns.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with sctp-tokio's tests")]
mod netns;
mod peers;
#[path = "../support/mod.rs"]
mod support;
#[path = "../../../tests/foreign/table.rs"]
mod table;
mod traces;

use std::process::Command;

use fetched::{fetched, foreign};
use netns::NetNs;
use support::Program;

#[track_caller]
fn spawn(name: &str, args: &[&str]) -> Program {
    let mut command = foreign(name);
    command.args(args);
    Program::spawn(command)
}

/// A program of others in a namespace, with its lines as soon as it prints them.
fn spawn_in(namespace: &NetNs, name: &str, args: &[&str]) -> Program {
    let program = foreign(name);
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "-eL"]).arg(program.get_program());
    command.args(args).env("LD_LIBRARY_PATH", fetched("lib"));
    Program::spawn(namespace.command(&command))
}

/// The tool in a namespace.
fn sctp_in(namespace: &NetNs, args: &[&str]) -> Program {
    Program::spawn(namespace.command(&support::command(args)))
}
