//! Bad input: a clear line on standard error, and a status of the table.

use std::{io::Read, process::Stdio};

use crate::support::{File, Program, Server, command, fails, nobody, sctp_in, silence, wait};

#[test]
fn unknown_host_is_named() {
    for subcommand in ["send", "listen", "probe"] {
        let said = fails(&[subcommand, "no-such-host.invalid:1"], 1);
        let expected = "sctp: cannot resolve no-such-host.invalid:1: failed to lookup";
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn refused_and_silent_peers_differ() {
    let nobody = nobody();
    let said = fails(&["send", &nobody, "-m", "hello"], 6);
    assert_eq!(
        said,
        format!("sctp: cannot connect: association refused by {nobody}")
    );

    let namespace = silence();
    let args = [
        "send",
        "10.3.0.2:9",
        "-m",
        "hello",
        "--connect-timeout",
        "200ms",
    ];
    let mut send = sctp_in(&namespace, &args);
    send.exits_with(7);
    assert_eq!(
        send.stderr.text(),
        "sctp: cannot connect: no answer in time from 10.3.0.2:9"
    );
}

#[test]
fn stream_that_does_not_exist_is_refused() {
    let server = Server::echo();
    let args = [
        "send",
        server.addr(),
        "-m",
        "hello",
        "--stream",
        "10",
        "--streams",
        "10",
    ];
    let said = fails(&args, 1);
    assert_eq!(
        said,
        "sctp: cannot send: stream 10 exceeds the 10 outbound streams"
    );
}

#[test]
fn command_lines_are_checked_before_anything_is_sent() {
    let mut server = Server::start(&[]);
    let long = format!("abort={}", "x".repeat(1025));
    for (args, expected) in [
        (
            &["-m", "0g", "--hex"][..],
            r#"message "0g": malformed hex: 'g' at character 2"#,
        ),
        (
            &["-m", "0", "--hex"],
            r#"message "0": malformed hex: odd number of digits"#,
        ),
        (
            &["-m", "hello", "-m", ""],
            r#"message "": message is empty"#,
        ),
        (
            &["--ppid", "ngapp"],
            "neither a 32-bit number nor the name of a payload protocol",
        ),
        (&["--stream", "65536"], "65536 is not in 0..=65535"),
        (&["--end", "after-ack"], "it is shutdown or abort=REASON"),
        (
            &["--end", &long],
            "abort reason of 1025 bytes exceeds the limit of 1024",
        ),
        (&["--expect", "0"], "0 is not in 1.."),
        (&["--hex", "--length-prefixed"], "cannot be used with"),
    ] {
        let said = fails(&[&["send", server.addr()], args].concat(), 2);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    for (args, expected) in [
        (&["--echo", "--reply", "x"][..], "cannot be used with"),
        (&["--reply-hex", "0g"], "malformed hex: 'g' at character 2"),
        (&["--reply-hex", ""], "message is empty"),
        (
            &["--shutdown", "shutdown"],
            "it is after-ack or abort=REASON",
        ),
    ] {
        let said = fails(&[&["listen", "127.0.0.1:0"], args].concat(), 2);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    assert!(fails(&[], 2).contains("Usage: sctp <COMMAND>"));
    assert!(fails(&["probe"], 2).contains("<ADDR>..."));
    server.program.terminate();
    server.program.exits_with(0);
    let said = server.program.stderr.text();
    assert!(!said.contains("association"), "{said}");
}

#[test]
fn unusable_input_ends_the_association_in_order() {
    for (input, args, expected) in [
        (&b"one\n\ntwo\n"[..], &[][..], "line 2: message is empty"),
        (
            b"6f6e65\n6x\n",
            &["--hex"],
            "line 2: malformed hex: 'x' at character 2",
        ),
        (
            b"\0\0\0\x03one\0\0\0\x02t",
            &["--length-prefixed"],
            "message 2: the input ends within it",
        ),
    ] {
        let mut server = Server::start(&[]);
        let mut client = server.client(args);
        client.write(input);
        client.end_of_input();
        client.exits_with(1);
        assert_eq!(
            client.stderr.text(),
            format!("sctp: standard input, {expected}")
        );
        assert_eq!(server.program.stdout.next(), "one");
        assert!(server.closed().ends_with("shut down by peer"));
    }
}

#[test]
fn message_beyond_the_send_buffer_is_refused() {
    let server = Server::echo();
    let mut client = server.client(&[]);
    client.write(&vec![b'x'; 2_000_000]);
    client.end_of_input();
    client.exits_with(1);
    let said = client.stderr.text();
    assert!(
        said.starts_with("sctp: cannot send: message of 2000000 bytes exceeds the send buffer of "),
        "{said}"
    );
}

#[test]
fn message_beyond_the_peers_limit_aborts() {
    let server = Server::start(&["--max-message-size", "1000"]);
    let mut client = server.client(&["--wait", "1h"]);
    client.write(&vec![b'x'; 1001]);
    client.end_of_input();
    client.exits_with(4);
    assert!(
        client.stderr.text().contains("aborted by peer, reason"),
        "{}",
        client.stderr.text()
    );
}

#[test]
fn reply_beyond_the_clients_limit_aborts() {
    let reply = "x".repeat(1001);
    let mut server = Server::start(&["--reply", &reply]);
    let limit = ["--max-message-size", "1000"];
    let mut client = server.client(&[&limit[..], &["-m", "hello", "--wait", "1h"]].concat());
    client.exits_with(1);
    let said = client.stderr.text();
    assert!(said.starts_with("sctp: cannot receive: "), "{said}");
    assert!(said.contains("1000"), "{said}");
    let line = server.closed();
    assert!(line.contains("aborted by peer, reason"), "{line}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let server = Server::echo();
    let said = fails(&["send", server.addr(), "-f", "/no/such/file"], 1);
    assert_eq!(
        said,
        "sctp: /no/such/file: No such file or directory (os error 2)"
    );
    let empty = File::new("empty");
    std::fs::write(empty.path(), "").unwrap();
    let said = fails(&["send", server.addr(), "-f", empty.path()], 1);
    assert_eq!(said, format!("sctp: {}: message is empty", empty.path()));
    for args in [
        &["send", server.addr(), "-m", "x"][..],
        &["listen", "127.0.0.1:0"],
        &["probe", server.addr()],
        &["load", server.addr()],
    ] {
        let status = if args[0] == "load" { 3 } else { 1 };
        let said = fails(&[args, &["--trace", "/no/such/folder/x"]].concat(), status);
        assert!(
            said.starts_with("sctp: cannot write /no/such/folder/x: No such file"),
            "{said}"
        );
    }
}

#[test]
fn full_disk_is_reported_at_the_end() {
    let server = Server::echo();
    let mut client = server.client(&["-m", "hello", "--expect", "1", "--trace", "/dev/full"]);
    client.exits_with(1);
    assert_eq!(client.stdout.text(), "hello");
    assert!(
        client
            .stderr
            .text()
            .starts_with("sctp: cannot write /dev/full: No space left")
    );
}

#[test]
fn closed_pipe_ends_the_program() {
    let server = Server::echo();
    for args in [
        &[
            "send",
            server.addr(),
            "-m",
            "hello",
            "--wait",
            "1h",
            "--expect",
            "1",
        ][..],
        &["probe", server.addr()],
    ] {
        let mut child = command(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let status = wait(&mut child);
        let mut said = String::new();
        child.stderr.unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(
            said.starts_with("sctp: cannot write to standard output: Broken pipe"),
            "{said}"
        );
    }
    let listen = ["listen", "127.0.0.1:0", "--echo"];
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#"{ "$0" "$@"; echo "status $?" >&2; } | true"#]);
    shell.arg(command(&[]).get_program()).args(listen);
    let mut server = Server::of(Program::spawn(shell));
    server
        .client(&["-m", "hello", "--wait", "1h"])
        .exits_with(3);
    server.program.stderr.find("status 1");
}

#[test]
fn address_in_use_is_named() {
    let server = Server::echo();
    let said = fails(&["listen", server.addr()], 1);
    assert!(
        said.starts_with(&format!("sctp: cannot bind {}: ", server.addr())),
        "{said}"
    );
}
