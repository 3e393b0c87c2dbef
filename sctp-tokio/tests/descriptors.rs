//! Descriptors from elsewhere, and for elsewhere.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
};

use sctp_tokio::{
    AbortReason, AssocId, Association, End, Endpoint, Event, Message, OneToOneListener,
    SctpListener, Side, Socket, SocketBuilder, sctp_core::Family,
};
use support::{LOOPBACK, listener, must, pair, until_end};

/// A socket as a supervisor makes it: bound and listening, and nothing set on it.
fn activated(socket: Socket) -> (OwnedFd, SocketAddr) {
    socket.bind(LOOPBACK.parse().unwrap()).unwrap();
    socket.listen(16).unwrap();
    let addr = socket.local_addrs(AssocId::FUTURE).unwrap()[0];
    (socket.into(), addr)
}

async fn echo(mut server: Association) {
    let message = must(server.recv()).await.unwrap().unwrap();
    assert_eq!(
        (message.payload.as_ref(), message.info.stream.get()),
        (&b"x"[..], 2)
    );
    server
        .send(message.reply(message.payload.clone()))
        .await
        .unwrap();
    let (_, end) = until_end(&mut server).await;
    assert_eq!(end, End::Shutdown { by: Side::Peer });
}

async fn talk(mut client: Association) {
    client.send(Message::new("x").on_stream(2)).await.unwrap();
    assert_eq!(must(client.recv()).await.unwrap().unwrap().payload, "x");
    assert!(must(client.shutdown()).await.unwrap().is_orderly());
}

#[tokio::test]
async fn listener_takes_over_established_associations() {
    let (fd, addr) = activated(Socket::one_to_many(Family::V4).unwrap());
    // What makes a supervisor start the service: a peer that is there already.
    let early = Association::connect(addr).await.unwrap();
    early.send(Message::new("x").on_stream(2)).await.unwrap();
    early.flushed().await.unwrap();
    let mut listener = SctpListener::try_from(fd).unwrap();
    let server = must(listener.accept()).await.unwrap();
    assert_eq!(server.outbound_streams(), 10);
    let mut early = early;
    let (served, ()) = tokio::join!(tokio::spawn(echo(server)), async {
        assert_eq!(must(early.recv()).await.unwrap().unwrap().payload, "x");
        early.shutdown().await.unwrap();
    });
    served.unwrap();
    let late = Association::connect(addr).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    // As its maker left it: our defaults are for sockets of our own.
    assert_eq!(server.outbound_streams(), 10);
    tokio::join!(talk(late), echo(server));
}

#[tokio::test]
async fn one_to_one_listener_takes_over_a_socket() {
    let (fd, addr) = activated(Socket::one_to_one(Family::V4).unwrap());
    let early = Association::connect(addr).await.unwrap();
    let mut listener = OneToOneListener::try_from(fd).unwrap();
    let server = must(listener.accept()).await.unwrap();
    tokio::join!(talk(early), echo(server));
    let late = Association::connect(addr).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    tokio::join!(talk(late), echo(server));
}

#[tokio::test]
async fn endpoint_takes_over_a_socket() {
    let (fd, addr) = activated(Socket::one_to_many(Family::V4).unwrap());
    let client = Association::connect(addr).await.unwrap();
    client.send("early").await.unwrap();
    let mut endpoint = Endpoint::try_from(fd).unwrap();
    let assoc = endpoint.socket().assoc_ids().unwrap()[0];
    endpoint.send(assoc, "answer").await.unwrap();
    loop {
        let event = must(endpoint.next_event()).await.unwrap();
        if let Event::Message(message) = event.event {
            assert_eq!(
                (event.assoc, message.payload.as_ref()),
                (assoc, &b"early"[..])
            );
            break;
        }
    }
    client.abort(&AbortReason::from_static("done")).unwrap();
    loop {
        let event = must(endpoint.next_event()).await.unwrap();
        if let Event::Closed(end) = event.event {
            assert_eq!(
                (event.assoc, end.reason().unwrap().as_ref()),
                (assoc, &b"done"[..])
            );
            break;
        }
    }
}

