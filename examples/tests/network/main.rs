//! Networks between clients and servers, in namespaces of the guest: load balancers, IPsec, one that
//! is cut, and one that loses what a peer says last.
//!
//! The programs that set them up are fetched by `.ci/foreign-peers`.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod dead_node;
#[path = "../support/fetched.rs"]
mod fetched;
mod ipsec;
mod load_balancing;
#[path = "../../../sctp-tokio/tests/support/netns.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with sctp-tokio's tests")]
mod netns;
mod restart;
#[path = "../support/mod.rs"]
mod support;

use std::process::Command;

use netns::NetNs;
use support::{Program, Server, echo_client, echo_server};

/// Starts the echo server in a namespace.
fn server(namespace: &NetNs, addr: &str) -> Server {
    let mut command = echo_server();
    command.args(["--listen", addr]);
    Server::of(Program::spawn(namespace.command(&command)))
}

/// Starts the echo client in a namespace.
fn client(namespace: &NetNs, args: &[&str]) -> Program {
    let mut command = echo_client();
    command.args(args);
    Program::spawn(namespace.command(&command))
}

/// Runs a program in a namespace, and returns what it printed.
#[track_caller]
fn run(namespace: &NetNs, program: &str, args: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(args);
    // The unpacked iptables looks for its extensions in the system's folder otherwise.
    let extensions = fetched::fetched("lib");
    command.env("XTABLES_LIBDIR", extensions);
    let output = namespace.command(&command).output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{program} {args:?}: {}\n{stderr}{stdout}",
        output.status
    );
    stdout.into_owned()
}
