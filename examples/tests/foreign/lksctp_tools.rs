//! The programs of lksctp-tools.

use std::net::SocketAddr;

use sctp_service::{AbortReason, End, Side};
use sctp_tokio::{Association, Message};
use tokio::{runtime::Runtime, sync::oneshot};

use super::{
    STYLES,
    fetched::{darn_server, sctp_test_client},
    netns::NetNs,
    spawn, spawn_in,
    support::{Server, within},
    table::proved,
};

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
            line.contains("end=shut down ") && line.contains("requests=1 sent=1"),
            "{line}"
        );
        darn.end_of_input();
        darn.status();
    }
    proved(
        sctp_darn_is_answered_and_shut_down,
        &[(
            "sctp_darn",
            "client",
            "its message is answered; our AfterAck ends the association in order",
        )],
    );
}

/// It sends unordered messages of up to four packets.
#[test]
fn sctp_test_sends_messages_of_many_sizes() {
    for style in STYLES {
        for case in ["0", "1", "2", "3", "4"] {
            let mut server = Server::start(&["--style", style]);
            sctp_test_client(server.port(), case).exits_with(0);
            let line = server.closed();
            assert!(line.contains("by peer"), "{line}");
        }
    }
    proved(
        sctp_test_sends_messages_of_many_sizes,
        &[(
            "sctp_test",
            "client",
            "messages of up to four packets, and leaves without reading the echoes; our server hears that it left",
        )],
    );
}

#[test]
fn sctp_darn_receives_from_our_client_and_hears_each_end() {
    let namespace = NetNs::new();
    let mut darn = darn_server(&namespace);
    for (how, heard) in [
        (How::Shutdown, "ASSOC_CHANGE - SHUTDOWN_COMP"),
        (How::Abort, "ASSOC_CHANGE - COMM_LOST"),
    ] {
        send_on_two_streams(&namespace, "127.0.0.1:6002", how, |client| {
            darn.stdout.find("ASSOC_CHANGE - COMM_UP");
            for stream in ["sinfo_stream 3", "sinfo_stream 5"] {
                darn.stdout.find(stream);
                darn.stdout.find("DATA(5):  hell"); // it leaves out the last byte
            }
            client.end();
            darn.stdout.find(heard);
        });
    }
    proved(
        sctp_darn_receives_from_our_client_and_hears_each_end,
        &[(
            "sctp_darn",
            "server",
            "messages on two streams; it hears our client's orderly end, and its abort",
        )],
    );
}

#[test]
fn sctp_test_receives_from_our_client_and_hears_each_end() {
    let namespace = NetNs::new();
    let args = ["-H", "127.0.0.1", "-P", "6003", "-l"];
    let mut test = spawn_in(&namespace, "sctp_test", &args);
    test.stdout.find("Server: Receiving packets.");
    for (how, heard) in [
        (How::Shutdown, "SCTP_ASSOC_CHANGE(SHUTDOWN_COMPLETE)"),
        (How::Abort, "SCTP_ASSOC_CHANGE(COMMUNICATION_LOST)"),
    ] {
        send_on_two_streams(&namespace, "127.0.0.1:6003", how, |client| {
            test.stdout.find("SCTP_ASSOC_CHANGE(COMMUNICATION_UP)");
            for _ in 0..2 {
                test.stdout.find("Data 5 bytes. First 5 bytes: hello");
            }
            client.end();
            test.stdout.find(heard);
        });
    }
    proved(
        sctp_test_receives_from_our_client_and_hears_each_end,
        &[(
            "sctp_test",
            "server",
            "messages on two streams; it hears our client's orderly end, and its abort",
        )],
    );
}

#[derive(Clone, Copy)]
enum How {
    Abort,
    Shutdown,
}

/// A client that waits for the word to end its association.
struct Waiting {
    end: oneshot::Sender<()>,
}

impl Waiting {
    fn end(self) {
        self.end.send(()).unwrap();
    }
}

/// Has a client send, while this thread looks at what arrives.
fn send_on_two_streams(namespace: &NetNs, server: &str, how: How, look: impl FnOnce(Waiting)) {
    let server: SocketAddr = server.parse().unwrap();
    let (end, word) = oneshot::channel();
    let ended = namespace.start(move || async move {
        let mut association = Association::connect(server).await.unwrap();
        for stream in [3, 5] {
            let message = Message::new("hello").on_stream(stream);
            association.send(message).await.unwrap();
        }
        word.await.unwrap();
        if let How::Abort = how {
            let reason = AbortReason::from_static("so long");
            association.abort(&reason).unwrap();
            return association.discard_until_closed().await.unwrap();
        }
        association.shutdown().await.unwrap()
    });
    look(Waiting { end });
    let end = Runtime::new().unwrap().block_on(within("the end", ended));
    match how {
        How::Abort => assert!(matches!(
            end,
            End::Aborted {
                by: Side::Local,
                ..
            }
        )),
        How::Shutdown => assert!(matches!(end, End::Shutdown { by: Side::Local })),
    }
}