#[tokio::test]
async fn association_round_trips_through_a_descriptor() {
    let (client, server) = pair().await;
    client.send(Message::new("x").on_stream(2)).await.unwrap();
    let fd = OwnedFd::from(server.into_socket().unwrap());
    let server = SocketBuilder::new().peeled_off_from(fd).unwrap();
    assert_eq!(
        server.control().peer_addrs().unwrap(),
        client.control().local_addrs().unwrap()
    );
    let mut client = client;
    tokio::join!(echo(server), async {
        assert_eq!(must(client.recv()).await.unwrap().unwrap().payload, "x");
        client.shutdown().await.unwrap();
    });
}

#[tokio::test]
async fn one_to_one_association_round_trips_through_a_descriptor() {
    let mut listener = OneToOneListener::bind(LOOPBACK).await.unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let client = Association::connect(addr).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    let fd = OwnedFd::from(server.into_socket().unwrap());
    let server = SocketBuilder::new().one_to_one_from(fd).unwrap();
    tokio::join!(talk(client), echo(server));
}

#[tokio::test]
async fn into_socket_fails_while_in_use() {
    let (client, mut server) = pair().await;
    let sender = client.sender();
    let client = client.into_socket().unwrap_err();
    drop(sender);
    client.send("one").await.unwrap();
    client.send("two").await.unwrap();
    client.flushed().await.unwrap();
    // One batch brings both; the second waits here.
    must(server.recv()).await.unwrap().unwrap();
    let mut server = server.into_socket().unwrap_err();
    assert_eq!(must(server.recv()).await.unwrap().unwrap().payload, "two");
    server.into_socket().unwrap();
}

#[tokio::test]
async fn listeners_convert_into_sockets() {
    let (listener, addr) = listener().await;
    let client = Association::connect(addr).await.unwrap();
    let fd = OwnedFd::from(listener.into_socket().unwrap());
    let mut listener = SctpListener::try_from(fd).unwrap();
    let server = must(listener.accept()).await.unwrap();
    tokio::join!(talk(client), echo(server));

    let listener = OneToOneListener::bind(LOOPBACK).await.unwrap();
    OneToOneListener::try_from(OwnedFd::from(listener.into_socket().unwrap())).unwrap();

    let (endpoint, _) = support::endpoint().await;
    Endpoint::try_from(OwnedFd::from(endpoint.into_socket().unwrap())).unwrap();
}

#[tokio::test]
async fn wrong_kind_of_descriptor_is_refused() {
    #[track_caller]
    fn refused<T: std::fmt::Debug>(result: io::Result<T>, kind: io::ErrorKind, why: &str) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    use io::ErrorKind::{InvalidInput, NotConnected};
    let builder = SocketBuilder::new();
    let tcp = || OwnedFd::from(std::net::TcpListener::bind(LOOPBACK).unwrap());
    let many = || OwnedFd::from(Socket::one_to_many(Family::V4).unwrap());
    let one = || OwnedFd::from(Socket::one_to_one(Family::V4).unwrap());
    refused(
        builder.listen_from(tcp()),
        InvalidInput,
        "not an SCTP socket",
    );
    refused(builder.listen_from(one()), InvalidInput, "one-to-one");
    refused(builder.endpoint_from(one()), InvalidInput, "one-to-one");
    refused(
        builder.listen_one_to_one_from(many()),
        InvalidInput,
        "not one-to-one",
    );
    refused(
        builder.one_to_one_from(many()),
        InvalidInput,
        "not one-to-one",
    );
    refused(builder.one_to_one_from(one()), NotConnected, "");
    refused(builder.peeled_off_from(one()), InvalidInput, "one-to-one");
    refused(builder.peeled_off_from(many()), NotConnected, "");
    let (fd, _) = activated(Socket::one_to_many(Family::V4).unwrap());
    refused(builder.peeled_off_from(fd), InvalidInput, "listening");
    let (client, _server) = pair().await;
    let peeled = client
        .socket()
        .unwrap()
        .as_fd()
        .try_clone_to_owned()
        .unwrap();
    assert_eq!(client.id(), builder.peeled_off_from(peeled).unwrap().id());
    let (_client, server) = pair().await;
    let peeled = OwnedFd::from(server.into_socket().unwrap());
    refused(builder.listen_from(peeled), InvalidInput, "");
}
