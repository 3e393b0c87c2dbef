//! IPsec between two hosts, in transport mode with static keys.

use std::{process::Command, time::Instant};

use super::{
    client, fetched,
    netns::{NetNs, cable},
    run, server,
    support::{PATIENCE, Program},
};

const KEYS: [&str; 2] = [
    "0x0123456789abcdef0123456789abcdef01234567",
    "0x1123456789abcdef0123456789abcdef01234567",
];
const WRONG_KEY: &str = "0x2223456789abcdef0123456789abcdef01234567";
const SERVER: &str = "10.1.0.2:9877";

/// Two hosts with one cable between them. An address on another would be announced to the peer, and
/// what is sent there is not protected.
fn two_hosts() -> (NetNs, NetNs) {
    let (left, right) = (NetNs::new(), NetNs::new());
    cable(&left, &right, "one", "10.1.0");
    (left, right)
}

/// Has a host encrypt SCTP between the two hosts, and accept nothing else. `own` and `peer` are
/// the last bytes of its own address and of the other.
fn protect(host: &NetNs, own: u8, peer: u8, keys: [&str; 2]) {
    for (spi, from, key) in [(0x100, 1, keys[0]), (0x200, 2, keys[1])] {
        let to = 3 - from;
        host.ip(&format!(
            "xfrm state add src 10.1.0.{from} dst 10.1.0.{to} proto esp spi {spi} reqid 1 \
             mode transport aead rfc4106(gcm(aes)) {key} 128"
        ));
    }
    for (direction, from, to) in [("out", own, peer), ("in", peer, own)] {
        host.ip(&format!(
            "xfrm policy add src 10.1.0.{from} dst 10.1.0.{to} proto sctp dir {direction} \
             tmpl src 10.1.0.{from} dst 10.1.0.{to} proto esp reqid 1 mode transport"
        ));
    }
}

/// Waits until the kernel has counted a packet that IPsec refused.
fn wait_for_refusal(host: &NetNs, counter: &str) {
    let statistics = || run(host, "cat", &["/proc/net/xfrm_stat"]);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let is_counted = statistics().lines().any(|line| {
            let mut columns = line.split_whitespace();
            columns.next() == Some(counter) && columns.next() != Some("0")
        });
        if is_counted {
            return;
        }
        std::thread::yield_now();
    }
    panic!("no {counter}:\n{}", statistics());
}

/// Starts tcpdump on a host, and returns it when it sees packets.
fn capture(host: &NetNs) -> Program {
    let tcpdump = fetched::foreign("tcpdump");
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "-eL"]).arg(tcpdump.get_program());
    command.args(["-Zroot", "-nl", "--immediate-mode", "-iany"]);
    // With room for the longest packets its buffer holds few, and misses what comes beyond.
    command.args(["-s128", "ip"]);
    command.env("LD_LIBRARY_PATH", fetched::fetched("lib"));
    let mut capture = Program::spawn(host.command(&command));
    capture.stderr.find("listening on");
    capture
}

#[test]
fn esp_carries_associations_and_nothing_in_clear() {
    let (left, right) = two_hosts();
    protect(&left, 1, 2, KEYS);
    protect(&right, 2, 1, KEYS);
    let mut capture = capture(&right);
    let mut server = server(&right, SERVER);
    let mut client = client(&left, &[SERVER]);
    client.line("[2]hello");
    client.stdout.find("hello");
    // Larger than a packet.
    let long = "x".repeat(10_000);
    client.line(format!("[2]{long}"));
    client.stdout.find(&long);
    client.line("[0]abort so long");
    client.stderr.find("reason \"so long\"");
    server.closed();
    // What it has not read when it is stopped is lost: a part of the long message is to be among it.
    capture.stdout.find("seq=0x8)");
    capture.signal("INT");
    capture.status();
    let packets = capture.stdout.text();
    for packet in packets.lines() {
        assert!(packet.contains("ESP"), "{packet}");
    }
}

#[test]
fn peer_without_keys_reaches_no_association() {
    let (left, right) = two_hosts();
    protect(&right, 2, 1, KEYS);
    let _server = server(&right, SERVER);
    let _client = client(&left, &[SERVER]);
    wait_for_refusal(&right, "XfrmInTmplMismatch");
    assert_no_association(&right);
}

#[test]
fn peer_with_a_wrong_key_reaches_no_association() {
    let (left, right) = two_hosts();
    protect(&right, 2, 1, KEYS);
    protect(&left, 1, 2, [WRONG_KEY, KEYS[1]]);
    let _server = server(&right, SERVER);
    let _client = client(&left, &[SERVER]);
    wait_for_refusal(&right, "XfrmInStateProtoError");
    assert_no_association(&right);
}

fn assert_no_association(host: &NetNs) {
    let associations = run(host, "cat", &["/proc/net/sctp/assocs"]);
    assert_eq!(associations.lines().count(), 1, "{associations}");
}
