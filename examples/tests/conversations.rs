//! Echo server and client in conversation: the textbook's figures, both terminations, both styles
//! of socket.

mod support;

use sctp_tokio::{AbortReason, SocketBuilder};
use support::{Program, Server, client};

const STYLES: [&str; 2] = ["peel-off", "one-to-many"];
/// Number of streams that both ends request.
const STREAMS: u16 = SocketBuilder::OUTBOUND_STREAMS;

/// Checks the textbook's form of a reply, whatever the association's number.
#[track_caller]
fn expect_reply(client: &mut Program, stream: u16, seq: u16, text: &str) {
    let line = client.stdout.next();
    let rest = line.strip_prefix(&format!("From str:{stream} seq:{seq} (assoc:0x"));
    let number = rest.and_then(|rest| rest.strip_suffix(&format!("): {text}")));
    let number = number.unwrap_or_else(|| panic!("{line:?} is not {text:?} on stream {stream}"));
    assert!(u32::from_str_radix(number, 16).is_ok(), "{line}");
}

#[test]
fn each_stream_has_its_own_order() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style]);
        let mut client = server.client(&[]);
        for (stream, seq, text) in [
            (0, 0, "a"),
            (3, 0, "b"),
            (0, 1, "c"),
            (9, 0, "é"),
            (3, 1, "e"),
        ] {
            client.line(format!("[{stream}]{text}"));
            expect_reply(&mut client, stream, seq, text);
        }
        client.end_of_input();
        client.exits_with(0);
        assert!(server.closed().contains("end=shut down by peer"));
    }
}

#[test]
fn style_decides_how_many_sockets_the_server_has() {
    for (style, sockets_for_two) in [("peel-off", 2), ("one-to-many", 0)] {
        let server = Server::start(&["--style", style]);
        let idle = server.program.sockets();
        let mut clients = [server.client(&[]), server.client(&[])];
        for client in &mut clients {
            client.line("[0]hello");
            expect_reply(client, 0, 0, "hello");
        }
        assert_eq!(server.program.sockets() - idle, sockets_for_two, "{style}");
    }
}

/// The textbook's figure 10.11: the server sets MSG_EOF on every reply.
#[test]
fn after_ack_delivers_the_reply_and_then_an_orderly_end() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style, "--shutdown", "after-ack"]);
        for _ in 0..2 {
            let mut client = server.client(&[]);
            client.line("[1]last words");
            expect_reply(&mut client, 1, 0, "last words");
            client.exits_with(3);
            assert_eq!(
                client.stderr.text(),
                "echo-client: the association is over: shut down by peer"
            );
            assert!(server.closed().contains("end=shut down "));
        }
    }
}

/// The textbook's figure 10.12: the client aborts, and the reason is its message.
#[test]
fn reason_of_the_clients_abort_reaches_the_servers_log() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style]);
        let mut client = server.client(&["--abort", "goodbye"]);
        client.line("[0]hello");
        expect_reply(&mut client, 0, 0, "hello");
        client.end_of_input();
        client.exits_with(0);
        let line = server.closed();
        assert!(
            line.contains(r#"end=aborted by peer, reason "goodbye""#),
            "{line}"
        );
    }
}

#[test]
fn abort_of_every_reply_carries_its_reason() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style, "--shutdown", "abort=not today"]);
        let mut client = server.client(&[]);
        client.line("[0]hello");
        client.exits_with(4);
        assert_eq!(client.stdout.text(), "");
        assert_eq!(
            client.stderr.text(),
            r#"echo-client: the association is over: aborted by peer, reason "not today""#
        );
        let line = server.closed();
        assert!(line.contains("end=aborted reason=not today"), "{line}");
    }
}

#[test]
fn quit_is_echoed_and_ends_its_association_alone() {
    for style in STYLES {
        let server = Server::start(&["--style", style]);
        let mut stays = server.client(&[]);
        stays.line("[0]one");
        expect_reply(&mut stays, 0, 0, "one");
        let mut quits = server.client(&[]);
        quits.line("[4]quit");
        expect_reply(&mut quits, 4, 0, "quit");
        quits.exits_with(3);
        stays.line("[0]two");
        expect_reply(&mut stays, 0, 1, "two");
        stays.end_of_input();
        stays.exits_with(0);
    }
}

