//! `diameter`: nodes that talk to each other, and what a node does with input that is wrong.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod peer;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::HashSet, process::Command, time::Duration};

use sctp_examples::diameter::{Avp, avp, command, result};
use sctp_service::Ppid;
use sctp_tokio::SctpListener;
use tokio::time::timeout;

use peer::Peer;
use support::{Program, Server, pending, within};

fn node(identity: &str, args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diameter"));
    command.env_remove("RUST_LOG");
    command.args(["--identity", identity, "--realm", "example"]);
    command.args(args);
    Program::spawn(command)
}

fn listening(identity: &str, args: &[&str]) -> Server {
    let args = [&["--listen", "127.0.0.1:0"], args].concat();
    Server::of(node(identity, &args))
}

/// An address at which nobody listens.
async fn free_addr() -> String {
    let listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addrs().unwrap()[0].to_string()
}

#[test]
fn nodes_ask_each_other_and_say_goodbye() {
    let times = [&WATCHDOG[..], &["--ask", "1.2"]].concat();
    let mut a = listening("a.example", &times);
    let addr = a.addr().to_owned();
    let mut b = node("b.example", &[&["--peer", &addr][..], &times].concat());
    a.program.stdout.find("open b.example (responder)");
    b.stdout.find("open a.example (initiator)");
    for (program, peer) in [(&mut a.program, "b.example"), (&mut b, "a.example")] {
        program.stdout.find(&format!("asked by {peer}: 271"));
        program.stdout.find(&format!("{peer} answers 271: 2001"));
        program.stdout.find(&format!("watchdog {peer} answered"));
    }
    b.terminate();
    b.exits_with(0);
    b.stdout.find("closed a.example: disconnected REBOOTING");
    a.program
        .stdout
        .find("closed b.example: disconnected REBOOTING");
    a.program.terminate();
    a.program.exits_with(0);
}

#[test]
fn node_connects_again_to_a_peer_that_rebooted() {
    let mut a = listening("a.example", &[]);
    let addr = a.addr().to_owned();
    let mut b = node("b.example", &["--peer", &addr]);
    b.stdout.find("open a.example (initiator)");
    a.program.terminate();
    a.program.exits_with(0);
    a.program
        .stdout
        .find("closed b.example: disconnected REBOOTING");
    b.stdout.find("closed a.example: disconnected REBOOTING");
    let _a = Server::of(node("a.example", &["--listen", &addr]));
    b.stdout.find("open a.example (initiator)");
    b.terminate();
    b.exits_with(0);
}

#[test]
fn killed_peer_ends_in_order_without_a_cause() {
    let a = listening("a.example", &[]);
    let mut b = node("b.example", &["--peer", a.addr()]);
    b.stdout.find("open a.example");
    a.program.signal("KILL");
    // The kernel of a process that is killed ends its associations in order.
    b.stdout.find("closed a.example: shutdown");
    b.terminate();
    b.exits_with(0);
}

#[tokio::test]
async fn nodes_that_connect_to_each_other_keep_one_association() {
    let (first, second) = (free_addr().await, free_addr().await);
    let mut a = node("a.example", &["--listen", &first, "--peer", &second]);
    let mut b = node("b.example", &["--listen", &second, "--peer", &first]);
    let a_open = a.stdout.find("open b.example");
    let b_open = b.stdout.find("open a.example");
    assert_ne!(a_open.contains("initiator"), b_open.contains("initiator"));
    for program in [&mut a, &mut b] {
        program.terminate();
        program.exits_with(0);
        let printed = program.stdout.text();
        assert_eq!(printed.matches("open ").count(), 1, "{printed}");
        assert_eq!(printed.matches("closed ").count(), 1, "{printed}");
    }
}

#[tokio::test]
async fn second_peer_of_one_identity_is_refused() {
    let server = listening("node.example", &[]);
    let mut first = Peer::open(&server, "peer.example").await;
    let mut second = Peer::connect(&server, "PEER.example").await;
    let answer = second.ask(&second.capabilities()).await;
    let result = answer.number(avp::RESULT_CODE);
    assert_eq!(result, Some(result::ELECTION_LOST));
    second.expect_shutdown().await;
    let mut same = Peer::connect(&server, "node.example").await;
    let answer = same.ask(&same.capabilities()).await;
    let result = answer.number(avp::RESULT_CODE);
    assert_eq!(result, Some(result::UNKNOWN_PEER));
    let answer = first.ask(&first.accounting("example")).await;
    assert_eq!(answer.number(avp::RESULT_CODE), Some(result::SUCCESS));
    assert_eq!(answer.text(avp::SESSION_ID), Some("session"));
}

