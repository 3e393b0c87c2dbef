//! pysctp: Python with streams, payload protocol identifiers, notifications and abort reasons.

use super::{
    STYLES, fetched, foreign,
    support::{Program, Server, client},
    table::proved,
};

/// Runs a Python program that finds the server's port in its first argument. Payload protocol
/// identifiers are in network byte order where it sends, and in its own where it receives.
fn pysctp(port: &str, program: &str) -> Program {
    let mut command = foreign("python3");
    command
        .args(["-uc", &format!("{COMMON}{program}"), port])
        .env("PYTHONPATH", fetched("python"));
    Program::spawn(command)
}

const COMMON: &str = "
import sctp, socket, sys
address = ('127.0.0.1', int(sys.argv[1]))
def prepared(peer):
    peer.events.clear()
    peer.events.data_io = 1
    peer.events.association = 1
    peer.events.shutdown = 1
    return peer
names = {
    sctp.assoc_change.state_COMM_UP: 'up',
    sctp.assoc_change.state_COMM_LOST: 'lost',
    sctp.assoc_change.state_SHUTDOWN_COMP: 'over',
}
def show_event(info):
    print(names[info.state] if info.type == info.type_ASSOC_CHANGE else 'shutdown', info.length)
def show(peer):
    _, flags, data, info = peer.sctp_recv(1000)
    if flags & sctp.FLAG_NOTIFICATION:
        show_event(info)
    else:
        print('stream', info.stream, 'ppid', info.ppid, data)
";

#[test]
fn pysctp_talks_on_streams_and_hears_both_terminations() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style]);
        let mut python = pysctp(
            server.port(),
            "
peer = prepared(sctp.sctpsocket_udp(socket.AF_INET))
def send(data, stream, ppid):
    peer.sctp_send(data, to=address, stream=stream, ppid=socket.htonl(ppid))
for end in [b'quit', b'abort so long']:
    send(b'hello', 3, 46)
    send(b'hello', 7, 60)
    for _ in range(3):
        show(peer)
    send(end, 3, 46)
    for _ in range(3 if end == b'quit' else 1):
        show(peer)
",
        );
        python.exits_with(0);
        let printed = python.stdout.text();
        let mut lines: Vec<&str> = printed.lines().collect();
        for first in [1, 7] {
            lines[first..first + 2].sort_unstable(); // streams do not wait for each other
        }
        let both = [
            "up 20",
            "stream 3 ppid 46 b'hello'",
            "stream 7 ppid 60 b'hello'",
        ];
        let quit = ["stream 3 ppid 46 b'quit'", "shutdown 12", "over 20"];
        // Its abort event has the length of an event with a cause, which has the reason.
        let lost = ["lost 31"];
        assert_eq!(lines, [&both[..], &quit, &both, &lost].concat());
        assert!(server.closed().contains("end=shut down lasted"));
        assert!(server.closed().contains("end=aborted reason=so long"));
    }
    proved(
        pysctp_talks_on_streams_and_hears_both_terminations,
        &[(
            "pysctp",
            "client",
            "echoes on two streams with their payload protocol identifiers; our AfterAck: the reply, then SHUTDOWN COMP; our Abort: COMM LOST with a cause as long as our reason's",
        )],
    );
}

#[test]
fn pysctps_terminations_are_told() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style]);
        let mut python = pysctp(
            server.port(),
            "
peer = prepared(sctp.sctpsocket_udp(socket.AF_INET))
for end in [dict(msg='', flags=sctp.MSG_EOF), dict(msg='so long', flags=sctp.MSG_ABORT)]:
    peer.sctp_send(b'hello', to=address, stream=3)
    show(peer), show(peer)
    peer.sctp_send(to=address, **end)
    show(peer)
",
        );
        python.exits_with(0);
        assert!(server.closed().contains("end=shut down by peer"));
        let line = server.closed();
        let aborted = r#"end=aborted by peer, reason "so long""#;
        assert!(line.contains(aborted), "{line}");
    }
    proved(
        pysctps_terminations_are_told,
        &[(
            "pysctp",
            "client",
            "our server hears its orderly end, and its abort with the reason",
        )],
    );
}

#[test]
fn pysctp_serves_our_client() {
    let mut python = pysctp(
        "0",
        "
server = prepared(sctp.sctpsocket_udp(socket.AF_INET))
server.bind(address)
server.listen(5)
print('%s:%d' % server.getsockname(), flush=True)
while True:
    client, flags, data, info = server.sctp_recv(1000)
    if flags & sctp.FLAG_NOTIFICATION:
        show_event(info)
    elif data == b'end':
        server.sctp_send('', to=client, flags=sctp.MSG_EOF)
    elif data == b'abort':
        server.sctp_send('so long', to=client, flags=sctp.MSG_ABORT)
    else:
        server.sctp_send(data.upper(), to=client, stream=info.stream,
                         ppid=socket.htonl(info.ppid))
",
    );
    let addr = python.stdout.next();
    let talk = |args: &[&str]| {
        let mut client = client(&[&addr], args);
        for stream in ["0", "3"] {
            client.line(format!("[{stream}]hello"));
            let reply = client.stdout.next();
            assert!(
                reply.starts_with(&format!("From str:{stream} seq:0 ")),
                "{reply}"
            );
            assert!(reply.ends_with("): HELLO"), "{reply}");
        }
        client
    };
    for (line, status, end) in [
        ("[0]end", 3, "shut down by peer"),
        ("[0]abort", 4, r#"aborted by peer, reason "so long""#),
    ] {
        let mut client = talk(&[]);
        client.line(line);
        client.exits_with(status);
        let said = client.stderr.text();
        assert!(
            said.contains(&format!("the association is over: {end}")),
            "{said}"
        );
    }
    // Then what it hears: a SHUTDOWN, and a lost association with a cause, which has the reason.
    for (args, events) in [
        (&[][..], ["shutdown 12", "over 20"].as_slice()),
        (&["--abort", "so long"], &["lost 31"]),
    ] {
        let mut client = talk(args);
        client.end_of_input();
        client.exits_with(0);
        for event in events {
            python.stdout.find(event);
        }
    }
    proved(
        pysctp_serves_our_client,
        &[(
            "pysctp",
            "server",
            "answers on two streams; our client hears its orderly end, and its abort with the reason; it hears ours, the abort with a cause as long as our reason's",
        )],
    );
}
