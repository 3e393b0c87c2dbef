//! `ngap`: NG Setup, terminals, and what the AMF does with input that is wrong.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::process::Command;

use oxirush_ngap::{build_ngap, extract_ngap_ies, ngap::*};
use sctp_service::Ppid;
use sctp_tokio::{AbortReason, Association, Message, Received, RecvError, SctpListener};
use support::{Program, Server, within};

fn ngap(args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ngap"));
    command.env_remove("RUST_LOG").args(args);
    Program::spawn(command)
}

fn amf(args: &[&str]) -> Server {
    Server::of(ngap(&[&["amf", "--listen", "127.0.0.1:0"], args].concat()))
}

async fn connect(server: &Server) -> Association {
    let connected = within("connect", Association::connect(server.addr())).await;
    connected.unwrap()
}

async fn send(peer: &Association, message: Message) {
    within("send", peer.send(message)).await.unwrap();
}

async fn recv(peer: &mut Association) -> Result<Option<Received>, RecvError> {
    within("recv", peer.recv()).await
}

/// Sends octets on stream 0, and returns the answer.
async fn ask(peer: &mut Association, octets: &[u8]) -> NGAP_PDU {
    let message = Message::new(octets.to_vec()).with_ppid(Ppid::NGAP);
    send(peer, message).await;
    let answer = recv(peer).await.unwrap().unwrap();
    assert_eq!(answer.info.ppid, Ppid::NGAP);
    assert_eq!(answer.info.stream.get(), 0);
    NGAP_PDU::decode(&answer.payload).unwrap()
}

fn error_cause(pdu: &NGAP_PDU) -> Option<Cause> {
    extract_ngap_ies!(pdu, ErrorIndication, lax cause: Cause = Cause(cause) => cause,);
    cause
}

fn failure_cause(pdu: &NGAP_PDU) -> Option<Cause> {
    extract_ngap_ies!(pdu, NGSetupFailure, lax cause: Cause = Cause(cause) => cause,);
    cause
}

#[test]
fn terminals_are_answered_in_order() {
    let mut amf = amf(&[]);
    let mut gnb = ngap(&["gnb", "--connect", amf.addr(), "--ues", "3"]);
    gnb.exits_with(0);
    gnb.stdout.find("set up with \"amf-1\"");
    let printed = gnb.stdout.text();
    for terminal in 0..3 {
        let answered = format!("terminal {terminal} is answered with 4 octets of NAS");
        let released = format!("terminal {terminal} is released");
        let (answered, released) = (printed.find(&answered), printed.find(&released));
        assert!(answered.unwrap() < released.unwrap(), "{printed}");
    }
    gnb.stdout.find("closed: shut down");
    amf.program.stdout.find("set up gnb-1");
    amf.program.stdout.find("closed: shut down by peer");
    amf.program.terminate();
    amf.program.exits_with(0);
}

#[test]
fn gnb_of_another_network_is_refused_in_order() {
    let mut amf = amf(&["--plmn", "001-01"]);
    let mut gnb = ngap(&["gnb", "--connect", amf.addr(), "--plmn", "208-93"]);
    gnb.exits_with(1);
    gnb.stdout.find("refused: misc(unknown_PLMN_or_SNPN)");
    gnb.stderr.find("refused by the AMF: shut down by peer");
    amf.program.stdout.find("closed: shut down");
}

#[tokio::test]
async fn malformed_messages_get_an_error_indication() {
    let amf = amf(&[]);
    let mut peer = connect(&amf).await;
    let error = |cause| Some(Cause::protocol(cause));
    for octets in [&b"\xff"[..], b"\x00", b"\x00\x15\x00\x7f\x00"] {
        let answer = ask(&mut peer, octets).await;
        let expected = error(CauseProtocol::transfer_syntax_error);
        assert_eq!(error_cause(&answer), expected, "{octets:?}");
    }
    // A paging before NG Setup, and a procedure that no release has.
    let early = b"\x00\x18\x40\x03\x00\x00\x00";
    let answer = ask(&mut peer, early).await;
    let expected = error(CauseProtocol::message_not_compatible_with_receiver_state);
    assert_eq!(error_cause(&answer), expected);
}

#[tokio::test]
async fn setup_request_without_mandatory_ies_fails() {
    let mut amf = amf(&[]);
    let mut peer = connect(&amf).await;
    let request = build_ngap!(
        InitiatingMessage,
        NGSetup,
        NGSetupRequest,
        DefaultPagingDRX(PagingDRX::v128),
    );
    let answer = ask(&mut peer, &request.unwrap().encode().unwrap()).await;
    let Some(Cause::protocol(_)) = failure_cause(&answer) else {
        panic!("{answer}");
    };
    assert!(recv(&mut peer).await.unwrap().is_none());
    amf.program.stdout.find("closed: shut down");
}

#[tokio::test]
async fn message_of_another_protocol_is_aborted() {
    let amf = amf(&[]);
    let mut peer = connect(&amf).await;
    let message = Message::new("hello").with_ppid(Ppid::S1AP);
    send(&peer, message).await;
    let Err(RecvError::Closed(end)) = recv(&mut peer).await else {
        panic!("it is not closed");
    };
    let reason = end.reason().unwrap();
    assert_eq!(reason, "no handler for PPID 18 on stream 0");
}

#[tokio::test]
async fn gnb_without_setup_is_aborted() {
    let mut amf = amf(&["--setup-timeout", "0.1"]);
    let mut peer = connect(&amf).await;
    let Err(RecvError::Closed(end)) = recv(&mut peer).await else {
        panic!("it is not closed");
    };
    assert_eq!(end.reason().unwrap(), "no NG Setup");
    amf.program
        .stdout
        .find("closed: aborted, reason \"no NG Setup\"");
}

#[tokio::test]
async fn amf_that_aborts_fails_the_gnb() {
    let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0].to_string();
    let mut gnb = ngap(&["gnb", "--connect", &addr, "--ues", "2"]);
    let mut amf = within("accept", listener.accept()).await.unwrap();
    recv(&mut amf).await.unwrap().unwrap();
    let response = build_ngap!(
        SuccessfulOutcome,
        NGSetup,
        NGSetupResponse,
        AMFName("amf-1"),
    );
    let response = response.unwrap().encode().unwrap();
    send(&amf, Message::new(response).with_ppid(Ppid::NGAP)).await;
    // Both terminals have been sent, so that the gNB waits for them.
    for _ in 0..2 {
        recv(&mut amf).await.unwrap().unwrap();
    }
    amf.abort(&AbortReason::from_static("overload")).unwrap();
    gnb.exits_with(1);
    gnb.stdout
        .find("closed: aborted by peer, reason \"overload\"");
    gnb.stderr
        .find("2 terminals were not released: aborted by peer, reason \"overload\"");
}
