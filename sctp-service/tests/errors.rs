//! Texts of errors: each has the whole reason, and its sources repeat nothing.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../../sctp-tokio/tests/support/reported.rs"]
mod reported;
mod support;

use std::{future::ready, io, sync::Arc};

use reported::{DiskFull, WHY, check, foreign};

use sctp_service::{
    CallError, Cause, Extension, Refusal, Reply, ReplyMessage, Request,
    client::Client,
    codec::{BadFrame, BadPayload},
    extract::{FromRequest, FromRequestParts},
    sctp_tokio::{Association, ConnectError, End, SendError, Side},
    testing::request,
};
use support::must;

fn causes() -> Vec<(Cause, &'static str)> {
    let not_connected = |error| Cause::NotConnected(Arc::new(error));
    let refused = |refusal| Cause::Refused(Arc::new(refusal));
    vec![
        (
            Cause::Aborted(End::Aborted {
                by: Side::Peer,
                causes: Default::default(),
            }),
            "aborted by peer",
        ),
        (Cause::Closed, "closed"),
        (Cause::Expired, "expired"),
        (Cause::Lost(io::ErrorKind::TimedOut), "timed out"),
        (
            not_connected(ConnectError::Refused { peer: Vec::new() }),
            "association refused",
        ),
        (not_connected(ConnectError::Io(foreign())), WHY),
        (
            not_connected(ConnectError::Unreachable {
                peer: Vec::new(),
                error: foreign(),
            }),
            WHY,
        ),
        (
            refused(Refusal::CallStream { stream: 7 }),
            "stream 7 is used for calls",
        ),
        (refused(Refusal::NoCallStream), "no stream for calls"),
        (refused(Refusal::Correlator(Box::new(DiskFull))), WHY),
        (refused(Refusal::Send(SendError::Empty)), "empty"),
        (refused(Refusal::Send(SendError::Io(foreign()))), WHY),
        (Cause::Restarted, "peer restarted"),
        (Cause::ShutDown, "shut down by peer"),
        (Cause::TimedOut, "no reply in time"),
        (Cause::TooLarge { limit: 1000 }, "1000 bytes"),
        (Cause::Unavailable(None), "no server"),
        (
            Cause::Unavailable(Some(Box::new(Cause::ShutDown))),
            "shut down by peer",
        ),
        (
            Cause::Unavailable(Some(Box::new(not_connected(ConnectError::Io(foreign()))))),
            WHY,
        ),
        (Cause::Uncorrelated, "matches no call"),
        (Cause::Unresponsive, "no longer replies"),
    ]
}

#[test]
fn causes_of_failed_calls() {
    for (cause, why) in causes() {
        check(&cause, why);
        if let Cause::Refused(refusal) = &cause {
            check(refusal, why);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failed_call() {
    let fails = || ready(Err::<Association, _>(ConnectError::Io(foreign())));
    let client = Client::builder().connect_in_background(fails);
    let error: CallError = must(client.request("x")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no association: the disk is full (not sent)"
    );
    check(&error, WHY);
}

#[test]
fn payloads() {
    check(&BadPayload(DiskFull), WHY);
    check(&BadFrame::Codec(DiskFull), WHY);
    check(&BadPayload(BadFrame::Codec(DiskFull)), WHY);
    check(
        &BadPayload(BadFrame::<DiskFull>::Incomplete),
        "ends before the frame",
    );
    check(
        &BadPayload(BadFrame::<DiskFull>::Leftover(3)),
        "3 bytes follow",
    );
}

#[test]
fn rejections() {
    let request: Request = request(&b"\xff"[..]);
    let (mut parts, payload) = request.into_parts();
    let missing = Extension::<u8>::from_request_parts(&mut parts, &());
    check(&missing.unwrap_err(), "extension u8");
    let request = Request::from_parts(parts, payload);
    let not_utf8 = <String as FromRequest<()>>::from_request(request, &());
    check(&not_utf8.unwrap_err(), "not UTF-8");
}

#[tokio::test]
async fn reply_that_nobody_waits_for() {
    let (sender, reply) = Reply::channel(1);
    drop(reply);
    let closed = sender.send(ReplyMessage::from("late")).await;
    check(&closed.unwrap_err(), "closed");
}
