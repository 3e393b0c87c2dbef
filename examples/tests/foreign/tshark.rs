//! tcpdump and tshark: what our two terminations look like to those who decode them.

use sctp_service::Ppid;

use super::{
    STYLES, client_in, netns::NetNs, server_in, spawn, spawn_in, support::Program, table::proved,
};

#[test]
fn ppids_are_those_that_tshark_knows() {
    const LAST: u32 = 200;
    let file = format!("/dev/shm/ppids-{}.pcap", std::process::id());
    std::fs::write(&file, capture_of_each_ppid(LAST)).unwrap();
    let mut tshark = spawn("tshark", &["-n", "-r", &file, "-O", "sctp"]);
    tshark.exits_with(0);
    std::fs::remove_file(&file).unwrap();
    let printed = tshark.stdout.text();
    let names = printed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Payload protocol identifier: "));
    let mut known = 0;
    for (ppid, name) in (1..=LAST).map(Ppid::new).zip(names) {
        if name == format!("Unknown ({ppid})") || name == format!("Unassigned ({ppid})") {
            continue;
        }
        known += 1;
        assert!(ppid.name().is_some(), "{ppid} is {name:?}");
    }
    assert!(known > 60, "{printed}");
    proved(
        ppids_are_those_that_tshark_knows,
        &[(
            "tshark",
            "decoder",
            "each payload protocol identifier that it knows has a name here",
        )],
    );
}

/// A capture with a DATA chunk for each payload protocol identifier up to this one.
fn capture_of_each_ppid(last: u32) -> Vec<u8> {
    const SCTP: u32 = 248; // the type of link
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let mut capture = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, SCTP]);
    for ppid in 1..=last {
        let mut packet = vec![0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]; // ports, tag, checksum
        packet.extend([0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0]); // all of one message, on stream 0
        packet.extend(ppid.to_be_bytes());
        packet.extend([0; 4]); // one byte, and padding
        let length = u32::try_from(packet.len()).unwrap();
        capture.extend(words(&[0, 0, length, length]));
        capture.extend(packet);
    }
    capture
}

/// The chunk types of RFC 9260, as tshark prints them, in the orders that must be seen.
const ASSOCIATION_SETUP: [&str; 4] = ["1", "2", "10", "11"]; // INIT, INIT ACK, COOKIE ECHO, ACK
const MESSAGE_AND_SACK: [&str; 2] = ["0", "3"];
const SHUTDOWN: &str = "7";
const SHUTDOWN_ACK: &str = "8";
const SHUTDOWN_COMPLETE: &str = "14";
const ABORT: &str = "6";

#[test]
fn tshark_sees_both_terminations_as_the_rfc_has_them() {
    let namespace = NetNs::new();
    let file = format!("/dev/shm/terminations-{}.pcap", std::process::id());
    let mut tcpdump = capture(&namespace, &file);
    let mut ports = Vec::new();
    for style in STYLES {
        for (shutdown, status, last) in [
            ("after-ack", 3, "[SHUTDOWN COMPLETE]"),
            ("abort=so long", 4, "[ABORT]"),
        ] {
            let server = server_in(&namespace, &["--style", style, "--shutdown", shutdown]);
            let mut client = client_in(&namespace, &[server.addr()]);
            client.line("[3]hello");
            client.exits_with(status);
            tcpdump.stdout.find(last);
            ports.push(server.port().to_owned());
        }
    }
    tcpdump.terminate();
    tcpdump.exits_with(0);
    let packets = decode(&file);
    std::fs::remove_file(&file).unwrap();
    for ports in ports.chunks(2) {
        check_after_ack(&packets, &ports[0]);
        check_abort(&packets, &ports[1]);
    }
    proved(
        tshark_sees_both_terminations_as_the_rfc_has_them,
        &[
            (
                "tcpdump",
                "decoder",
                "our AfterAck ends in SHUTDOWN COMPLETE, our Abort in ABORT",
            ),
            (
                "tshark",
                "decoder",
                "our AfterAck is SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE after the last SACK; our Abort is ABORT with cause 12 and the reason's bytes",
            ),
        ],
    );
}

/// Starts tcpdump on loopback. It prints each packet once it has written it to the file.
///
/// It gives the file to its user: in a guest that an ordinary user has started, it can only where the
/// files are the guest's own, as in `/dev/shm`.
pub(super) fn capture(namespace: &NetNs, file: &str) -> Program {
    let filter = [
        "-Zroot",
        "-nilo",
        "--immediate-mode",
        "-B16384", // the default has room for few packets of the size of lo
        "--print",
        "-Uw",
        file,
        "sctp",
    ];
    let mut tcpdump = spawn_in(namespace, "tcpdump", &filter);
    tcpdump.stderr.find("listening on lo");
    tcpdump
}

/// A packet with one chunk, which all of these have.
struct Packet {
    from: String,
    to: String,
    chunk: String,
    stream: String,
    payload: String,
    cause: String,
    reason: String,
}

fn decode(file: &str) -> Vec<Packet> {
    let mut args = vec!["-n", "-r", file, "-T", "fields", "-E", "separator=;"];
    for field in FIELDS {
        args.extend(["-e", field]);
    }
    let mut tshark = spawn("tshark", &args);
    tshark.exits_with(0);
    let printed = tshark.stdout.text();
    let packets = printed.lines().map(|line| {
        let mut cells = line.split(';').map(str::to_owned);
        let mut cell = || cells.next().unwrap();
        Packet {
            from: cell(),
            to: cell(),
            chunk: cell(),
            stream: cell(),
            payload: cell(),
            cause: cell(),
            reason: cell(),
        }
    });
    packets.collect()
}

const FIELDS: [&str; 7] = [
    "sctp.srcport",
    "sctp.dstport",
    "sctp.chunk_type",
    "sctp.data_sid",
    "data.data",
    "sctp.cause_code",
    "sctp.cause_information",
];

fn check_after_ack(packets: &[Packet], port: &str) {
    let (chunks, packets) = conversation(packets, port);
    let end = [SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE];
    let expected = [
        &ASSOCIATION_SETUP[..],
        &MESSAGE_AND_SACK,
        &MESSAGE_AND_SACK,
        &end,
    ];
    assert_eq!(chunks, expected.concat());
    for data in [packets[4], packets[6]] {
        assert_eq!(data.stream, "0x0003");
        assert_eq!(data.payload, hex("hello"));
    }
    // The reply, SHUTDOWN and its completion are the server's; what acknowledges them is not.
    let ours: Vec<bool> = packets[6..]
        .iter()
        .map(|packet| packet.from == port)
        .collect();
    assert_eq!(ours, [true, false, true, false, true]);
}

fn check_abort(packets: &[Packet], port: &str) {
    let (chunks, packets) = conversation(packets, port);
    let expected = [&ASSOCIATION_SETUP[..], &MESSAGE_AND_SACK, &[ABORT]];
    assert_eq!(chunks, expected.concat());
    let abort = packets[6];
    assert_eq!(abort.from, port);
    assert_eq!(abort.cause, "0x000c"); // user-initiated abort
    assert_eq!(abort.reason, hex("so long"));
}

/// The packets between a server and its client, and the types of their chunks.
fn conversation<'a>(packets: &'a [Packet], port: &str) -> (Vec<&'a str>, Vec<&'a Packet>) {
    let packets: Vec<&Packet> = packets
        .iter()
        .filter(|packet| packet.from == port || packet.to == port)
        .collect();
    let chunks = packets.iter().map(|packet| packet.chunk.as_str()).collect();
    (chunks, packets)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
