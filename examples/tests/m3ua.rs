//! `m3ua`: application servers that talk through a gateway, and what either end does with input that
//! is wrong.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use m3ua::{M3uaMessage, MessageType, ProtocolData, error_code};
use sctp_tokio::{Association, RecvError, SctpListener};
use support::{
    Program, Server,
    m3ua::{acknowledge, expect, m3ua, receive, send},
    within,
};

fn gateway(args: &[&str]) -> Server {
    let command = m3ua(&[&["sgp", "--listen", "127.0.0.1:0"], args].concat());
    Server::of(Program::spawn(command))
}

fn asp(addr: &str, args: &[&str]) -> Program {
    Program::spawn(m3ua(&[&["asp", "--connect", addr], args].concat()))
}

async fn connect(gateway: &Server) -> Association {
    let connected = within("connect", Association::connect(gateway.addr())).await;
    connected.unwrap()
}

async fn accept(listener: &mut SctpListener) -> Association {
    within("accept", listener.accept()).await.unwrap()
}

/// Sends octets, and returns the code of the Error that answers them.
async fn error_for(peer: &mut Association, octets: Vec<u8>) -> u32 {
    let first = octets.clone();
    send(peer, octets).await;
    let error = receive(peer).await;
    assert_eq!(error.message_type, MessageType::Error);
    assert!(first.starts_with(error.diagnostic_info().unwrap()));
    error.error_code().unwrap()
}

async fn take_up(peer: &mut Association) {
    let up = M3uaMessage::asp_up(None, None);
    expect(peer, &up, MessageType::AspUpAck).await;
    assert_eq!(receive(peer).await.message_type, MessageType::Notify);
}

/// Takes a process active for these routing contexts.
async fn take_active(peer: &mut Association, contexts: &[u32]) {
    let active = M3uaMessage::asp_active(None, None).with_routing_contexts(contexts);
    let ack = expect(peer, &active, MessageType::AspActiveAck).await;
    assert_eq!(ack.routing_contexts(), contexts);
    assert_eq!(receive(peer).await.message_type, MessageType::Notify);
}

async fn closed(peer: &mut Association) -> String {
    match within("the end", peer.recv()).await {
        Err(RecvError::Closed(end)) => end.to_string(),
        other => panic!("it is not closed: {other:?}"),
    }
}

#[test]
fn application_servers_talk_through_the_gateway() {
    let mut gateway = gateway(&["--route", "1-0-1:10", "--route", "2:20"]);
    let addr = gateway.addr().to_owned();
    let mut first = asp(&addr, &["--routing-context", "10", "--pc", "1-0-1"]);
    first.stdout.find("active");
    let args = ["--routing-context", "20", "--pc", "2"];
    let texts = ["--send", "1-0-1:hello", "--send", "3:nobody"];
    let mut second = asp(&addr, &[&args[..], &texts].concat());
    second.stdout.find("active");
    first.stdout.find("data from 2: hello");
    let printed = first.stdout.text();
    assert!(printed.contains("notify AS-ACTIVE"), "{printed}");
    second.stdout.find("DUNA 3");
    gateway.program.stdout.find("no route to 3");
    for asp in [&mut first, &mut second] {
        asp.terminate();
        asp.exits_with(0);
        asp.stdout.find("inactive");
        asp.stdout.find("down");
        asp.stdout.find("closed: shut down");
        gateway.program.stdout.find("shut down by peer");
    }
    gateway.program.terminate();
    gateway.program.exits_with(0);
}

#[test]
fn without_routes_data_goes_where_its_destination_sent_from() {
    let gateway = gateway(&[]);
    let addr = gateway.addr();
    let args = ["--routing-context", "1", "--pc", "1", "--send", "2:first"];
    let mut first = asp(addr, &args);
    first.stdout.find("DUNA 2");
    let args = ["--routing-context", "2", "--pc", "2", "--send", "1:second"];
    let _second = asp(addr, &args);
    first.stdout.find("data from 2: second");
}

#[test]
fn process_comes_up_again_with_a_new_gateway() {
    let mut gateway = gateway(&[]);
    let addr = gateway.addr().to_owned();
    let mut asp = asp(&addr, &["--routing-context", "1"]);
    asp.stdout.find("active");
    gateway.program.terminate();
    gateway.program.exits_with(0);
    asp.stdout.find("closed: shut down by peer");
    let again = m3ua(&["sgp", "--listen", &addr]);
    let _gateway = Server::of(Program::spawn(again));
    asp.stdout.find("active");
}