/// The node would win an election against the second one, but there is none: the first is open.
#[tokio::test]
async fn open_peer_keeps_its_association() {
    let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let mut server = listening("node.example", &["--peer", &addr]);
    let mut first = Peer::accept(&mut listener, "a.example").await;
    let request = first.receive().await;
    first.answer(&request, first.capabilities()).await;
    server.program.stdout.find("open a.example (initiator)");
    let mut second = Peer::connect(&server, "a.example").await;
    let answer = second.ask(&second.capabilities()).await;
    let result = answer.number(avp::RESULT_CODE);
    assert_eq!(result, Some(result::ELECTION_LOST));
    second.expect_shutdown().await;
    let answer = first.ask(&first.accounting("example")).await;
    assert_eq!(answer.number(avp::RESULT_CODE), Some(result::SUCCESS));
}

/// An election may take longer than any step of a test.
const LONG_ELECTION: [&str; 2] = ["--handshake-timeout", "3600"];
/// Time in which a competing peer is not answered.
const PAUSE: Duration = Duration::from_millis(300);

/// The node waits for the capabilities of one peer while another connects: nothing is to be decided
/// between the two.
#[tokio::test]
async fn peer_is_answered_while_another_one_is_silent() {
    let mut listener = SctpListener::bind("127.0.0.2:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let args = [&["--peer", &addr][..], &LONG_ELECTION].concat();
    let server = listening("node.example", &args);
    let mut silent = Peer::accept(&mut listener, "silent.example").await;
    let request = silent.receive().await;
    assert_eq!(request.header.code, command::CAPABILITIES_EXCHANGE);
    let mut peer = Peer::connect(&server, "peer.example").await;
    let answer = peer.ask(&peer.capabilities()).await;
    assert_eq!(answer.number(avp::RESULT_CODE), Some(result::SUCCESS));
}

/// An attempt to connect to the same peer competes, and decides first.
#[tokio::test]
async fn peer_that_competes_loses_the_election() {
    let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let args = [&["--peer", &addr][..], &LONG_ELECTION].concat();
    let mut server = listening("node.example", &args);
    let mut kept = Peer::accept(&mut listener, "peer.example").await;
    let request = kept.receive().await;
    let mut lost = Peer::connect(&server, "peer.example").await;
    lost.send(lost.capabilities().encode().unwrap()).await;
    pending("the election", PAUSE, lost.association.recv()).await;
    kept.answer(&request, kept.capabilities()).await;
    let answer = lost.receive().await;
    let result = answer.number(avp::RESULT_CODE);
    assert_eq!(result, Some(result::ELECTION_LOST));
    lost.expect_shutdown().await;
    server.program.stdout.find("open peer.example (initiator)");
}

#[tokio::test]
async fn bad_capabilities_are_answered_and_the_association_ends() {
    let server = listening("node.example", &[]);
    let good = Peer::connect(&server, "peer.example").await.capabilities();
    let without = |code| {
        let mut request = good.clone();
        request.avps.retain(|avp| avp.code != code);
        request
    };
    let tls = good
        .clone()
        .with(Avp::of_number(avp::INBAND_SECURITY_ID, 1));
    for (request, expected) in [
        (without(avp::ORIGIN_HOST), result::MISSING_AVP),
        (without(avp::HOST_IP_ADDRESS), result::MISSING_AVP),
        (
            without(avp::ACCT_APPLICATION_ID),
            result::NO_COMMON_APPLICATION,
        ),
        (tls, result::NO_COMMON_SECURITY),
        (
            good.clone().with(Avp::new(0xffff, "")),
            result::AVP_UNSUPPORTED,
        ),
        (
            good.clone().with(Avp::new(avp::VENDOR_ID, "abc")),
            result::INVALID_AVP_LENGTH,
        ),
    ] {
        let mut peer = Peer::connect(&server, "peer.example").await;
        let answer = peer.ask(&request).await;
        assert_eq!(answer.number(avp::RESULT_CODE), Some(expected));
        peer.expect_shutdown().await;
    }
    // Nothing of this has left a trace.
    Peer::open(&server, "peer.example").await;
}

#[tokio::test]
async fn peer_must_begin_with_capabilities() {
    let server = listening("node.example", &[]);
    let mut peer = Peer::connect(&server, "peer.example").await;
    let request = peer.request(command::DEVICE_WATCHDOG, 0);
    peer.send(request.encode().unwrap()).await;
    peer.expect_shutdown().await;
    let mut peer = Peer::connect(&server, "peer.example").await;
    peer.send("hello").await;
    peer.expect_shutdown().await;
    Peer::open(&server, "peer.example").await;
}

#[tokio::test]
async fn peer_that_begins_with_nothing_is_aborted() {
    let server = listening("node.example", &["--handshake-timeout", "0.3"]);
    let mut peer = Peer::connect(&server, "peer.example").await;
    peer.expect_abort("handshake timed out").await;
}

#[tokio::test]
async fn malformed_requests_are_answered_with_their_result() {
    let server = listening("node.example", &[]);
    let mut peer = Peer::open(&server, "peer.example").await;
    let vendor_id =
        |flags, length, data: &[u8]| [&[0, 0, 1, 10, flags, 0, 0, length], data].concat();
    for (octets, expected) in [
        (vendor_id(0x44, 12, &[0; 4]), result::INVALID_AVP_BITS),
        (vendor_id(0x40, 3, &[0; 4]), result::INVALID_AVP_LENGTH),
        (vendor_id(0x40, 99, &[0; 4]), result::INVALID_AVP_LENGTH),
        (vendor_id(0x40, 10, &[0; 4]), result::INVALID_AVP_LENGTH),
        (vendor_id(0xc0, 12, &[0, 0, 0, 1]), result::AVP_UNSUPPORTED),
    ] {
        let answered = peer.watchdog_with(&octets).await;
        assert_eq!(answered, (expected, Some(avp::VENDOR_ID)), "{octets:?}");
    }
    let not_utf8 = [0, 0, 1, 25, 0, 0, 0, 9, 0xff];
    let answered = peer.watchdog_with(&not_utf8).await;
    assert_eq!(
        answered,
        (result::INVALID_AVP_VALUE, Some(avp::ERROR_MESSAGE))
    );
    let mut version = peer
        .request(command::DEVICE_WATCHDOG, 0)
        .encode()
        .unwrap()
        .to_vec();
    version[0] = 9;
    let answer = peer.ask_octets(version).await;
    let result = answer.number(avp::RESULT_CODE);
    assert_eq!(result, Some(result::UNSUPPORTED_VERSION));
    assert_eq!(peer.watchdog_with(&[]).await, (result::SUCCESS, None));
    peer.send("too short").await;
    peer.expect_abort("message without a header").await;
}

#[tokio::test]
async fn requests_that_nobody_serves_are_answered_with_their_result() {
    let server = listening("node.example", &[]);
    let mut peer = Peer::open(&server, "peer.example").await;
    let mut application = peer.accounting("example");
    application.header.application = 9;
    let twice = peer
        .accounting("example")
        .with(Avp::of_text(avp::ORIGIN_HOST, "b"));
    let elsewhere = peer
        .accounting("example")
        .with(Avp::of_text(avp::DESTINATION_HOST, "b"));
    for (request, expected) in [
        (peer.request(999, 0), result::COMMAND_UNSUPPORTED),
        (
            peer.request(command::DEVICE_WATCHDOG, 3),
            result::APPLICATION_UNSUPPORTED,
        ),
        (application, result::APPLICATION_UNSUPPORTED),
        (peer.request(command::ACCOUNTING, 3), result::MISSING_AVP),
        (
            peer.request(command::DISCONNECT_PEER, 0),
            result::MISSING_AVP,
        ),
        (twice, result::AVP_OCCURS_TOO_MANY_TIMES),
        (peer.accounting("elsewhere"), result::REALM_NOT_SERVED),
        (elsewhere, result::UNABLE_TO_DELIVER),
    ] {
        let answer = peer.ask(&request).await;
        assert_eq!(
            answer.number(avp::RESULT_CODE),
            Some(expected),
            "{request:?}"
        );
    }
    let answer = peer.ask(&peer.capabilities()).await;
    assert_eq!(answer.number(avp::RESULT_CODE), Some(result::SUCCESS));
}

#[tokio::test]
async fn message_with_another_ppid_is_aborted() {
    let mut server = listening("node.example", &[]);
    let mut peer = Peer::open(&server, "peer.example").await;
    let message = sctp_tokio::Message::new("hello").with_ppid(Ppid::NGAP);
    let sent = within("send", peer.association.send(message)).await;
    sent.unwrap();
    let reason = "no handler for PPID 60 on stream 0";
    peer.expect_abort(reason).await;
    let closed = format!("closed peer.example: aborted {reason}");
    server.program.stdout.find(&closed);
}

#[tokio::test]
async fn peer_that_says_goodbye_ends_the_association_itself() {
    let mut server = listening("node.example", &[]);
    let mut peer = Peer::open(&server, "peer.example").await;
    peer.leave(1).await;
    server
        .program
        .stdout
        .find("closed peer.example: disconnected BUSY");
}

#[tokio::test]
async fn peer_that_answers_no_watchdog_is_aborted() {
    let mut server = listening("node.example", &["--watchdog", "0.1"]);
    let mut peer = Peer::open(&server, "peer.example").await;
    let request = peer.receive().await;
    assert_eq!(request.header.code, command::DEVICE_WATCHDOG);
    peer.expect_abort("no watchdog answer").await;
    server
        .program
        .stdout
        .find("closed peer.example: aborted no watchdog answer");
}

#[tokio::test]
async fn watchdog_requests_have_identifiers_of_their_own() {
    let server = listening("node.example", &WATCHDOG);
    let mut peer = Peer::open(&server, "peer.example").await;
    let mut identifiers = HashSet::new();
    for _ in 0..3 {
        let request = peer.receive().await;
        assert_eq!(request.header.code, command::DEVICE_WATCHDOG);
        assert!(identifiers.insert(request.header.end_to_end), "{request:?}");
        let answer = peer.request(command::DEVICE_WATCHDOG, 0);
        peer.answer(&request, answer).await;
    }
}

#[tokio::test]
async fn peers_get_a_goodbye_when_the_node_stops() {
    let mut server = listening("node.example", &[]);
    let mut peer = Peer::open(&server, "peer.example").await;
    server.program.terminate();
    let request = peer.receive().await;
    assert_eq!(request.header.code, command::DISCONNECT_PEER);
    assert_eq!(request.number(avp::DISCONNECT_CAUSE), Some(0));
    let answer = peer.request(command::DISCONNECT_PEER, 0);
    peer.answer(&request, answer).await;
    peer.expect_shutdown().await;
    server.program.exits_with(0);
}

/// Time for which nothing may happen.
const SILENCE: Duration = Duration::from_millis(1500);
/// Shorter than that, and long enough for a slow machine to answer.
const WATCHDOG: [&str; 2] = ["--watchdog", "0.5"];

#[tokio::test]
async fn watchdog_is_silent_while_a_goodbye_waits() {
    let mut server = listening("node.example", &WATCHDOG);
    let mut peer = Peer::open(&server, "peer.example").await;
    server.program.stdout.find("open peer.example");
    server.program.terminate();
    let request = peer.next_goodbye().await;
    pending("the goodbye", SILENCE, peer.association.recv()).await;
    let answer = peer.request(command::DISCONNECT_PEER, 0);
    peer.answer(&request, answer).await;
    peer.expect_shutdown().await;
    server.program.exits_with(0);
    server
        .program
        .stdout
        .find("closed peer.example: disconnected REBOOTING");
}

#[tokio::test]
async fn watchdog_is_silent_once_the_peer_has_said_goodbye() {
    let mut server = listening("node.example", &WATCHDOG);
    let mut peer = Peer::open(&server, "peer.example").await;
    peer.say_goodbye(1).await;
    pending("the association", SILENCE, peer.association.recv()).await;
    peer.shutdown().await;
    server
        .program
        .stdout
        .find("closed peer.example: disconnected BUSY");
}

#[tokio::test]
async fn peer_that_does_not_want_to_talk_is_left_alone() {
    let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let mut server = listening("node.example", &["--peer", &addr]);
    for (cause, name) in [(0, "REBOOTING"), (2, "DO_NOT_WANT_TO_TALK_TO_YOU")] {
        let mut peer = Peer::accept(&mut listener, "peer.example").await;
        let request = peer.receive().await;
        peer.answer(&request, peer.capabilities()).await;
        server.program.stdout.find("open peer.example (initiator)");
        peer.leave(cause).await;
        let closed = format!("closed peer.example: disconnected {name}");
        server.program.stdout.find(&closed);
    }
    // The first pause is over within a second.
    let again = timeout(Duration::from_millis(2500), listener.accept()).await;
    assert!(again.is_err(), "{again:?}");
}

#[test]
fn duration_of_nothing_is_refused() {
    let mut node = node("a.example", &["--ask", "0"]);
    node.exits_with(2);
    node.stderr.find("must be greater than zero");
}
