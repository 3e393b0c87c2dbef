//! Peers that we did not write, in both directions: our server with their clients, our client with
//! their servers, their scanner, and decoders of what goes over the wire.
//!
//! `.ci/foreign-peers` fetches them, and `.ci/test` runs it before these tests. Each test says what
//! it proved, and `docs/foreign-peers.md` must say the same: see `table.rs`.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../support/fetched.rs"]
mod fetched;
mod freediameter;
mod iperf3;
mod lksctp_tools;
mod ncat_socat;
#[path = "../../../sctp-tokio/tests/support/netns.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with sctp-tokio's tests")]
mod netns;
mod ngap;
mod nmap;
mod osmo_stp;
mod pysctp;
mod python;
mod sipp;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tls;
mod tshark;
mod usrsctp;
mod usrsctp_peer;

use fetched::{fetched, foreign, spawn, spawn_in};
use netns::NetNs;
use support::{Program, Server, echo_client, echo_server};

/// Each association on a socket of its own, or all on one.
const STYLES: [&str; 2] = ["peel-off", "one-to-many"];

/// Our server in a namespace, on a port of loopback that the kernel chooses.
fn server_in(namespace: &NetNs, args: &[&str]) -> Server {
    let mut command = echo_server();
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    Server::of(Program::spawn(namespace.command(&command)))
}

/// Our client in a namespace.
fn client_in(namespace: &NetNs, args: &[&str]) -> Program {
    let mut command = echo_client();
    command.args(args);
    Program::spawn(namespace.command(&command))
}
