//! Commands of the README.

mod support;

use std::process::Command;

use support::Program;

const README: &str = include_str!("../../README.md");

#[test]
fn its_server_is_the_one_that_is_compiled() {
    let server = include_str!("../src/bin/hello-server.rs");
    assert!(
        README.contains(&format!("```rust\n{server}```\n")),
        "README.md does not show examples/src/bin/hello-server.rs as it is"
    );
}

#[test]
fn its_first_command_prints_a_conversation_with_both_terminations() {
    let mut demo = Program::spawn(Command::new(env!("CARGO_BIN_EXE_echo-demo")));
    demo.exits_with(0);
    let printed = demo.stdout.text();
    for line in [
        "client  From str:0 seq:1 (assoc:0x",
        "client  the association is over: shut down by peer",
        r#"client  the association is over: aborted by peer, reason "that was rude""#,
        r#"is over: aborted by peer, reason "goodbye""#,
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
}
