//! Every example runs to its end, and shows what it is there to show.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

use std::{path::PathBuf, process::Command};

/// Directory of the examples, which it builds along with the tests.
fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples")
}

/// Runs an example, and checks that its output has these lines, in this order.
#[track_caller]
fn shows(name: &str, lines: &[&str]) {
    let program = folder().join(name);
    assert!(
        program.exists(),
        "{name} is not built: run `cargo build -p sctp-tokio --examples`, or the tests without `--test`"
    );
    let output = Command::new(program)
        .env_remove("LISTEN_FDS")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}\n{printed}");
    let mut rest = printed.lines();
    for line in lines {
        assert!(
            rest.any(|printed| printed.contains(line)),
            "{name}: no {line:?} where it should be in\n{printed}"
        );
    }
}

#[test]
fn one_to_one() {
    shows(
        "one_to_one",
        &["\"hello 0\" on stream 0", "\"hello 2\" on stream 2"],
    );
    shows("one_to_one", &["client: shut down"]);
}

#[test]
fn one_to_many() {
    shows(
        "one_to_many",
        &["aborted by peer, reason \"not like that\""],
    );
    shows(
        "one_to_many",
        &[
            "client \"please\": b\"goodbye\"",
            "client \"please\": shut down by peer",
        ],
    );
}

#[test]
fn multihoming() {
    shows(
        "multihoming",
        &[
            "connected",
            "message 2",
            "switched, primary path to Some(127.0.0.2",
            "message 5",
        ],
    );
}

#[test]
fn partial_reliability() {
    shows(
        "partial_reliability",
        &[
            "messages were given up and came back",
            "server: 20 reliable messages",
        ],
    );
}

#[test]
fn stream_reset() {
    shows(
        "stream_reset",
        &[
            "\"before\", stream 1, sequence number 2",
            "\"after\", stream 1, sequence number 0",
            "130 streams now",
            "\"on a new one\", stream 129, sequence number 0",
        ],
    );
}

#[test]
fn auth() {
    shows(
        "auth",
        &["authenticated: [0", "\"with key 1\"", "\"with key 2\""],
    );
}

#[test]
fn codec() {
    shows(
        "codec",
        &["\"HELLO\" on stream 0", "has 7 bytes after its frame"],
    );
}

#[test]
fn notifications() {
    shows(
        "notifications",
        &[
            "CommUp",
            "message b\"hello\"",
            "came back",
            "reason \"that is too much\"",
        ],
    );
}

#[test]
fn socket_activation() {
    shows(
        "socket_activation",
        &[
            "server: b\"anybody there?\"",
            "client: b\"at your service\"",
            "server: exit status: 0",
        ],
    );
}
