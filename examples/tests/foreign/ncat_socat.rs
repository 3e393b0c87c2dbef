//! ncat and socat, which know SCTP as they know TCP; and programs that know only TCP, with the
//! library of lksctp-tools' withsctp, which makes TCP sockets SCTP sockets.

use super::{
    STYLES, client_in,
    fetched::{ncat_server, socat_as_tcp},
    netns::NetNs,
    spawn,
    support::{Server, client},
    table::proved,
};

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
        assert!(server.closed().contains("end=shut down by peer"));
    }
    proved(
        ncat_is_echoed_and_ends_in_order,
        &[(
            "ncat",
            "client",
            "two echoes; our server hears its orderly end",
        )],
    );
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
    proved(
        ncat_gets_the_reply_and_then_the_orderly_end,
        &[(
            "ncat",
            "client",
            "our AfterAck: the reply, then the end of the stream",
        )],
    );
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
            assert!(server.closed().contains("end=shut down by peer"));
        }
    }
    proved(
        socat_is_echoed,
        &[(
            "socat",
            "client",
            "an echo over IPv4 and over IPv6; our server hears its orderly end",
        )],
    );
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
    proved(
        socat_serves_our_client,
        &[("socat", "server", "an echo; our orderly end ends it")],
    );
}

#[test]
fn socat_with_withsctp_takes_us_for_tcp() {
    for style in STYLES {
        let mut server = Server::start(&["--style", style]);
        let mut socat = socat_as_tcp(server.addr());
        socat.line("hello");
        assert_eq!(socat.stdout.next(), "hello");
        socat.end_of_input();
        socat.exits_with(0);
        assert!(server.closed().contains("end=shut down by peer"));
    }
    proved(
        socat_with_withsctp_takes_us_for_tcp,
        &[(
            "withsctp",
            "client",
            "an echo to socat, which takes it for TCP; our server hears its orderly end",
        )],
    );
}

#[test]
fn ncat_serves_our_client_and_survives_its_abort() {
    let namespace = NetNs::new();
    let _ncat = ncat_server(&namespace);
    for args in [&[][..], &["--abort", "so long"], &[]] {
        let mut client = client_in(&namespace, &[&["127.0.0.1:6001"], args].concat());
        for line in ["[0]hello", "[3]again"] {
            client.line(line);
            assert!(
                client
                    .stdout
                    .next()
                    .ends_with(&format!("): {}", &line[3..]))
            );
        }
        client.end_of_input();
        client.exits_with(0);
    }
    proved(
        ncat_serves_our_client_and_survives_its_abort,
        &[(
            "ncat",
            "server",
            "echoes to three clients of ours, of which the second aborts",
        )],
    );
}