#[tokio::test]
async fn gateway_answers_malformed_messages_with_their_error() {
    let gateway = gateway(&["--route", "1:1"]);
    let mut peer = connect(&gateway).await;
    let up = M3uaMessage::asp_up(Some(1), None).encode();
    for (at, byte, code) in [
        (0, 9, error_code::INVALID_VERSION),
        (2, 9, error_code::UNSUPPORTED_MESSAGE_CLASS),
        (2, 7, error_code::UNSUPPORTED_MESSAGE_CLASS),
        (3, 9, error_code::UNSUPPORTED_MESSAGE_TYPE),
        (7, 0xff, error_code::PROTOCOL_ERROR),
        (10, 0xff, error_code::PARAMETER_FIELD_ERROR),
    ] {
        let mut octets = up.clone();
        octets[at] = byte;
        let answered = error_for(&mut peer, octets).await;
        assert_eq!(answered, code, "octet {at}: {byte}");
    }
    assert_eq!(
        error_for(&mut peer, vec![1]).await,
        error_code::PROTOCOL_ERROR
    );
    // An Error is never answered: what comes next belongs to what follows it.
    send(&peer, M3uaMessage::error(1, None, None).encode()).await;
    take_up(&mut peer).await;
}

#[tokio::test]
async fn gateway_refuses_what_does_not_fit_the_state() {
    let gateway = gateway(&["--route", "1:1"]);
    let mut peer = connect(&gateway).await;
    let active = M3uaMessage::asp_active(None, Some(1));
    let text = ProtocolData::new(1, 1, 8, 2, 0, 0, b"hello".to_vec());
    let data = M3uaMessage::data(None, Some(1), text.clone(), None).encode();
    let unexpected = error_code::UNEXPECTED_MESSAGE;
    assert_eq!(error_for(&mut peer, active.encode()).await, unexpected);
    assert_eq!(error_for(&mut peer, data.clone()).await, unexpected);
    take_up(&mut peer).await;
    assert_eq!(error_for(&mut peer, data.clone()).await, unexpected);
    for (request, code) in [
        (
            M3uaMessage::asp_active(None, Some(2)),
            error_code::INVALID_ROUTING_CONTEXT,
        ),
        (
            M3uaMessage::asp_active(Some(9), Some(1)),
            error_code::UNSUPPORTED_TRAFFIC_MODE_TYPE,
        ),
    ] {
        assert_eq!(error_for(&mut peer, request.encode()).await, code);
    }
    take_active(&mut peer, &[1]).await;
    let elsewhere = M3uaMessage::data(None, Some(7), text, None).encode();
    let invalid = error_code::INVALID_ROUTING_CONTEXT;
    assert_eq!(error_for(&mut peer, elsewhere).await, invalid);
    let nothing = M3uaMessage::new(MessageType::Data, Vec::new()).encode();
    let missing = error_code::MISSING_PARAMETER;
    assert_eq!(error_for(&mut peer, nothing).await, missing);
    let beat = M3uaMessage::heartbeat(Some(b"beat".to_vec()));
    let ack = expect(&mut peer, &beat, MessageType::HeartbeatAck).await;
    assert_eq!(ack.heartbeat_data(), Some(&b"beat"[..]));
    // Who comes up again is active no more, and is told that it was.
    let up = M3uaMessage::asp_up(None, None);
    expect(&mut peer, &up, MessageType::AspUpAck).await;
    let error = receive(&mut peer).await;
    assert_eq!(error.error_code(), Some(unexpected));
    assert_eq!(error_for(&mut peer, data).await, unexpected);
}

#[tokio::test]
async fn contexts_are_activated_and_deactivated_one_by_one() {
    let gateway = gateway(&["--route", "1:1", "--route", "2:2"]);
    let mut peer = connect(&gateway).await;
    take_up(&mut peer).await;
    let data = |context| {
        let text = ProtocolData::new(9, 1, 8, 2, 0, 0, b"hello".to_vec());
        M3uaMessage::data(None, context, text, None).encode()
    };
    take_active(&mut peer, &[1]).await;
    take_active(&mut peer, &[2]).await;
    for context in [1, 2] {
        send(&peer, data(Some(context))).await;
        // It goes to the process itself, which has this point code.
        let received = receive(&mut peer).await;
        assert_eq!(received.message_type, MessageType::Data, "{received:?}");
        assert_eq!(received.routing_context(), Some(1));
    }
    let inactive = M3uaMessage::asp_inactive(Some(2));
    let ack = expect(&mut peer, &inactive, MessageType::AspInactiveAck).await;
    assert_eq!(ack.routing_contexts(), [2]);
    let invalid = error_code::INVALID_ROUTING_CONTEXT;
    assert_eq!(error_for(&mut peer, data(Some(2))).await, invalid);
    send(&peer, data(Some(1))).await;
    assert_eq!(receive(&mut peer).await.message_type, MessageType::Data);
    // Without a context it is about all of them.
    let inactive = M3uaMessage::asp_inactive(None);
    expect(&mut peer, &inactive, MessageType::AspInactiveAck).await;
    let unexpected = error_code::UNEXPECTED_MESSAGE;
    assert_eq!(error_for(&mut peer, data(Some(1))).await, unexpected);
    let active = M3uaMessage::asp_active(None, None);
    expect(&mut peer, &active, MessageType::AspActiveAck).await;
    assert_eq!(receive(&mut peer).await.message_type, MessageType::Notify);
    send(&peer, data(Some(2))).await;
    assert_eq!(receive(&mut peer).await.message_type, MessageType::Data);
}