#[test]
fn abort_gives_its_reason_and_ends_its_association_alone() {
    let longest = "x".repeat(AbortReason::MAX_LEN);
    for style in STYLES {
        let server = Server::start(&["--style", style]);
        let mut stays = server.client(&[]);
        for (seq, reason) in ["", "!", "so long", longest.as_str()]
            .into_iter()
            .enumerate()
        {
            let mut aborted = server.client(&[]);
            aborted.line(format!("[0]abort {reason}"));
            aborted.exits_with(4);
            let told = match reason {
                "" => ", no reason given".to_owned(),
                _ => format!(", reason \"{reason}\""),
            };
            let expected = format!("echo-client: the association is over: aborted by peer{told}");
            assert_eq!(aborted.stderr.text(), expected);
            stays.line("[0]still here");
            expect_reply(&mut stays, 0, u16::try_from(seq).unwrap(), "still here");
        }
    }
}

#[test]
fn reason_that_is_not_utf8_is_told_byte_for_byte() {
    let server = Server::start(&[]);
    let mut client = server.client(&[]);
    client.line(b"[0]abort \xff\x00\x1b");
    client.exits_with(4);
    assert!(client.stderr.text().ends_with(r#"reason "\xff\x00\x1b""#));
}

#[test]
fn stream_increment_wraps_at_the_negotiated_count() {
    for style in STYLES {
        let server = Server::start(&["--style", style, "--stream-increment"]);
        let mut client = server.client(&[]);
        for stream in 0..STREAMS {
            client.line(format!("[{stream}]next"));
            expect_reply(&mut client, (stream + 1) % STREAMS, 0, "next");
        }
    }
}

#[test]
fn echo_all_goes_out_on_every_stream() {
    for style in STYLES {
        let server = Server::start(&["--style", style]);
        let mut client = server.client(&["--echo-all"]);
        for seq in 0..2 {
            client.line("hello");
            let mut streams: Vec<u16> = Vec::new();
            for _ in 0..STREAMS {
                let line = client.stdout.next();
                let (head, text) = line.split_once("): ").unwrap();
                let stream = text.strip_prefix("hello.msg.").unwrap().to_owned();
                assert!(
                    head.starts_with(&format!("From str:{stream} seq:{seq} ")),
                    "{line}"
                );
                streams.push(stream.parse().unwrap());
            }
            streams.sort_unstable();
            assert_eq!(streams, Vec::from_iter(0..STREAMS));
        }
        client.end_of_input();
        client.exits_with(0);
    }
}

#[test]
fn multi_homed_server_answers_on_each_address() {
    for style in STYLES {
        let listen = ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"];
        let server = Server::on(&listen, &["--style", style]);
        assert_eq!(server.addrs.len(), 3);
        for addr in &server.addrs {
            let mut client = client(&[addr], &[]);
            client.line("[0]hello");
            expect_reply(&mut client, 0, 0, "hello");
            client.end_of_input();
            client.exits_with(0);
        }
        let mut all = client(&server.addrs, &[]);
        all.line("[0]hello");
        expect_reply(&mut all, 0, 0, "hello");
    }
}

#[test]
fn ipv6_works_as_well() {
    for style in STYLES {
        let server = Server::on(&["[::1]:0"], &["--style", style]);
        assert!(server.addr().starts_with("[::1]:"), "{}", server.addr());
        let mut client = server.client(&[]);
        client.line("[2]hello");
        expect_reply(&mut client, 2, 0, "hello");
        client.line("[2]quit");
        expect_reply(&mut client, 2, 1, "quit");
        client.exits_with(3);
    }
}

#[test]
fn sigterm_shuts_down_in_order_and_then_ends_the_server() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style]);
        let mut clients = [server.client(&[]), server.client(&[])];
        for client in &mut clients {
            client.line("[0]hello");
            expect_reply(client, 0, 0, "hello");
        }
        server.program.terminate();
        for client in &mut clients {
            client.exits_with(3);
        }
        server.program.exits_with(0);
        let mut late = server.client(&[]);
        late.exits_with(1);
        assert!(late.stderr.text().contains("association refused by "));
    }
}

#[test]
fn long_messages_arrive_whole() {
    for style in STYLES {
        let server = Server::start(&["--style", style]);
        let mut client = server.client(&["--echo-all"]);
        let text = "0123456789".repeat(6_000);
        client.line(&text);
        for _ in 0..10 {
            let line = client.stdout.next();
            assert!(
                line.contains(&format!("): {text}.msg.")),
                "{} bytes",
                line.len()
            );
        }
        client.end_of_input();
        client.exits_with(0);
    }
}
