//! Associations that restart or end before the listener's user accepts them.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::os::fd::OwnedFd;

use sctp_tokio::{
    AbortReason, AssocId, Association, End, ErrorCause, Event, Notification, SctpListener, Socket,
    sctp_core::Family,
};
use support::{
    LOOPBACK, endpoint, endpoint_end, listener, must,
    raw::{RawPeer, SCTP_ABORT},
    until_end,
};

/// The largest reason that an ABORT over loopback carries whole.
const LONG: usize = 60_000;

/// A reason that, cut at any multiple of 4 bytes, goes on like a notification of another
/// association's coming up.
fn treacherous_reason() -> Vec<u8> {
    let mut forged = Vec::new();
    forged.extend(0x8001u16.to_ne_bytes());
    forged.extend(0u16.to_ne_bytes());
    forged.extend(20u32.to_ne_bytes());
    forged.extend([0; 8]);
    forged.extend(77u32.to_ne_bytes());
    assert_eq!(forged.len(), 20);
    forged.into_iter().cycle().take(LONG).collect()
}

#[tokio::test]
async fn long_report_of_early_end_is_one_notification() {
    let (mut listener, addr) = listener().await;
    let reason = treacherous_reason();
    let rude = RawPeer::connect(addr);
    rude.send(0, b"hello").unwrap();
    rude.send(SCTP_ABORT, &reason).unwrap();
    let mut polite = Association::connect(addr).await.unwrap();
    let mut server = must(listener.accept()).await.unwrap();
    let (messages, end) = until_end(&mut server).await;
    assert_eq!(end.cause_code(), Some(ErrorCause::USER_INITIATED_ABORT));
    assert!(end.reason().unwrap() == reason);
    assert!(messages.len() <= 1);
    let server = must(listener.accept()).await.unwrap();
    server.send("next").await.unwrap();
    assert_eq!(support::next(&mut polite).await.payload, "next");
    assert_eq!(
        listener.try_accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[tokio::test]
async fn long_reason_arrives_whole_on_every_socket() {
    let reason = treacherous_reason();
    let mut listener = SctpListener::bind(LOOPBACK).await.unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let rude = RawPeer::connect(addr);
    let mut server = must(listener.accept()).await.unwrap();
    rude.send(SCTP_ABORT, &reason).unwrap();
    assert!(until_end(&mut server).await.1.reason().unwrap() == reason);

    let (mut endpoint, addr) = endpoint().await;
    let rude = RawPeer::connect(addr);
    rude.send(SCTP_ABORT, &reason).unwrap();
    assert!(endpoint_end(&mut endpoint).await.1.reason().unwrap() == reason);
    assert!(endpoint.try_next_event().is_err());

    // A client's socket: the raw peer listens.
    let raw = Socket::one_to_many(Family::V4).unwrap();
    raw.bind(LOOPBACK.parse().unwrap()).unwrap();
    raw.listen(1).unwrap();
    let addr = raw.local_addrs(AssocId::FUTURE).unwrap()[0];
    let mut client = Association::connect(addr).await.unwrap();
    let id = raw.assoc_ids().unwrap()[0];
    support::raw::send_raw(&raw, id, SCTP_ABORT, &reason).unwrap();
    assert!(until_end(&mut client).await.1.reason().unwrap() == reason);
}

#[tokio::test]
async fn early_ends_are_accepted_with_their_messages() {
    let (mut listener, addr) = listener().await;
    for at in 0..20u8 {
        let mut client = Association::connect(addr).await.unwrap();
        client.send(vec![at; 50]).await.unwrap();
        client.shutdown().await.unwrap();
    }
    for at in 0..20u8 {
        let mut server = must(listener.accept()).await.unwrap();
        let mut events = Vec::new();
        let end = loop {
            match must(server.next_event()).await.unwrap() {
                Event::Message(message) => events.push(message.payload),
                Event::Notification(Notification::Shutdown { assoc }) => {
                    assert_eq!(assoc, server.id());
                }
                Event::Closed(end) => break end,
                _ => {}
            }
        };
        assert_eq!(events, [vec![at; 50]]);
        assert!(matches!(end, End::Shutdown { .. }));
    }
}

/// A listening socket as a supervisor passes it, with two associations on it of which the first ends
/// once a listener has taken the socket over.
async fn one_of_two_has_ended(socket: Socket) -> (SctpListener, Association) {
    let addr = socket.local_addrs(AssocId::FUTURE).unwrap()[0];
    let mut first = Association::connect(addr).await.unwrap();
    let second = Association::connect(addr).await.unwrap();
    second.send("hello").await.unwrap();
    second.flushed().await.unwrap();
    let listener = SctpListener::try_from(OwnedFd::from(socket)).unwrap();
    first.abort(&AbortReason::from_static("bye")).unwrap();
    must(first.discard_until_closed()).await.unwrap();
    (listener, second)
}

/// Accepts two associations. Returns what each received before it ended, if it has.
async fn accept_two(listener: &mut SctpListener) -> Vec<(Option<bytes::Bytes>, bool)> {
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let mut server = must(listener.accept()).await.unwrap();
        accepted.push(match must(server.recv()).await {
            Ok(message) => (message.map(|message| message.payload), false),
            Err(_) => (None, true),
        });
    }
    accepted.sort();
    accepted
}

#[tokio::test]
async fn waiting_association_keeps_its_message_when_another_ended() {
    let socket = Socket::one_to_many(Family::V4).unwrap();
    socket.bind(LOOPBACK.parse().unwrap()).unwrap();
    socket.listen(16).unwrap();
    let (mut listener, _second) = one_of_two_has_ended(socket).await;
    let accepted = accept_two(&mut listener).await;
    assert_eq!(accepted, [(None, true), (Some("hello".into()), false)]);
}

/// The listener that comes after another learns of what came up twice: the socket lists it, and its
/// coming up is still queued.
#[tokio::test]
async fn association_closed_before_accept_is_accepted_once() {
    let (listener, _) = listener().await;
    let socket = listener.into_socket().unwrap();
    let (mut listener, _second) = one_of_two_has_ended(socket).await;
    let accepted = accept_two(&mut listener).await;
    assert_eq!(accepted, [(None, true), (Some("hello".into()), false)]);
    assert_eq!(
        listener.try_accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    assert!(listener.into_socket().is_ok());
}
