//! usrsctp's own programs. It is an SCTP stack of its own: nothing of Linux's is on its side. It
//! speaks SCTP inside UDP, which Linux does as well, where a namespace's settings say so.

use std::process::Command;

use super::{
    STYLES, client_in, netns::NetNs, server_in, spawn_in, support::Program, table::proved,
};

/// UDP ports of Linux and of usrsctp for encapsulated SCTP.
pub(crate) const LINUX: &str = "9899";
pub(crate) const USRSCTP: &str = "9902";

/// A namespace whose SCTP comes and goes inside UDP. Sockets that are made before would not.
///
/// While other namespaces come and go, Linux 6.1 fails to open the UDP port in a few of a hundred:
/// then another namespace has to do.
pub(crate) fn udp_namespace() -> NetNs {
    for _ in 0..20 {
        let namespace = NetNs::new();
        let write = format!(
            "cd /proc/sys/net/sctp && echo {LINUX} >udp_port && echo {USRSCTP} >encap_port"
        );
        let mut set = Command::new("sh");
        set.args(["-c", &write]);
        if namespace.command(&set).status().unwrap().success() {
            return namespace;
        }
    }
    panic!("no namespace takes net.sctp.udp_port");
}

/// Its client: lines out, replies in, and notifications in words.
fn usrsctp_client(namespace: &NetNs, port: &str) -> Program {
    spawn_in(
        namespace,
        "usrsctp-client",
        &["127.0.0.1", port, "0", USRSCTP, LINUX],
    )
}

#[test]
fn usrsctps_client_is_echoed_and_ends_in_order() {
    for style in STYLES {
        let namespace = udp_namespace();
        let mut server = server_in(&namespace, &["--style", style]);
        let mut client = usrsctp_client(&namespace, server.port());
        for text in ["hello", "hello again"] {
            client.line(text);
            client.stdout.find(text);
        }
        client.end_of_input();
        client.stdout.find("SCTP_SHUTDOWN_COMP");
        let line = server.closed();
        assert!(line.contains("end=shut down by peer"), "{line}");
        assert!(line.contains("requests=2 sent=2"), "{line}");
        client.exits_with(0);
    }
    proved(
        usrsctps_client_is_echoed_and_ends_in_order,
        &[(
            "usrsctp",
            "client",
            "two echoes inside UDP; our server hears its orderly end",
        )],
    );
}

#[test]
fn usrsctps_client_gets_the_reply_and_then_the_orderly_end() {
    for style in STYLES {
        let namespace = udp_namespace();
        let mut server = server_in(&namespace, &["--style", style, "--shutdown", "after-ack"]);
        let mut client = usrsctp_client(&namespace, server.port());
        client.line("hello");
        client.stdout.find("hello");
        client.stdout.find("SCTP_SHUTDOWN_COMP");
        let line = server.closed();
        assert!(line.contains("end=shut down lasted"), "{line}");
    }
    proved(
        usrsctps_client_gets_the_reply_and_then_the_orderly_end,
        &[(
            "usrsctp",
            "client",
            "our AfterAck: the reply, then SHUTDOWN COMP",
        )],
    );
}

#[test]
fn usrsctps_client_gets_the_abort_with_its_reason() {
    for style in STYLES {
        let namespace = udp_namespace();
        let abort = ["--style", style, "--shutdown", "abort=so long"];
        let mut server = server_in(&namespace, &abort);
        let mut client = usrsctp_client(&namespace, server.port());
        client.line("hello");
        let line = client.stdout.find("SCTP_COMM_LOST");
        // The ABORT chunk: its type, flags and length; the cause 12, its length, and "so long".
        assert!(
            line.ends_with("ABORT = 0x06 0x00 0x00 0x0f 0x00 0x0c 0x00 0x0b 0x73 0x6f 0x20 0x6c 0x6f 0x6e 0x67."),
            "{line}"
        );
        assert!(server.closed().contains("end=aborted reason=so long"));
    }
    proved(
        usrsctps_client_gets_the_abort_with_its_reason,
        &[(
            "usrsctp",
            "client",
            "our Abort: COMM LOST, with the ABORT's cause 12 and our reason",
        )],
    );
}

#[test]
fn usrsctps_server_serves_our_client_on_several_streams() {
    let namespace = udp_namespace();
    let mut server = spawn_in(&namespace, "usrsctp-echo_server", &[USRSCTP, LINUX]);
    for (abort, events) in [
        (&[][..], ["12", "20"].as_slice()), // SHUTDOWN_EVENT, ASSOC_CHANGE
        // An ASSOC_CHANGE with the whole ABORT: a header, a cause's header, and "so long".
        (&["--abort", "so long"], &["35"]),
    ] {
        // Its port is fixed: 7, that of the echo protocol.
        let mut client = client_in(&namespace, &[&["127.0.0.1:7"], abort].concat());
        for stream in ["0", "3", "9"] {
            client.line(format!("[{stream}]hello"));
            let reply = client.stdout.next();
            assert!(
                reply.starts_with(&format!("From str:{stream} seq:0 ")),
                "{reply}"
            );
            assert!(reply.ends_with("): hello"), "{reply}");
            let line = server.stdout.find("Msg of length 5 ");
            assert!(
                line.contains(&format!(" on stream {stream} with SSN 0 ")),
                "{line}"
            );
        }
        client.end_of_input();
        client.exits_with(0);
        for event in events {
            let line = server.stdout.next();
            assert_eq!(line, format!("Notification of length {event} received."));
        }
    }
    proved(
        usrsctps_server_serves_our_client_on_several_streams,
        &[(
            "usrsctp",
            "server",
            "echoes on three streams inside UDP; it hears our client's orderly end, and its abort with the reason",
        )],
    );
}
