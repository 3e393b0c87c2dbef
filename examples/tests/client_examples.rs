//! The examples of the client do what they say.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

use std::process::Command;

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{output:?}");
    text
}

#[test]
fn two_nodes_answer_each_other() {
    let text = run(env!("CARGO_BIN_EXE_diameter_like"), &[]);
    for line in [
        "server  is answered: yes to \"your session has expired\"\n",
        "client  is answered: yes to \"are you there?\"\n",
        "client  is answered: yes to \"a session, please\"\n",
        "client  the association is over: shut down\n",
    ] {
        assert!(text.contains(line), "no {line:?} in:\n{text}");
    }
}

#[test]
fn pool_loses_only_what_was_in_flight_on_the_killed_server() {
    let text = run(env!("CARGO_BIN_EXE_pool"), &["--in-flight", "16"]);
    assert!(text.contains("one drained (exit status: 0): "), "{text}");
    assert!(text.contains("no call was lost other than "), "{text}");
    assert_eq!(text.matches("] up\n").count(), 3, "{text}");
    // What it had not read when it was told to stop, the pool repeats.
    assert!(text.contains("shut down by peer, after "), "{text}");
}

#[test]
fn server_that_is_not_there_is_told_in_a_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_client"))
        .args(["127.0.0.1:1", "word"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told, "client: association refused by 127.0.0.1:1\n");
}
