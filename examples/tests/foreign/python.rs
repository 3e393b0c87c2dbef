//! Python's own sockets: one-to-one, without streams or reasons.

use super::{
    STYLES, spawn,
    support::{Program, Server, client},
    table::proved,
};

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
    proved(
        pythons_socket_hears_the_orderly_end,
        &[(
            "python",
            "client",
            "an echo; our AfterAck: the reply, then the end of the stream",
        )],
    );
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
    proved(
        pythons_socket_hears_the_abort,
        &[("python", "client", "our Abort: the connection is reset")],
    );
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
        assert!(line.contains("end=aborted by peer"), "{line}");
    }
    proved(
        pythons_abort_is_told,
        &[("python", "client", "our server hears its abort")],
    );
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
    for (status, end) in [(3, "shut down by peer"), (4, "aborted by peer")] {
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
    proved(
        python_serves_our_client,
        &[(
            "python",
            "server",
            "an answer; our client hears its orderly end, and its abort",
        )],
    );
}
