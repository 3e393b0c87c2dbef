//! Peers that we did not write: ncat, socat, the programs of lksctp-tools, and Python's sockets.
//!
//! `.ci/foreign-peers` fetches them, and `.ci/test` runs it before these tests.

mod support;

use std::{path::Path, process::Command};

use support::{Program, Server, client};

const STYLES: [&str; 2] = ["peel-off", "one-to-many"];

/// A program that `.ci/foreign-peers` has fetched.
fn foreign(name: &str) -> Command {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("foreign");
    let program = folder.join("bin").join(name);
    assert!(
        program.exists(),
        "there is no {}: run .ci/foreign-peers",
        program.display()
    );
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", folder.join("lib"));
    command
}

#[track_caller]
fn spawn(name: &str, args: &[&str]) -> Program {
    let mut command = foreign(name);
    command.args(args);
    Program::spawn(command)
}

/// Runs a Python program that finds the server's port in its first argument.
fn python(server: &Server, program: &str) -> Program {
    spawn(
        "python3",
        &["-c", &format!("{PYTHON}{program}"), server.port()],
    )
}

const PYTHON: &str = "
import socket, struct, sys
def connect():
    peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
    peer.connect(('127.0.0.1', int(sys.argv[1])))
    return peer
peer = connect()
";

#[test]
fn ncat_is_echoed_and_ends_in_order() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style]);
        let mut ncat = spawn("ncat", &["--sctp", "127.0.0.1", server.port()]);
        for text in ["hello", "hello again"] {
            ncat.line(text);
            assert_eq!(ncat.stdout.next(), text);
        }
        ncat.end_of_input();
        ncat.exits_with(0);
        assert!(server.closed().contains("end=shut down by the peer"));
    }
}

#[test]
fn ncat_gets_the_reply_and_then_the_orderly_end() {
    for style in STYLES {
        let server = Server::start(&["--style", style, "--shutdown", "after-ack"]);
        let mut ncat = spawn(
            "ncat",
            &["--sctp", "--no-shutdown", "127.0.0.1", server.port()],
        );
        ncat.line("last words");
        ncat.exits_with(0);
        assert_eq!(ncat.stdout.text(), "last words");
    }
}

#[test]
fn socat_is_echoed() {
    for (listen, address) in [
        ("127.0.0.1:0", "SCTP-CONNECT:127.0.0.1"),
        ("[::1]:0", "SCTP6-CONNECT:[::1]"),
    ] {
        for style in STYLES {
            let mut server = Server::on(&[listen], &["--style", style]);
            let mut socat = spawn("socat", &["-", &format!("{address}:{}", server.port())]);
            socat.line("hello");
            assert_eq!(socat.stdout.next(), "hello");
            socat.end_of_input();
            socat.exits_with(0);
            assert!(server.closed().contains("end=shut down by the peer"));
        }
    }
}

#[test]
fn sctp_darn_is_answered_and_shut_down() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style, "--shutdown", "after-ack"]);
        let peer = [
            "-H",
            "127.0.0.1",
            "-P",
            "0",
            "-h",
            "127.0.0.1",
            "-p",
            server.port(),
            "-s",
        ];
        let mut darn = spawn("sctp_darn", &peer);
        darn.line("hello");
        let line = server.closed();
        assert!(
            line.contains("end=shut down ") && line.contains("requests: 1, sent: 1"),
            "{line}"
        );
        darn.end_of_input();
        darn.status();
    }
}

/// It sends unordered messages of up to four packets and reads nothing: closing its socket then
/// aborts the association.
#[test]
fn sctp_test_sends_messages_of_many_sizes() {
    for style in STYLES {
        for case in ["0", "1", "2", "3", "4"] {
            let mut server = Server::start(&["--style", style]);
            let peer = [
                "-H",
                "127.0.0.1",
                "-P",
                "0",
                "-h",
                "127.0.0.1",
                "-p",
                server.port(),
            ];
            let mut command = foreign("sctp_test");
            command.args(peer).args(["-s", "-x", "1", "-c", case]);
            let mut test = Program::spawn(command);
            test.exits_with(0);
            let line = server.closed();
            assert!(line.contains("by the peer"), "{line}");
        }
    }
}

#[test]
fn pythons_socket_hears_the_orderly_end() {
    for style in STYLES {
        let server = Server::start(&["--style", style]);
        let mut python = python(
            &server,
            "
peer.send(b'hello')
print(peer.recv(100))
peer.send(b'quit')
print(peer.recv(100))
print(peer.recv(100))
",
        );
        python.exits_with(0);
        assert_eq!(python.stdout.text(), "b'hello'\nb'quit'\nb''");
    }
}

#[test]
fn pythons_socket_hears_the_abort() {
    for style in STYLES {
        let server = Server::start(&["--style", style]);
        let mut python = python(
            &server,
            "
peer.send(b'abort so long')
try:
    print(peer.recv(100))
except ConnectionResetError as error:
    print('reset')
",
        );
        python.exits_with(0);
        assert_eq!(python.stdout.text(), "reset");
    }
}

/// A one-to-one socket can abort, with no reason to give.
#[test]
fn pythons_abort_is_told() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style]);
        let mut python = python(
            &server,
            "
peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
peer.send(b'hello')
print(peer.recv(100))
peer.close()
",
        );
        python.exits_with(0);
        let line = server.closed();
        assert!(line.contains("end=aborted by the peer"), "{line}");
    }
}

#[test]
fn socat_serves_our_client() {
    let mut socat = spawn(
        "socat",
        &["-d", "-d", "SCTP-LISTEN:0,bind=127.0.0.1", "EXEC:cat"],
    );
    let line = socat.stderr.find("listening on ");
    let addr = line.rsplit(' ').next().unwrap();
    let mut client = client(&[addr], &[]);
    client.line("[0]hello");
    assert!(client.stdout.next().ends_with("): hello"));
    client.end_of_input();
    client.exits_with(0);
}

#[test]
fn python_serves_our_client() {
    let program = "
import socket, struct
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
listener.bind(('127.0.0.1', 0))
listener.listen()
print('%s:%d' % listener.getsockname(), flush=True)
for linger in [0, 1]:
    peer, _ = listener.accept()
    peer.send(peer.recv(100).upper())
    peer.recv(100)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', linger, 0))
    peer.close()
";
    let mut python = spawn("python3", &["-c", program]);
    let addr = python.stdout.next();
    for (status, end) in [(3, "shut down by the peer"), (4, "aborted by the peer")] {
        let mut client = client(&[&addr], &[]);
        client.line("[5]hello");
        assert!(client.stdout.next().ends_with("): HELLO"));
        client.line("[0]end");
        client.exits_with(status);
        assert!(
            client
                .stderr
                .text()
                .contains(&format!("the association is over: {end}"))
        );
    }
    python.exits_with(0);
}
