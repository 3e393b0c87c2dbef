//! Replies, and when it stops.

use crate::support::Server;

#[test]
fn replies_are_echoes_texts_or_bytes() {
    for (how, reply) in [
        (&["--echo"][..], "hello"),
        (&["--reply", "a text"], "a text"),
        (&["--reply-hex", "0a 61"], "\\na"),
    ] {
        let server = Server::start(how);
        let replies = server.send("", &["-m", "hello", "--expect", "1"]);
        assert_eq!(replies, reply, "{how:?}");
    }
}

#[test]
fn associations_and_messages_are_printed() {
    let mut server = Server::start(&["--print", "hex"]);
    server.send("hello", &["-s", "7"]);
    let line = server.program.stderr.find("association established");
    assert!(line.ends_with("128 streams in, 128 out"), "{line}");
    let head = server.program.stdout.next();
    assert!(
        head.contains(" stream 7 ppid 0 ssn 0 tsn ") && head.ends_with(", 5 bytes"),
        "{head}"
    );
    assert!(server.closed().ends_with("shut down by peer"));
}

#[test]
fn quiet_server_prints_its_address_alone() {
    let mut server = Server::start(&["--echo", "--quiet", "--expect", "1"]);
    server.send("", &["-m", "hello", "--expect", "1"]);
    server.program.exits_with(0);
    assert_eq!(server.program.stdout.text(), "");
    assert_eq!(
        server.program.stderr.text(),
        format!("sctp: listening on {}", server.addr())
    );
}

#[test]
fn expected_messages_end_the_server() {
    let mut server = Server::start(&["--expect", "3"]);
    server.send("one\ntwo\n", &[]);
    server.send("three\n", &[]);
    server.program.exits_with(0);
    assert_eq!(server.program.stdout.text(), "one\ntwo\nthree");
}

#[test]
fn server_stops_when_its_time_is_over() {
    let mut server = Server::start(&["--wait", "100ms"]);
    server.program.exits_with(0);
    let mut server = Server::start(&["--wait", "100ms", "--expect", "1"]);
    server.program.exits_with(8);
    assert!(
        server
            .program
            .stderr
            .text()
            .ends_with("sctp: 0 of 1 expected messages came in time")
    );
}

#[test]
fn stopped_server_shuts_its_associations_down() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&["--echo"]);
        let mut client = server.client(&["-m", "hello", "--wait", "1h"]);
        assert_eq!(client.stdout.next(), "hello");
        server.program.signal(signal);
        server.program.exits_with(0);
        client.exits_with(3);
    }
}
