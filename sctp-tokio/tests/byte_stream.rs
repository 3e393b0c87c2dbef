//! Bytes over one stream of an association.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::io::{ErrorKind, IoSlice, Result};

use sctp_tokio::{
    AbortReason, Association, ByteStream, End, Message, OneToOneListener, Ppid, Side,
    SocketBuilder, StreamId, options::InitMsg,
};
use support::{LOOPBACK, listener, must, pair, pair_with, quick, until_end};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite as _, AsyncWriteExt, split};

const STREAM: StreamId = StreamId::new(1);

async fn streams() -> (ByteStream, ByteStream) {
    let (client, server) = pair_with(quick(), quick()).await;
    let stream = |association| ByteStream::new(association, STREAM).unwrap();
    (stream(client), stream(server))
}

/// A byte stream, and the peer's association.
async fn stream_and_peer() -> (ByteStream, Association) {
    let (client, server) = pair().await;
    (ByteStream::new(client, STREAM).unwrap(), server)
}

/// Bytes in which no two groups of four are alike.
fn bytes(len: u32) -> Vec<u8> {
    (0..len / 4).flat_map(u32::to_be_bytes).collect()
}

/// Writes bytes and reads as many of the peer at the same time.
async fn exchange(stream: ByteStream, written: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = split(stream);
    let mut read = vec![0; written.len()];
    let (sent, received) =
        must(async { tokio::join!(writer.write_all(written), reader.read_exact(&mut read)) }).await;
    sent.unwrap();
    received.unwrap();
    read
}

#[tokio::test]
async fn bytes_arrive_in_order_in_both_directions() {
    let (client, server) = streams().await;
    let there = bytes(400_000);
    let back: Vec<u8> = there.iter().rev().copied().collect();
    let (at_client, at_server) = tokio::join!(exchange(client, &there), exchange(server, &back));
    assert!(at_server == there, "bytes to the server differ");
    assert!(at_client == back, "bytes to the client differ");
}