/// A gateway without routes remembers 256 contexts by name.
#[tokio::test]
async fn process_with_as_many_contexts_as_fit_can_still_change_them() {
    let gateway = gateway(&[]);
    let mut peer = connect(&gateway).await;
    take_up(&mut peer).await;
    let contexts: Vec<u32> = (1..=256).collect();
    take_active(&mut peer, &contexts).await;
    take_active(&mut peer, &contexts).await;
    let another = M3uaMessage::asp_active(None, Some(257));
    let invalid = error_code::INVALID_ROUTING_CONTEXT;
    assert_eq!(error_for(&mut peer, another.encode()).await, invalid);
    let inactive = M3uaMessage::asp_inactive(Some(256));
    let ack = expect(&mut peer, &inactive, MessageType::AspInactiveAck).await;
    assert_eq!(ack.routing_contexts(), [256]);
    take_active(&mut peer, &[257]).await;
}

#[tokio::test]
async fn process_that_does_not_come_up_is_aborted() {
    let mut gateway = gateway(&["--up-timeout", "0.1"]);
    let mut peer = connect(&gateway).await;
    let end = closed(&mut peer).await;
    assert_eq!(end, "aborted by peer, reason \"handshake timed out\"");
    let line = gateway.program.stdout.find("closed ");
    let expected = "aborted, reason \"handshake timed out\"";
    assert!(line.ends_with(expected), "{line}");
}

#[tokio::test]
async fn process_that_is_refused_says_so_and_tries_again() {
    let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let mut asp = asp(&addr, &["--routing-context", "1"]);
    for _ in 0..2 {
        let mut peer = accept(&mut listener).await;
        assert_eq!(receive(&mut peer).await.message_type, MessageType::AspUp);
        let refused = M3uaMessage::error(error_code::REFUSED_MANAGEMENT_BLOCKING, None, None);
        send(&peer, refused.encode()).await;
        closed(&mut peer).await;
    }
    asp.stderr.find("error: ASPUP is refused with code 13");
}

#[tokio::test]
async fn gateway_that_does_not_acknowledge_is_aborted() {
    let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let mut asp = asp(&addr, &["--routing-context", "1", "--ack-timeout", "0.1"]);
    let mut peer = accept(&mut listener).await;
    for _ in 0..3 {
        assert_eq!(receive(&mut peer).await.message_type, MessageType::AspUp);
    }
    let end = closed(&mut peer).await;
    assert_eq!(end, "aborted by peer, reason \"no acknowledgement\"");
    asp.stdout
        .find("closed: aborted, reason \"no acknowledgement\"");
}

#[tokio::test]
async fn gateway_that_answers_no_heartbeat_is_aborted() {
    let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let times = ["--beat", "0.1", "--ack-timeout", "0.1"];
    let args = [&["--routing-context", "1"][..], &times].concat();
    let mut asp = asp(&addr, &args);
    let mut peer = accept(&mut listener).await;
    acknowledge(&mut peer).await;
    let beat = MessageType::Heartbeat;
    assert_eq!(receive(&mut peer).await.message_type, beat);
    send(&peer, M3uaMessage::heartbeat_ack(None).encode()).await;
    asp.stdout.find("heartbeat answered");
    for _ in 0..3 {
        assert_eq!(receive(&mut peer).await.message_type, beat);
    }
    let end = closed(&mut peer).await;
    assert_eq!(end, "aborted by peer, reason \"no acknowledgement\"");
    asp.stdout
        .find("closed: aborted, reason \"no acknowledgement\"");
}

/// The next association is set up later than a heartbeat would be due on the one before.
#[tokio::test]
async fn association_that_has_ended_is_no_longer_watched() {
    let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let args = ["--routing-context", "1", "--beat", "0.5"];
    let mut asp = asp(&addr, &args);
    let mut peer = accept(&mut listener).await;
    acknowledge(&mut peer).await;
    asp.stdout.find("active");
    within("shutdown", peer.shutdown()).await.unwrap();
    let mut peer = accept(&mut listener).await;
    acknowledge(&mut peer).await;
    asp.stdout.find("active");
    within("shutdown", peer.shutdown()).await.unwrap();
    asp.stdout.find("closed: shut down by peer");
    asp.terminate();
    asp.exits_with(0);
    assert_eq!(asp.stderr.text(), "");
}
