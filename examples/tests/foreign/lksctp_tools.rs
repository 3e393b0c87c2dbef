//! The programs of lksctp-tools.

use super::{
    STYLES, foreign, spawn,
    support::{Program, Server},
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
            line.contains("end=shut down ") && line.contains("requests: 1, sent: 1"),
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
    proved(
        sctp_test_sends_messages_of_many_sizes,
        &[(
            "sctp_test",
            "client",
            "messages of up to four packets, and leaves without reading the echoes; our server hears that it left",
        )],
    );
}
