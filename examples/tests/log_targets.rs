//! `RUST_LOG` with the targets that the guide to errors lists.

mod support;

use support::{Program, client, echo_server};

/// Returns the log of a server while a client connects and disconnects.
fn log(filter: &str) -> String {
    let mut command = echo_server();
    command.args(["--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", filter);
    let mut server = Program::spawn(command);
    let line = server.stdout.next();
    let addr = line.strip_prefix("listening on ").expect("an address");
    let mut client = client(&[addr], &[]);
    client.line("[0]hello");
    client.end_of_input();
    client.exits_with(0);
    server.terminate();
    server.exits_with(0);
    server.stderr.text()
}

#[test]
fn targets_choose_what_is_logged() {
    let closed = "association closed";
    assert!(log("off,sctp_service::session=info").contains(closed));
    let others = log("debug,sctp_service::session=off");
    assert!(!others.contains(closed), "{others}");
}
