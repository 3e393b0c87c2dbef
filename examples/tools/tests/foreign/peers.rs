//! ncat, socat and lksctp-tools, at the other end.

use crate::{
    fetched::{darn_server, ncat_server, sctp_test_client, socat_as_tcp, spawn},
    support::{Server, netns::NetNs, sctp_in},
    table::proved,
};

#[test]
fn ncat_is_answered_and_hears_the_end() {
    let mut server = Server::start(&["--echo"]);
    let mut ncat = spawn("ncat", &["--sctp", "127.0.0.1", server.port()]);
    ncat.line("hello");
    assert_eq!(ncat.stdout.next(), "hello");
    // ncat sends the line end too.
    assert_eq!(server.program.stdout.next(), "hello\\n");
    ncat.end_of_input();
    ncat.exits_with(0);
    assert!(server.closed().ends_with("shut down by peer"));

    let server = Server::start(&[
        "--reply-hex",
        "6c61737420776f726473",
        "--shutdown",
        "after-ack",
    ]);
    let args = ["--sctp", "--no-shutdown", "127.0.0.1", server.port()];
    let mut ncat = spawn("ncat", &args);
    ncat.line("hello");
    ncat.exits_with(0);
    assert_eq!(ncat.stdout.text(), "last words");
    proved(
        ncat_is_answered_and_hears_the_end,
        &[(
            "ncat",
            "client",
            "an echo of `sctp listen`, which hears its orderly end; a fixed reply, then the end of the stream",
        )],
    );
}

#[test]
fn ncat_serves_each_subcommand() {
    let namespace = NetNs::new();
    let _ncat = ncat_server(&namespace);
    for end in ["shutdown", "abort=so long"] {
        let args = [
            "send",
            "127.0.0.1:6001",
            "-m",
            "one",
            "--expect",
            "1",
            "--end",
            end,
        ];
        let mut send = sctp_in(&namespace, &args);
        send.exits_with(0);
        assert_eq!(send.stdout.text(), "one");
    }
    sctp_in(&namespace, &["probe", "127.0.0.1:6001"]).exits_with(0);
    let args = ["load", "127.0.0.1:6001", "-n", "100", "-a", "2", "--quiet"];
    let mut load = sctp_in(&namespace, &args);
    load.exits_with(0);
    proved(
        ncat_serves_each_subcommand,
        &[(
            "ncat",
            "server",
            "an echo to `sctp send`, which shuts down and aborts; an association for `sctp probe`; 100 echoes to `sctp load` on two associations",
        )],
    );
}

#[test]
fn sctp_darn_hears_each_end_of_send() {
    let namespace = NetNs::new();
    let mut darn = darn_server(&namespace);
    for (end, expected) in [
        ("shutdown", "ASSOC_CHANGE - SHUTDOWN_COMP"),
        ("abort=so long", "ASSOC_CHANGE - COMM_LOST"),
    ] {
        let args = [
            "send",
            "127.0.0.1:6002",
            "-m",
            "hello",
            "-s",
            "3",
            "-p",
            "46",
            "--end",
            end,
        ];
        sctp_in(&namespace, &args).exits_with(0);
        darn.stdout.find("ASSOC_CHANGE - COMM_UP");
        darn.stdout.find("sinfo_stream 3");
        darn.stdout.find("DATA(5):  hell"); // it leaves out the last byte
        darn.stdout.find(expected);
    }
    proved(
        sctp_darn_hears_each_end_of_send,
        &[(
            "sctp_darn",
            "server",
            "a message of `sctp send` on stream 3, before its shutdown and before its abort",
        )],
    );
}

/// It sends unordered messages of up to four packets.
#[test]
fn sctp_test_sends_to_listen() {
    let mut server = Server::start(&["--print", "json"]);
    sctp_test_client(server.port(), "1").exits_with(0);
    let message = server.program.stdout.next();
    assert!(message.contains(r#""unordered":true"#), "{message}");
    assert!(server.closed().contains("by peer"));
    proved(
        sctp_test_sends_to_listen,
        &[(
            "sctp_test",
            "client",
            "messages that `sctp listen` prints as unordered; it hears that the program left",
        )],
    );
}

#[test]
fn socat_with_withsctp_takes_listen_for_tcp() {
    let mut server = Server::start(&["--echo"]);
    let mut socat = socat_as_tcp(server.addr());
    socat.line("hello");
    assert_eq!(socat.stdout.next(), "hello");
    socat.end_of_input();
    socat.exits_with(0);
    assert!(server.closed().ends_with("shut down by peer"));
    proved(
        socat_with_withsctp_takes_listen_for_tcp,
        &[(
            "withsctp",
            "client",
            "an echo of `sctp listen` to socat, which takes it for TCP; its orderly end",
        )],
    );
}
