//! Traces, read by tshark.

use crate::{
    fetched::spawn,
    support::{File, Server, sctp, sctp_with},
    table::proved,
};

/// ASP Up of M3UA.
const ASP_UP: &str = "01 00 03 01 00 00 00 08";

/// The fields of each packet of a trace, separated by semicolons.
#[track_caller]
fn decode(trace: &File, fields: &[&str]) -> Vec<String> {
    let mut args = vec!["-n", "-r", trace.path(), "-o", "sctp.checksum:CRC-32C"];
    args.extend(["-T", "fields", "-E", "separator=;"]);
    for field in fields {
        args.extend(["-e", field]);
    }
    let mut tshark = spawn("tshark", &args);
    tshark.exits_with(0);
    tshark.stdout.text().lines().map(str::to_owned).collect()
}

#[test]
fn tshark_reads_traces_of_both_ends() {
    for (listen, family) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        let (client, server_trace) = (File::new("pcapng"), File::new("pcapng"));
        let args = ["--echo", "--trace", server_trace.path()];
        let mut server = Server::on(listen, &args);
        let message = ["-m", ASP_UP, "-m", ASP_UP, "--hex", "-s", "5", "-p", "m3ua"];
        let rest = [
            "--expect",
            "2",
            "--end",
            "abort=so long",
            "--trace",
            client.path(),
        ];
        let port = server.port().to_owned();
        sctp_with(
            "",
            &[&["send", server.addr()], &message[..], &rest].concat(),
            0,
        );
        assert!(
            server
                .closed()
                .ends_with(r#"aborted by peer, reason "so long""#)
        );
        let shared = [
            "sctp.data_sid",
            "sctp.data_ssn",
            "sctp.data_payload_proto_id",
            "m3ua.message_class",
            "m3ua.message_type",
        ];
        let sent = |ssn: u32| format!("0x0005;{ssn};3;3;1");
        let address = if family == "::1" {
            "ipv6.dst"
        } else {
            "ip.dst"
        };
        let ends = ["sctp.dstport", address, "sctp.checksum.status"];
        let packets = decode(&client, &[&shared[..], &ends].concat());
        let requests: Vec<_> = packets
            .iter()
            .filter(|packet| packet.contains(&port))
            .collect();
        for (ssn, request) in (0..2).zip(&requests) {
            assert_eq!(**request, format!("{};{port};{family};1", sent(ssn)));
        }
        // Two messages, two echoes, and the abort.
        assert_eq!((packets.len(), requests.len()), (5, 3), "{packets:#?}");
        let abort = decode(&client, &["sctp.chunk_type", "sctp.cause_information"]);
        assert_eq!(abort[4], "6;736f206c6f6e67"); // "so long"

        let packets = decode(&server_trace, &shared);
        for ssn in 0..2 {
            let same = packets.iter().filter(|packet| **packet == sent(ssn));
            assert_eq!(same.count(), 2, "{packets:#?}");
        }
    }
    proved(
        tshark_reads_traces_of_both_ends,
        &[(
            "tshark",
            "decoder",
            "traces of `sctp send` and `sctp listen` over IPv4 and IPv6: addresses, streams, sequence numbers, M3UA by its identifier, right checksums, an abort with its reason",
        )],
    );
}

#[test]
fn tshark_joins_long_messages_of_traces() {
    let trace = File::new("pcapng");
    let server = Server::echo();
    let mut client = sctp(&[
        "send",
        server.addr(),
        "--expect",
        "1",
        "--trace",
        trace.path(),
        "--print",
        "none",
    ]);
    client.write(&[b'x'; 100_000]);
    client.end_of_input();
    client.exits_with(0);
    let lengths = decode(&trace, &["data.len", "sctp.chunk_type"]);
    let whole = lengths
        .iter()
        .filter(|packet| packet.starts_with("100000;"));
    assert_eq!(whole.count(), 2, "{lengths:#?}");
    proved(
        tshark_joins_long_messages_of_traces,
        &[(
            "tshark",
            "decoder",
            "a message of 100000 bytes in a trace, and its echo",
        )],
    );
}

#[test]
fn tshark_reads_traces_of_load_and_probe() {
    let server = Server::echo();
    let trace = File::new("pcapng");
    let load = [
        "load",
        server.addr(),
        "-n",
        "100",
        "-a",
        "2",
        "-c",
        "4",
        "--quiet",
    ];
    sctp_with("", &[&load[..], &["--trace", trace.path()]].concat(), 0);
    let chunks = decode(&trace, &["sctp.chunk_type"]);
    assert_eq!(chunks.iter().filter(|chunk| *chunk == "0").count(), 200);

    sctp_with(
        "",
        &["probe", "--quiet", server.addr(), "--trace", trace.path()],
        0,
    );
    assert_eq!(decode(&trace, &["sctp.chunk_type"]), ["7"]);
    proved(
        tshark_reads_traces_of_load_and_probe,
        &[(
            "tshark",
            "decoder",
            "a trace of `sctp load` with each message and each echo, and one of `sctp probe` with its SHUTDOWN",
        )],
    );
}
