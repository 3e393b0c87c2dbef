//! Messages, replies and ends.

use std::fs;

use serde_json::{Value, json};

use crate::support::{File, Server, echo_then_cut, fails, netns::two_cables, sctp, sctp_in, serve};

#[test]
fn messages_of_arguments_files_and_input_are_sent() {
    let server = Server::echo();
    let (one, two) = (File::new("txt"), File::new("hex"));
    fs::write(one.path(), "file\nwith two lines").unwrap();
    fs::write(two.path(), "66 69\n6c:65\n").unwrap();
    for (input, args, replies) in [
        (
            &b""[..],
            &["-m", "hello", "-m", "again"][..],
            "hello\nagain",
        ),
        (
            b"",
            &["-f", one.path(), "-m", "first"],
            "first\nfile\\nwith two lines",
        ),
        (b"", &["--hex", "-m", "61 62", "-f", two.path()], "ab\nfile"),
        (b"hello\nagain\n", &[], "hello\nagain"),
        (b"61 62\n6364", &["--hex"], "ab\ncd"),
        (
            b"\0\0\0\x03a\nb\0\0\0\x01c",
            &["--length-prefixed"],
            "a\\nb\nc",
        ),
    ] {
        let waits = ["--expect", "2", "--wait", "1h"];
        let printed = server.send(input, &[&waits[..], args].concat());
        assert_eq!(printed, replies, "{args:?}");
    }
}

#[test]
fn stream_identifier_and_order_reach_the_peer_and_return() {
    let mut server = Server::start(&["--echo", "--print", "json"]);
    let parameters = [
        "--stream",
        "200",
        "--ppid",
        "ngap",
        "--unordered",
        "--lifetime",
        "1m",
    ];
    let message = ["-m", "héllo", "--expect", "1", "--print", "json"];
    let reply = server.send("", &[&message[..], &parameters].concat());
    let reply: Value = serde_json::from_str(&reply).unwrap();
    let request: Value = serde_json::from_str(&server.program.stdout.next()).unwrap();
    for message in [&reply, &request] {
        assert_eq!(message["text"], "héllo");
        assert_eq!(message["hex"], "68c3a96c6c6f");
        assert_eq!(message["length"], 6);
        assert_eq!(message["ppid"], 60);
        assert_eq!(message["protocol"], "NGAP");
        assert_eq!(message["unordered"], true);
        assert!(message["tsn"].is_u64() && message["ssn"].is_u64());
    }
    assert_eq!(request["stream"], 200);
    assert_eq!(reply["peer"], json!(server.addr()));
}

#[test]
fn sequence_numbers_of_a_stream_are_printed() {
    let server = Server::echo();
    let replies = server.send("a\nb\n", &["-s", "3", "--expect", "2", "--print", "json"]);
    let replies = replies
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let numbers: Vec<_> = replies
        .map(|reply| (reply["stream"].clone(), reply["ssn"].clone()))
        .collect();
    assert_eq!(numbers, [(json!(3), json!(0)), (json!(3), json!(1))]);
}

/// The server reads nothing, so most of the messages wait.
#[test]
fn messages_beyond_their_lifetime_are_reported() {
    let server = serve(|association| async move {
        association.closed().await;
    });
    let mut client = sctp(&["send", &server, "--lifetime", "50ms", "--wait", "1h"]);
    for _ in 0..250 {
        client.line("x".repeat(1000));
    }
    client.stderr.find("a message was not delivered");
    client.terminate();
    client.exits_with(143);
}

#[test]
fn hex_dump_has_a_head() {
    let server = Server::echo();
    let args = ["-m", "hello", "--expect", "1", "--print", "hex"];
    let printed = server.send("", &[&args[..], &["-p", "m3ua"]].concat());
    let (head, dump) = printed.split_once('\n').unwrap();
    assert!(
        head.starts_with(&format!(
            "{} stream 0 ppid 3 (M3UA) ssn 0 tsn ",
            server.addr()
        )),
        "{head}"
    );
    assert!(dump.starts_with("00000000  68 65 6c 6c 6f "), "{dump}");
}

#[test]
fn lines_are_sent_as_they_come() {
    let server = Server::echo();
    let mut client = server.client(&["--expect", "2"]);
    for line in ["one", "two"] {
        client.line(line);
        assert_eq!(client.stdout.next(), line);
    }
    client.end_of_input();
    client.exits_with(0);
}

#[test]
fn association_ends_as_asked() {
    let mut server = Server::start(&[]);
    for (end, expected) in [
        ("shutdown", "association closed: shut down by peer"),
        (
            "abort=so long",
            r#"association closed: aborted by peer, reason "so long""#,
        ),
    ] {
        // Everything has arrived before the abort.
        assert_eq!(server.send("one\ntwo\n", &["--end", end]), "");
        assert_eq!(server.program.stdout.next(), "one");
        assert_eq!(server.program.stdout.next(), "two");
        assert!(server.closed().ends_with(expected));
    }
}

#[test]
fn end_of_the_peer_is_the_exit_status() {
    for (shutdown, status, said) in [
        (
            "after-ack",
            3,
            "sctp: association closed: shut down by peer",
        ),
        (
            "abort=go away",
            4,
            r#"sctp: association closed: aborted by peer, reason "go away""#,
        ),
    ] {
        let server = Server::start(&["--reply", "last words", "--shutdown", shutdown]);
        let mut client = server.client(&["-m", "hello", "--wait", "1h"]);
        client.exits_with(status);
        assert_eq!(client.stderr.text(), said);
        if status == 3 {
            assert_eq!(client.stdout.text(), "last words");
        }
    }
}

#[test]
fn peer_that_stops_answering_is_lost() {
    let (left, right) = two_cables();
    left.set_short_timeouts();
    let server = Server::of(sctp_in(&right, &["listen", "10.1.0.2:0", "--echo"]));
    let mut client = sctp_in(&left, &["send", server.addr(), "--wait", "1h"]);
    echo_then_cut(&mut client, &right);
    client.line("anybody there?");
    client.exits_with(5);
    assert_eq!(
        client.stderr.text(),
        "sctp: a message was not delivered\nsctp: association closed: lost: timed out"
    );
}

#[test]
fn shutdown_after_the_expected_messages_is_a_success() {
    let server = Server::start(&["--echo", "--shutdown", "after-ack"]);
    let reply = server.send("", &["-m", "hello", "--expect", "1"]);
    assert_eq!(reply, "hello");
}

#[test]
fn too_few_messages_have_a_status_of_their_own() {
    let server = Server::echo();
    let args = [
        "send",
        server.addr(),
        "-m",
        "hello",
        "--expect",
        "2",
        "--wait",
        "2s",
    ];
    assert_eq!(
        fails(&args, 8),
        "sctp: 1 of 2 expected messages came in time"
    );
}
