//! Long messages that let the short ones of other streams pass (I-DATA, RFC 8260).
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use sctp_tokio::{Association, Message, SocketBuilder};
use support::{
    listener_with, must,
    netns::{NetNs, two_cables},
    next,
};
use tokio::sync::oneshot;

const LONG: usize = 200_000;

fn interleaving() -> SocketBuilder {
    SocketBuilder::new()
        .with_interleaving(true)
        .with_send_buffer_size(1 << 20)
}

/// Returns `true` if the kernel interleaves an association's messages.
fn takes_turns(association: &Association) -> bool {
    let socket = association.socket().unwrap();
    socket.interleaving_supported(association.id()).unwrap()
}

#[tokio::test]
async fn disabled_interleaving_names_the_sysctl() {
    let addr = support::LOOPBACK.parse::<SocketAddr>().unwrap();
    let listening = interleaving()
        .with_local_addrs([addr])
        .listen()
        .unwrap_err();
    let connecting = interleaving()
        .connect(&[(Ipv4Addr::LOCALHOST, 9).into()])
        .await
        .unwrap_err();
    assert_eq!(listening.kind(), io::ErrorKind::PermissionDenied);
    for error in [listening.to_string(), connecting.to_string()] {
        assert!(error.contains("sysctl net.sctp.intl_enable"), "{error}");
    }
}

#[tokio::test]
async fn peer_without_interleaving_gets_plain_data() {
    let namespace = NetNs::new();
    namespace.set_sctp("intl_enable", 1);
    let work = || async {
        let (mut listener, addr) = listener_with(SocketBuilder::new()).await;
        let peer = [addr];
        let builder = interleaving();
        let (client, server) = tokio::join!(builder.connect(&peer), listener.accept());
        let (client, mut server) = (client.unwrap(), server.unwrap());
        assert!(!takes_turns(&client) && !takes_turns(&server));
        client.send(vec![7; LONG]).await.unwrap();
        assert_eq!(next(&mut server).await.payload.len(), LONG);
    };
    must(namespace.start(work)).await;
}

/// Sends a long message, and then a short one on another stream.
async fn send(association: &Association) {
    for (stream, length) in [(1, LONG), (2, 1)] {
        let message = Message::new(vec![7; length]).on_stream(stream);
        association.send(message).await.unwrap();
    }
    association.flushed().await.unwrap();
}

/// Lengths of the next two messages.
async fn lengths(association: &mut Association) -> [usize; 2] {
    let mut lengths = [0; 2];
    for length in &mut lengths {
        *length = next(association).await.payload.len();
    }
    lengths
}

/// Has the client send a long message and then a short one, and then the server. Returns for each
/// whether its messages take turns, and the lengths in the order in which they came.
async fn long_and_short(builder: fn() -> SocketBuilder) -> [(bool, [usize; 2]); 2] {
    let (near, far) = two_cables();
    for end in [&near, &far] {
        end.set_sctp("intl_enable", 1);
        // As a link has it: over one without limits all is sent before there is anything to order.
        end.tc("qdisc add dev one root netem rate 20mbit delay 5ms limit 1000");
    }
    let (up, listening) = oneshot::channel();
    let server = far.start(move || async move {
        let addr = "10.1.0.2:0".parse().unwrap();
        let mut listener = builder().with_local_addrs([addr]).listen().unwrap();
        up.send(listener.local_addrs().unwrap()).unwrap();
        let mut association = listener.accept().await.unwrap();
        let lengths = lengths(&mut association).await;
        send(&association).await;
        (lengths, takes_turns(&association))
    });
    let addrs = must(listening).await.unwrap();
    let client = near.start(move || async move {
        let mut client = builder().connect(&addrs).await.unwrap();
        // Asked while both ends are up: a closed association has no setting.
        let turns = takes_turns(&client);
        send(&client).await;
        (lengths(&mut client).await, turns)
    });
    let ((to_client, client), (to_server, server)) =
        must(async { tokio::join!(client, server) }).await;
    [(client, to_server), (server, to_client)]
}

#[tokio::test]
async fn interleaved_short_message_passes_long_one() {
    assert_eq!(long_and_short(interleaving).await, [(true, [1, LONG]); 2]);
}

#[tokio::test]
async fn plain_short_message_waits_for_long_one() {
    let builder = || interleaving().with_interleaving(false);
    assert_eq!(long_and_short(builder).await, [(false, [LONG, 1]); 2]);
}
