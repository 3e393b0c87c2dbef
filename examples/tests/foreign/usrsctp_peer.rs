//! usrsctp with a peer of ours on it, `usrsctp-peer.c`: streams, identifiers, and both
//! terminations from its side, the abort with a reason.

use std::process::Command;

use super::{
    STYLES, client_in, fetched,
    netns::NetNs,
    server_in,
    support::Program,
    table::proved,
    usrsctp::{LINUX, USRSCTP, udp_namespace},
};

/// Compiles the peer; each test does so for itself.
fn compiled(name: &str) -> String {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/usrsctp-peer.c");
    let program = format!("{}/usrsctp-peer-{name}", env!("CARGO_TARGET_TMPDIR"));
    let status = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-pthread", "-o", &program])
        .arg(source)
        .arg("-I")
        .arg(fetched("include"))
        .arg("-L")
        .arg(fetched("lib"))
        .arg("-l:libusrsctp.so.2")
        .status();
    assert!(status.unwrap().success());
    program
}

fn spawn(program: &str, namespace: &NetNs, role: &str, port: &str) -> Program {
    let mut peer = Command::new(program);
    peer.env("LD_LIBRARY_PATH", fetched("lib"));
    peer.args([USRSCTP, LINUX, role, port]);
    Program::spawn(namespace.command(&peer))
}

#[test]
fn usrsctp_talks_to_our_server_on_streams_and_both_hear_each_termination() {
    let program = compiled("client");
    for style in STYLES {
        let namespace = udp_namespace();
        let mut server = server_in(&namespace, &["--style", style]);
        for (command, heard, end) in [
            ("shutdown", &["over"][..], "end=shut down by peer"),
            (
                "abort as you wish",
                &["lost"],
                r#"end=aborted by peer, reason "as you wish""#,
            ),
            (
                "send 9 46 quit",
                &["stream 9 ppid 46 quit", "shutdown", "over"],
                "end=shut down lasted",
            ),
            (
                "send 9 46 abort so long",
                &["lost: cause 12 so long"],
                "end=aborted reason=so long",
            ),
        ] {
            let mut peer = spawn(&program, &namespace, "connect", server.port());
            assert_eq!(peer.stdout.next(), "up");
            for message in ["0 46 hello", "7 60 hello", "7 4294967295 again"] {
                peer.line(format!("send {message}"));
                let (stream, rest) = message.split_once(' ').unwrap();
                assert_eq!(peer.stdout.next(), format!("stream {stream} ppid {rest}"));
            }
            peer.line(command);
            for line in heard {
                assert_eq!(&peer.stdout.next(), line);
            }
            let line = server.closed();
            assert!(line.contains(end), "{line}");
        }
    }
    proved(
        usrsctp_talks_to_our_server_on_streams_and_both_hear_each_termination,
        &[(
            "usrsctp",
            "client",
            "inside UDP, echoes on three streams with their payload protocol identifiers; our server hears its orderly end, and its abort with the reason; it hears our AfterAck: the reply, SHUTDOWN, SHUTDOWN COMP; and our Abort: COMM LOST with cause 12 and the reason",
        )],
    );
}

/// The namespace is its own, so any port will do.
#[test]
fn usrsctp_serves_our_client_and_both_hear_each_termination() {
    let namespace = udp_namespace();
    let mut peer = spawn(&compiled("server"), &namespace, "listen", "5001");
    assert_eq!(peer.stdout.next(), "listening");
    let connect = |peer: &mut Program, args: &[&str]| {
        let mut client = client_in(&namespace, &[&["127.0.0.1:5001"], args].concat());
        assert_eq!(peer.stdout.next(), "up");
        for stream in [0, 7] {
            client.line(format!("[{stream}]hello"));
            assert_eq!(peer.stdout.next(), format!("stream {stream} ppid 0 hello"));
            peer.line(format!("send {stream} 46 HELLO"));
            let reply = client.stdout.next();
            assert!(
                reply.starts_with(&format!("From str:{stream} seq:0 ")),
                "{reply}"
            );
            assert!(reply.ends_with("): HELLO"), "{reply}");
        }
        client
    };
    for (command, heard, status, end) in [
        ("shutdown", "over", 3, "shut down by peer"),
        (
            "abort as you wish",
            "lost",
            4,
            r#"aborted by peer, reason "as you wish""#,
        ),
    ] {
        let mut client = connect(&mut peer, &[]);
        peer.line(command);
        client.exits_with(status);
        let said = client.stderr.text();
        assert!(
            said.contains(&format!("the association is over: {end}")),
            "{said}"
        );
        assert_eq!(peer.stdout.next(), heard);
    }
    for (args, heard) in [
        (&[][..], &["shutdown", "over"][..]),
        (&["--abort", "so long"], &["lost: cause 12 so long"]),
    ] {
        let mut client = connect(&mut peer, args);
        client.end_of_input();
        client.exits_with(0);
        for line in heard {
            assert_eq!(&peer.stdout.next(), line);
        }
    }
    proved(
        usrsctp_serves_our_client_and_both_hear_each_termination,
        &[(
            "usrsctp",
            "server",
            "inside UDP, answers on two streams; our client hears its orderly end, and its abort with the reason; it hears ours: SHUTDOWN and SHUTDOWN COMP, and COMM LOST with cause 12 and the reason",
        )],
    );
}
