//! Clear errors for bad input, without effect on others.

mod support;

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use sctp_tokio::AbortReason;
use support::{Program, Server, client, echo_server};

/// Starts a server that cannot, and returns what it says.
#[track_caller]
fn server_fails(listen: &str, code: i32) -> String {
    let mut command = echo_server();
    command.args(["--listen", listen]);
    fails(command, code)
}

#[track_caller]
fn fails(command: Command, code: i32) -> String {
    let mut program = Program::spawn(command);
    program.exits_with(code);
    assert_eq!(program.stdout.text(), "");
    program.stderr.text()
}

#[test]
fn address_in_use() {
    let server = Server::start(&[]);
    let error = server_fails(server.addr(), 1);
    assert!(
        error.contains(&format!("cannot bind {}: ", server.addr())),
        "{error}"
    );
    assert!(error.contains("in use"), "{error}");
}

#[test]
fn address_of_somebody_else() {
    let error = server_fails("192.0.2.1:0", 1);
    assert!(error.contains("cannot bind 192.0.2.1:0: "), "{error}");
    assert!(error.contains("Cannot assign requested address"), "{error}");
}

#[test]
fn privileged_port() {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim().parse::<u16>().unwrap() <= 7 {
        // In most containers no port is privileged, and the server must say nothing of the kind.
        assert_eq!(Server::on(&["127.0.0.1:7"], &[]).addr(), "127.0.0.1:7");
        return;
    }
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = Command::new(if is_root { "setpriv" } else { "env" });
    if is_root {
        let privilege = "-net_bind_service";
        command.args(["--inh-caps", privilege, "--bounding-set", privilege]);
    }
    command.arg(echo_server().get_program());
    command.args(["--listen", "127.0.0.1:7"]);
    let error = fails(command, 1);
    assert!(
        error.contains("cannot bind 127.0.0.1:7: Permission denied"),
        "{error}"
    );
}

#[test]
fn addresses_with_several_ports() {
    let mut command = echo_server();
    command.args(["--listen", "127.0.0.1:20001", "--listen", "127.0.0.2:20002"]);
    let error = fails(command, 1);
    assert!(error.contains("port differs from 20001"), "{error}");
}

#[test]
fn name_that_does_not_resolve() {
    let error = server_fails("no-such-host.invalid:9877", 1);
    assert!(
        error.contains("cannot resolve no-such-host.invalid:9877: "),
        "{error}"
    );
    for server in [
        &["no-such-host.invalid:9877"][..],
        &["127.0.0.1:9877", "no-such-host.invalid:9877"],
    ] {
        let mut client = client(server, &[]);
        client.exits_with(1);
        let error = client.stderr.text();
        assert!(
            error.contains("no-such-host.invalid:9877") && error.contains(": failed to lookup"),
            "{error}"
        );
    }
}

#[test]
fn address_without_a_port() {
    let error = server_fails("127.0.0.1", 1);
    assert!(error.contains("cannot resolve 127.0.0.1: "), "{error}");
}

#[test]
fn connection_refused_is_reported() {
    let addr = {
        let server = Server::start(&[]);
        server.addr().to_owned()
    };
    let mut client = client(&[&addr], &[]);
    client.exits_with(1);
    assert_eq!(
        client.stderr.text(),
        format!("echo-client: cannot connect: association refused by {addr}")
    );
}

#[test]
fn kernel_without_sctp() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/without-sctp.c");
    let without_sctp = concat!(env!("CARGO_TARGET_TMPDIR"), "/without-sctp");
    let mut compiler = Command::new("cc");
    compiler.args(["-o", without_sctp, source]);
    assert!(compiler.status().unwrap().success());

    let mut server = Command::new(without_sctp);
    server.arg(echo_server().get_program());
    let error = fails(server, 1);
    assert!(error.contains("modprobe sctp"), "{error}");

    let mut client = Command::new(without_sctp);
    client.args([env!("CARGO_BIN_EXE_echo-client"), "127.0.0.1:9877"]);
    let error = fails(client, 1);
    assert!(error.contains("modprobe sctp"), "{error}");
}

#[test]
fn reason_that_is_too_long() {
    let long = "x".repeat(AbortReason::MAX_LEN + 1);
    let complaint = "abort reason of 1025 bytes exceeds the limit of 1024";

    let mut client = client(&["127.0.0.1:9877"], &["--abort", &long]);
    client.exits_with(2);
    assert!(client.stderr.text().contains(complaint));

    let mut command = echo_server();
    command.args(["--shutdown", &format!("abort={long}")]);
    assert!(fails(command, 2).contains(complaint));

    let server = Server::start(&[]);
    let mut client = server.client(&[]);
    client.line(format!("[0]abort {long}"));
    assert!(client.stdout.next().ends_with(complaint));
    client.end_of_input();
    client.exits_with(0);
}

#[test]
fn ending_that_does_not_exist() {
    let mut command = echo_server();
    command.args(["--shutdown", "later"]);
    assert!(fails(command, 2).contains("none, after-ack or abort=REASON"));
}

/// Each of these lines is refused, and the session goes on.
#[test]
fn lines_that_cannot_be_sent() {
    let server = Server::start(&[]);
    let mut client = server.client(&[]);
    let too_large = format!("[0]{}", "x".repeat(1_000_000));
    for (line, complaint) in [
        ("hello", r#"cannot read "hello": a line is [N]text"#),
        ("", r#"cannot read "": a line is [N]text"#),
        ("[70000]hello", "N being a stream from 0 to 65535"),
        ("[128]hello", "stream 128 exceeds the 128 outbound streams"),
        ("[0]", "message is empty"),
        (
            &too_large,
            "message of 1000000 bytes exceeds the send buffer",
        ),
    ] {
        client.line(line);
        let told = client.stderr.next();
        assert!(
            told.starts_with("echo-client: ") && told.contains(complaint),
            "{told}"
        );
        client.line("[9]going on");
        assert!(client.stdout.next().ends_with("): going on"));
    }
    client.end_of_input();
    client.exits_with(0);
}

#[test]
fn message_beyond_the_servers_limit() {
    for style in ["peel-off", "one-to-many"] {
        let mut server = Server::start(&["--style", style, "--max-message-size", "1000"]);
        let mut client = server.client(&[]);
        client.line(format!("[0]{}", "x".repeat(1000)));
        assert!(client.stdout.next().ends_with("x"));
        client.line(format!("[0]{}", "x".repeat(1001)));
        client.exits_with(4);
        assert!(
            client
                .stderr
                .text()
                .ends_with(r#"reason "message too large""#)
        );
        assert!(server.closed().contains("end=aborted"));
    }
}

#[test]
fn missing_address_is_reported() {
    let mut client = client::<&str>(&[], &[]);
    client.exits_with(2);
    assert!(client.stderr.text().contains("<ADDR>"));
}