#[tokio::test]
async fn shutdown_is_the_end_of_the_stream() {
    let (mut client, mut server) = streams().await;
    server.write_all(b"before").await.unwrap();
    client.write_all(b"the last words").await.unwrap();
    client.shutdown().await.unwrap();
    let mut read = Vec::new();
    must(server.read_to_end(&mut read)).await.unwrap();
    assert_eq!(read, b"the last words");
    let mut read = String::new();
    must(client.read_to_string(&mut read)).await.unwrap();
    assert_eq!(read, "before");
    for stream in [&mut client, &mut server] {
        assert_eq!(must(stream.read(&mut [0; 9])).await.unwrap(), 0);
        let error = stream.write(b"too late").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}

#[tokio::test]
async fn write_after_the_peers_shutdown_fails_and_unread_bytes_stay() {
    let (mut stream, peer) = stream_and_peer().await;
    peer.send(Message::new("unread").on_stream(STREAM))
        .await
        .unwrap();
    peer.start_shutdown().unwrap();
    assert_eq!(must(stream.fill_buf()).await.unwrap(), b"unread");
    must(stream.get_ref().closed()).await;
    let error = stream.write(b"too late").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    stream.consume(100);
    assert_eq!(must(stream.read(&mut [0; 9])).await.unwrap(), 0);
}

#[tokio::test]
async fn abort_fails_reading_with_its_reason() {
    let (mut stream, peer) = stream_and_peer().await;
    peer.abort(&AbortReason::from_static("goodbye")).unwrap();
    let error = must(stream.read(&mut [0; 9])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(error.to_string().contains("goodbye"), "{error}");
}

#[tokio::test]
async fn misplaced_messages_are_errors() {
    let (mut stream, peer) = stream_and_peer().await;
    let message = |text: &'static str| Message::new(text).on_stream(STREAM);
    for misplaced in [
        Message::new("of stream 0"),
        message("unordered").unordered(),
    ] {
        let unordered = misplaced.info.unordered;
        peer.send(misplaced).await.unwrap();
        let error = must(stream.read(&mut [0; 9])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let text = match unordered {
            true => "unordered message on stream 1: the bytes are on stream 1, ordered",
            false => "message on stream 0: the bytes are on stream 1, ordered",
        };
        assert_eq!(error.to_string(), text);
    }
    peer.send(message("goes on\n")).await.unwrap();
    let mut line = String::new();
    must(stream.read_line(&mut line)).await.unwrap();
    assert_eq!(line, "goes on\n");
}

/// The number of bytes of a write.
#[track_caller]
fn written(write: impl Future<Output = Result<usize>>) -> impl Future<Output = usize> {
    let write = must(write);
    async { write.await.unwrap() }
}

#[tokio::test]
async fn each_write_is_a_message_of_limited_size() {
    let (stream, mut peer) = stream_and_peer().await;
    let mut stream = stream.with_ppid(46);
    assert!(stream.is_write_vectored());
    assert_eq!(written(stream.write(b"")).await, 0);
    assert_eq!(written(stream.write_vectored(&[])).await, 0);
    let empty = IoSlice::new(b"");
    assert_eq!(written(stream.write_vectored(&[empty; 99])).await, 0);
    // Empty slices are none of the 64 in a message.
    let mut slices = vec![empty; 99];
    slices.extend([IoSlice::new(b"ab"); 99]);
    assert_eq!(written(stream.write_vectored(&slices)).await, 128);
    let long = bytes(100_000);
    assert_eq!(written(stream.write(&long)).await, 65_536);
    let parts = [IoSlice::new(&long[..60_000]), IoSlice::new(&long[60_000..])];
    assert_eq!(written(stream.write_vectored(&parts)).await, 65_536);
    let cut = &long[..65_536];
    for payload in [&b"ab".repeat(64), cut, cut] {
        let message = must(peer.recv()).await.unwrap().unwrap();
        assert!(
            message.payload == payload,
            "{} bytes",
            message.payload.len()
        );
        assert_eq!(message.info.stream, STREAM);
        assert_eq!(message.info.ppid, Ppid::new(46));
        assert!(!message.info.unordered);
    }
}

#[tokio::test]
async fn small_send_buffer_bounds_messages() {
    let small = SocketBuilder::new().with_send_buffer_size(8_192);
    let (client, _server) = pair_with(small, SocketBuilder::new()).await;
    let limit = client.control().send_buffer_size().unwrap();
    assert!(limit < 60_000, "{limit}");
    let mut stream = ByteStream::new(client, STREAM).unwrap();
    assert_eq!(written(stream.write(&bytes(60_000))).await, limit);
}

#[tokio::test]
async fn message_beyond_the_limit_is_the_end() {
    let limited = SocketBuilder::new().with_max_message_size(10);
    let (client, mut server) = pair_with(limited, SocketBuilder::new()).await;
    let mut stream = ByteStream::new(client, STREAM).unwrap();
    let message = |text: &'static str| Message::new(text).on_stream(STREAM);
    server.send(message("short")).await.unwrap();
    server.send(message("longer than that")).await.unwrap();
    let mut read = Vec::new();
    let error = must(stream.read_to_end(&mut read)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(read, b"short");
    is_broken(&mut stream, "message from peer exceeded the limit").await;
    assert!(matches!(
        until_end(&mut server).await.1,
        End::Aborted { by: Side::Peer, .. }
    ));
}

/// Neither reading nor writing works any more.
async fn is_broken(stream: &mut ByteStream, gap: &str) {
    for error in [
        must(stream.read(&mut [0; 9])).await.unwrap_err(),
        must(stream.write(b"more")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(error.to_string(), gap);
    }
}

#[tokio::test]
async fn association_that_ended_before_it_was_accepted_is_read() {
    let (mut listener, addr) = listener().await;
    let mut client = must(Association::connect(addr)).await.unwrap();
    let hello = Message::new("hello").on_stream(STREAM);
    client.send(hello).await.unwrap();
    assert!(must(client.shutdown()).await.unwrap().is_orderly());
    let server = must(listener.accept()).await.unwrap();
    assert!(server.socket().is_none());
    let mut stream = ByteStream::new(server, STREAM).unwrap();
    let mut read = Vec::new();
    must(stream.read_to_end(&mut read)).await.unwrap();
    assert_eq!(read, b"hello");
    let error = must(stream.write(b"too late")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn drop_of_a_message_read_in_part_aborts() {
    for consumed in [3, 5] {
        let (mut stream, mut peer) = stream_and_peer().await;
        let hello = Message::new("hello").on_stream(STREAM);
        peer.send(hello).await.unwrap();
        assert_eq!(must(stream.fill_buf()).await.unwrap(), b"hello");
        stream.consume(consumed);
        drop(stream);
        let (_, end) = until_end(&mut peer).await;
        assert_eq!(end.is_orderly(), consumed == 5, "{consumed}: {end}");
    }
}

#[tokio::test]
async fn one_to_one_association_carries_bytes() {
    let mut listener = OneToOneListener::bind(LOOPBACK).await.unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let connect = SocketBuilder::new();
    let connect = connect.connect_one_to_one(std::slice::from_ref(&addr));
    let (client, server) = must(async { tokio::join!(connect, listener.accept()) }).await;
    let mut client = ByteStream::new(client.unwrap(), STREAM).unwrap();
    let mut server = ByteStream::new(server.unwrap(), STREAM).unwrap();
    client.write_all(b"question").await.unwrap();
    let mut read = [0; 8];
    must(server.read_exact(&mut read)).await.unwrap();
    assert_eq!(&read, b"question");
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut read = Vec::new();
    must(client.read_to_end(&mut read)).await.unwrap();
    assert_eq!(read, b"answer");
}

#[tokio::test]
async fn stream_in_one_direction_is_refused() {
    let two = SocketBuilder::new().with_init(InitMsg::new().with_outbound_streams(2));
    let (client, server) = pair_with(two, SocketBuilder::new()).await;
    let stream = StreamId::new(2);
    for association in [client, server] {
        let error = ByteStream::new(association, stream).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = "no stream 2 in both directions: 2 negotiated";
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn parts_hold_what_was_not_read() {
    let (mut stream, peer) = stream_and_peer().await;
    for text in ["first", "second"] {
        peer.send(Message::new(text).on_stream(STREAM))
            .await
            .unwrap();
    }
    assert_eq!(must(stream.read_u8()).await.unwrap(), b'f');
    let (mut association, rest) = stream.into_parts();
    assert_eq!(rest, "irst");
    let next = must(association.recv()).await.unwrap().unwrap();
    assert_eq!(next.payload, "second");
}
