//! Programs of others that `.ci/foreign-peers` has fetched, and the roles that two suites give them.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{netns::NetNs, support::Program};

/// A program that `.ci/foreign-peers` has fetched.
pub(crate) fn foreign(name: &str) -> Command {
    let program = fetched(&format!("bin/{name}"));
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", fetched("lib"));
    command
}

/// A file or folder that `.ci/foreign-peers` has fetched.
pub(crate) fn fetched(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("foreign")
        .join(name);
    assert!(
        path.exists(),
        "there is no {}: run .ci/foreign-peers",
        path.display()
    );
    path
}

/// Starts such a program.
#[track_caller]
pub(crate) fn spawn(name: &str, args: &[&str]) -> Program {
    let mut command = foreign(name);
    command.args(args);
    Program::spawn(command)
}

/// Starts such a program in a namespace, with its lines as soon as it prints them.
pub(crate) fn spawn_in(namespace: &NetNs, name: &str, args: &[&str]) -> Program {
    let program = foreign(name);
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "-eL"]).arg(program.get_program());
    command.args(args).env("LD_LIBRARY_PATH", fetched("lib"));
    Program::spawn(namespace.command(&command))
}

/// sctp_darn as a server on 127.0.0.1:6002. Its port cannot be left to the kernel.
#[track_caller]
pub(crate) fn darn_server(namespace: &NetNs) -> Program {
    let args = ["-H", "127.0.0.1", "-P", "6002", "-l"];
    let mut darn = spawn_in(namespace, "sctp_darn", &args);
    darn.stdout.find("listening");
    darn
}

/// ncat as a server on 127.0.0.1:6001 that echoes. Its port cannot be left to the kernel.
#[track_caller]
pub(crate) fn ncat_server(namespace: &NetNs) -> Program {
    let args = ["--sctp", "-vkl", "127.0.0.1", "6001", "--exec", "/bin/cat"];
    let mut ncat = spawn_in(namespace, "ncat", &args);
    ncat.stderr.find("Listening on 127.0.0.1:6001");
    ncat
}

/// socat, which takes an SCTP server for one of TCP.
#[track_caller]
pub(crate) fn socat_as_tcp(server: &str) -> Program {
    let mut command = foreign("socat");
    command
        .args(["-", &format!("TCP4:{server}")])
        .env("LD_PRELOAD", fetched("bin/withsctp.so"));
    Program::spawn(command)
}

/// sctp_test as a client of a server on loopback, with the messages of one of its cases. It reads
/// nothing: closing its socket then aborts the association.
#[track_caller]
pub(crate) fn sctp_test_client(port: &str, case: &str) -> Program {
    let from = ["-H", "127.0.0.1", "-P", "0"];
    let to = ["-h", "127.0.0.1", "-p", port];
    let messages = ["-s", "-x", "1", "-c", case];
    spawn("sctp_test", &[&from[..], &to, &messages].concat())
}
